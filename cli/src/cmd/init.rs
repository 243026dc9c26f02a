//! `keyward init`: a new organisation with its first owner.

use std::path::PathBuf;

use clap::Args;
use keyward_crypto::enrol::{Signup, sign_up};
use keyward_wire::name::{Email, Name};

use crate::api::Api;
use crate::cmd::kit::Kit;
use crate::cmd::new_password;
use crate::ctx::{Ctx, rfc3339};
use crate::fault::{Code, Fault};
use crate::session::config::{Config, Login};
use crate::session::credential::Server;
use crate::session::home::Home;
use crate::session::prompt;

/// How long the device stays signed in.
pub const DEVICE_TTL: i64 = 12 * 3_600_000;

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
    /// The server's one-time setup code
    #[arg(long, value_name = "CODE")]
    setup_code: Option<String>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if self.recovery_kit.is_none() && !prompt::on_terminal() {
            return Err(Fault::usage("where should the recovery kit go?")
                .next("name a file with --recovery-kit: it is the only way back in if the password is lost")
                .into());
        }
        let home = Home::required(ctx)?;
        if Config::load(&home)?.login.is_some() {
            return Err(Fault::new(Code::Conflict, "this client is signed in already")
                .next("run `keyward logout` first, or use another folder with --home")
                .into());
        }
        let server = Server::of_options(ctx);
        let api = Api::new(&server)?;
        let text = new_password::choose(ctx, self.password_stdin)?;
        let password = new_password::strong(&text, &[self.email.as_str(), self.org.as_str()])?;
        let device_end = ctx.now() + DEVICE_TTL;
        let signup = sign_up(self.org, &self.email, &password, ctx.now(), device_end, self.setup_code);
        drop((text, password));
        let org = signup.request.org;
        Kit { token: &signup.recovery, org, email: &self.email, url: &server.url }.keep(
            ctx,
            self.recovery_kit.as_deref(),
            "",
        )?;
        let stored = api.sign_up(&signup.request).await;
        if let Err(error) = stored {
            match self.recovery_kit {
                Some(kit) if error.leaves_doubt() => ctx.out.warn(&format!(
                    "the sign-up may have happened: the recovery kit stays in {}",
                    kit.display()
                )),
                // It opens nothing: the organisation was not made.
                Some(kit) => drop(std::fs::remove_file(kit)),
                None => {}
            }
            return Err(Fault::from(error).into());
        }
        if let Some(kit) = &self.recovery_kit {
            ctx.out.say(&format!(
                "the recovery kit is in {}; print it and keep it away from this machine",
                kit.display()
            ));
        }
        let Signup { request, device, .. } = &signup;
        let mut login = Login::new(server.url.clone(), request.org, request.identity, device);
        login.ca_file.clone_from(&server.ca_file);
        login.allow_http = server.allow_http;
        login.email = Some(self.email.to_string());
        login.not_after = Some(device_end);
        Config::update(&home, |config| config.login = Some(login))?;
        ctx.out.say(&format!(
            "{} is signed up; you are its owner, signed in until {}",
            self.email,
            rfc3339(device_end)
        ));
        if ctx.out.json {
            ctx.out
                .json(&serde_json::json!({ "organisation": request.org, "identity": request.identity }))?;
        }
        Ok(())
    }
}
