//! `keyward proxy env`: the variables by which a program or container finds the gateway.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use keyward_wire::name::EnvName;
use zeroize::Zeroizing;

use crate::ctx::Ctx;
use crate::export::{Format, Var, render};
use crate::fault::{Code, Fault};
use crate::proxy::{Place, State, bundle, variables};
use crate::session::{files, prompt};

/// Print the variables that a program behind the gateway needs
///
/// They hold the agent's proxy credential, which decrypts nothing and is good at this gateway only.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    eval \"$(keyward proxy env --agent claude --credential-file claude.txt)\"\n  \
    keyward proxy env --agent claude --credential-file claude.txt --format docker \\\n    \
    --at gateway:8421 --bundle /etc/keyward/authorities.pem > agent.env")]
pub(super) struct Options {
    /// The agent's name
    #[arg(long, value_name = "NAME")]
    agent: String,
    /// File with the agent's credential, as `keyward agent create` printed it; - for standard input
    #[arg(long, value_name = "FILE")]
    credential_file: PathBuf,
    /// The gateway, as the program sees it
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8421")]
    at: String,
    /// The file of authorities, as the program sees it: keyward proxy ca --bundle [default: written to the gateway's folder]
    #[arg(long, value_name = "PATH")]
    bundle: Option<String>,
    /// Hosts that are reached without the gateway, beside localhost
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    no_proxy: Vec<String>,
    /// How they are written
    #[arg(long, value_enum, default_value_t = Shape::Shell)]
    format: Shape,
    /// Folder of the gateway's authority and log [default: gateway/ in keyward's own folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shape {
    /// export lines, for eval
    Shell,
    /// For docker run --env-file
    Docker,
    /// For a service in a compose file
    Compose,
    /// An object
    Json,
}

impl Options {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let credential = self.credential()?;
        let path = if let Some(path) = &self.bundle {
            path.clone()
        } else {
            let state = State::find(ctx, self.state.as_deref())?;
            let path = state.file("authorities.pem");
            files::write(&path, bundle(&state.ca()?.certificate_pem()).as_bytes())?;
            path.to_string_lossy().into_owned()
        };
        let place = Place {
            at: &self.at,
            agent: &self.agent,
            credential: &credential,
            bundle: &path,
            direct: &self.no_proxy,
        };
        let all = variables(&place);
        let names = all.iter().map(|(name, _)| name.parse::<EnvName>());
        let names = names.collect::<Result<Vec<_>, _>>().context("a variable of keyward's own")?;
        let vars = names.iter().zip(&all).map(|(name, (_, value))| Var::new(name, value.as_bytes()));
        let vars = vars.collect::<Result<Vec<_>, _>>()?;
        let format = match self.format {
            _ if ctx.out.json => Format::Json,
            Shape::Shell => Format::Shell,
            Shape::Docker => Format::Docker,
            Shape::Compose => Format::Yaml,
            Shape::Json => Format::Json,
        };
        let text = render(format, &vars)?;
        if matches!(self.format, Shape::Compose) && !ctx.out.json {
            let lines = std::str::from_utf8(&text).context("YAML is text")?.lines();
            let mut compose = Zeroizing::new(String::from("environment:\n"));
            for line in lines {
                compose.push_str("  ");
                compose.push_str(line);
                compose.push('\n');
            }
            return ctx.out.bytes(compose.as_bytes());
        }
        ctx.out.bytes(&text)
    }

    fn credential(&self) -> anyhow::Result<Zeroizing<String>> {
        let text = if self.credential_file.as_os_str() == "-" {
            prompt::stdin_text("a credential")?
        } else {
            let path = &self.credential_file;
            let bytes = files::read(path)?
                .ok_or_else(|| Fault::new(Code::NotFound, format!("there is no file {}", path.display())))?;
            let text = std::str::from_utf8(&bytes).map_err(|_| not_one())?;
            Zeroizing::new(text.to_owned())
        };
        let text = Zeroizing::new(text.trim().to_owned());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if text.starts_with(keyward_gateway::auth::PREFIX) && plain {
            Ok(text)
        } else {
            Err(not_one().into())
        }
    }
}

fn not_one() -> Fault {
    Fault::usage("that is no proxy credential of an agent (kwp1_…)")
        .next("take what keyward agent create or keyward agent rotate printed")
}
