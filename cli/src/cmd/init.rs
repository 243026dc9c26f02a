//! `keyward init`: a new organisation with its first owner.

use std::path::PathBuf;

use clap::Args;
use keyward_wire::name::{Email, Name};

use crate::account::founding::{Founded, Founding};
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::prompt;
use crate::session::credential::Server;
use crate::session::home::Home;

/// Sign an organisation up, with you as its first owner
#[derive(Args)]
#[command(
    after_help = "Example:\n  keyward init --org Acme --email you@acme.example --recovery-kit acme-recovery.txt"
)]
pub struct Options {
    /// Name of the organisation
    #[arg(long, value_name = "NAME")]
    org: Name,
    /// Your e-mail address
    #[arg(long)]
    email: Email,
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
    /// Write the recovery kit to this new file
    #[arg(long, value_name = "FILE")]
    recovery_kit: Option<PathBuf>,
    /// The server's one-time setup code; - asks for it, since other users of this machine can see the command line
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    setup_code: Option<String>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let home = Home::required(ctx)?;
        let password = if self.password_stdin { Some(prompt::stdin_text("password")?) } else { None };
        let setup_code = match self.setup_code.as_deref() {
            Some("-") => {
                let mut code =
                    prompt::secret("Setup code", "there is no terminal to ask for the setup code")?;
                Some(std::mem::take(&mut *code))
            }
            _ => self.setup_code,
        };
        let founding = Founding {
            org: &self.org,
            email: &self.email,
            recovery_kit: self.recovery_kit.as_deref(),
            setup_code,
        };
        let password = password.as_ref().map(|text| text.as_str());
        let Founded { org, owner } =
            founding.found(ctx, &home, &Server::of_options(ctx), password).await?.map_err(Fault::from)?;
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({ "organisation": org, "identity": owner }))?;
        }
        Ok(())
    }
}
