//! `keyward deployment env-file`: the headline.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use keyward_wire::name::EnvName;

use crate::ctx::{Ctx, rfc3339};
use crate::export::{ExportError, Format, Var, masks, render};
use crate::fault::{Code, Fault};
use crate::session::files;
use crate::text;
use crate::vault::fetch::variables;
use crate::vault::freshness::Freshness;
use crate::vault::offline::Offline;

/// Print a deployment's variables for `eval`, or write them to a file
///
/// Nothing is printed before every value was fetched, verified and opened. With --stdout in shell or fish format, every
/// failure prints the word `false`: with `set -e`, or `; or exit` in fish, the script then stops. A value that what reads
/// the format would not find again is refused by its name, and then nothing is written. A FILE is replaced whole or not at
/// all, and is its owner's alone (0600); with --format github-actions it is added to, for other steps of a job write to the
/// same one.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
#[command(override_usage = "keyward deployment env-file [OPTIONS] <DEPLOYMENT> <FILE|--stdout>")]
#[command(group(ArgGroup::new("place").required(true).args(["file", "stdout"])))]
pub struct Options {
    /// Name in .keyward-deployment, or name, or id of the deployment
    deployment: String,
    /// Write to this regular file (0600; no link, device or pipe), as dotenv unless --format says otherwise
    file: Option<PathBuf>,
    /// Print, for a shell's eval unless --format says otherwise
    #[arg(long)]
    stdout: bool,
    /// How to write them [default: shell with --stdout, json with --stdout --json, dotenv in a file]
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
    #[command(flatten)]
    offline: Offline,
}

const EXAMPLES: &str = "\
Examples:
  eval $(keyward deployment env-file production --stdout)
  keyward deployment env-file production --stdout --format fish | source; or exit
  keyward deployment env-file production .env
  keyward deployment env-file production production.yaml --format yaml
  keyward deployment env-file production \"$GITHUB_ENV\" --format github-actions";

impl Options {
    fn format(&self, ctx: &Ctx) -> Format {
        self.format.unwrap_or(match (self.stdout, ctx.out.json) {
            (true, false) => Format::Shell,
            (true, true) => Format::Json,
            (false, _) => Format::Dotenv,
        })
    }

    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if let Some(path) = &self.file {
            files::replaceable(path)
                .map_err(|fault| fault.next("name a regular file, or print with --stdout"))?;
        }
        if self.stdout && ctx.out.json && self.format.is_some_and(|format| format != Format::Json) {
            return Err(Fault::usage("--json is another format than --format")
                .next("leave one of them out")
                .into());
        }
        let read = variables(ctx, &self.deployment, &self.freshness, &self.offline, &self.allow_env).await?;
        let vars = read
            .variables
            .iter()
            .map(|variable| Var::new(&variable.env, &variable.value))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| refused(&error))?;
        let format = self.format(ctx);
        let text = render(format, &vars).map_err(|error| refused(&error))?;
        if format == Format::GithubActions {
            if ctx.env.github_actions {
                let values: Vec<&[u8]> = vars.iter().map(Var::value).collect();
                ctx.out.runner_commands(&masks(&values))?;
            } else {
                ctx.out.warn("GITHUB_ACTIONS is not true, so the values are not masked in any log");
            }
        }
        if self.print_head {
            let head = read.fetched.audit.as_deref().unwrap_or("none");
            ctx.out.note(&format!("audit head of this read: {head}"));
        }
        let verified = &read.fetched.verified;
        match &self.file {
            None => ctx.out.bytes(&text),
            Some(path) => {
                let done = if format == Format::GithubActions {
                    files::append(path, &text)?;
                    "added to"
                } else {
                    files::write(path, &text)?;
                    "in"
                };
                let count = text::count(vars.len(), "variable");
                ctx.out.say(&format!("{count} {done} {}", path.display()));
                if ctx.out.json {
                    ctx.out.json(&serde_json::json!({
                        "file": path.display().to_string(),
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

fn refused(error: &ExportError) -> Fault {
    Fault::new(Code::Policy, error.to_string()).next(error.next())
}
