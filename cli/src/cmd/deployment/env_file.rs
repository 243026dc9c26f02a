//! `keyward deployment env-file`: the headline.

use std::path::PathBuf;

use clap::Args;
use keyward_wire::name::EnvName;

use crate::cmd::phrase;
use crate::ctx::{Ctx, rfc3339};
use crate::export::{Format, Var, render};
use crate::fault::{Code, Fault};
use crate::session::files;
use crate::vault::fetch::{Freshness, variables};

/// Print a deployment's variables for `eval`, or write them to a file
///
/// Nothing is printed before every value was fetched, verified and opened. With --stdout in shell format, every failure
/// prints the word `false`, so that `set -e` stops the script.
#[derive(Args)]
#[command(after_help = "Examples:\n  eval $(keyward deployment env-file production --stdout)\n  \
                        keyward deployment env-file production .env")]
pub struct Options {
    /// Name in .keyward-deployment, or name, or id of the deployment
    deployment: String,
    /// Write to this regular file (0600; no link, device or pipe), as dotenv unless --format says otherwise
    #[arg(required_unless_present = "stdout", conflicts_with = "stdout")]
    file: Option<PathBuf>,
    /// Print, for a shell's eval unless --format says otherwise
    #[arg(long)]
    stdout: bool,
    /// How to write them [default: shell with --stdout, dotenv in a file]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Let through a variable that steers programs, such as PATH
    #[arg(long, value_name = "NAME")]
    allow_env: Vec<EnvName>,
    /// Print the audit head of this read on standard error
    #[arg(long)]
    print_head: bool,
    #[command(flatten)]
    freshness: Freshness,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if let Some(path) = &self.file {
            files::replaceable(path)
                .map_err(|fault| fault.next("name a regular file, or print with --stdout"))?;
        }
        let read = variables(ctx, &self.deployment, &self.freshness, &self.allow_env).await?;
        let vars = read
            .variables
            .iter()
            .map(|variable| Var::new(&variable.env, &variable.value))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Fault::new(Code::Policy, error.to_string()))?;
        let format = self.format.unwrap_or(if self.stdout { Format::Shell } else { Format::Dotenv });
        let text = render(format, &vars).map_err(|error| Fault::new(Code::Policy, error.to_string()))?;
        if self.print_head {
            let head = read.fetched.audit.as_deref().unwrap_or("none");
            ctx.out.note(&format!("audit head of this read: {head}"));
        }
        let verified = &read.fetched.verified;
        match &self.file {
            None => ctx.out.bytes(&text),
            Some(path) => {
                files::write(path, &text)?;
                ctx.out.say(&format!("{} in {}", phrase::count(vars.len(), "variable"), path.display()));
                if ctx.out.json {
                    ctx.out.json(&serde_json::json!({
                        "file": path,
                        "variables": vars.iter().map(|var| var.name().as_str()).collect::<Vec<_>>(),
                        "seq": verified.seq,
                        "epoch": verified.epoch,
                        "issued_at": rfc3339(verified.issued_at),
                    }))?;
                }
                Ok(())
            }
        }
    }
}
