//! `keyward proxy env`: the variables by which a program or container finds the gateway.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use keyward_gateway::placeholder::MANAGED;
use keyward_wire::name::EnvName;
use keyward_wire::rule::{Authority, Host};
use zeroize::Zeroizing;

use crate::api::agent;
use crate::ctx::Ctx;
use crate::export::{Format, Var, render};
use crate::fault::{Code, Fault};
use crate::prompt;
use crate::proxy::bypass::variable_spellings;
use crate::proxy::keys::{self, Base, UsableKey};
use crate::proxy::trust::Trust;
use crate::proxy::variables::{GatewayAddress, variables};
use crate::proxy::{State, host_and_port};
use crate::session::files;

/// Print the variables that a program behind the gateway needs
///
/// They hold the agent's proxy credential, which decrypts nothing and is good at this gateway only. Where programs look for a key
/// that the agent may use, they find a word that stands for it; or, with the address of the service at the gateway, the agent's
/// credential. The running gateway says which keys these are.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    eval \"$(keyward proxy env --agent claude --credential-file claude.txt)\"\n  \
    keyward proxy env --agent claude --credential-file claude.txt --format docker \\\n    \
    --at gateway:8421 --gateway 127.0.0.1:8421 --bundle /etc/keyward/authorities.pem > agent.env")]
pub(super) struct Options {
    /// The agent's name
    #[arg(long, value_name = "NAME")]
    agent: String,
    /// File with the agent's credential, as `keyward agent create` printed it; - for standard input
    #[arg(long, value_name = "FILE")]
    credential_file: PathBuf,
    /// The gateway, as the program sees it
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8421", value_parser = gateway)]
    at: Authority,
    /// The gateway, as this machine reaches it, to be asked for the agent's keys [default: as --at, if that is this machine]
    #[arg(long, value_name = "HOST:PORT", value_parser = gateway)]
    gateway: Option<Authority>,
    /// Ask no gateway: print only the variables that lead to it
    #[arg(long, conflicts_with_all = ["gateway", "no_base_url"])]
    no_keys: bool,
    /// Leave the addresses of services alone (OPENAI_BASE_URL and the like), so that all goes through HTTPS_PROXY
    #[arg(long)]
    no_base_url: bool,
    /// The file of authorities, as the program sees it: keyward proxy ca --bundle [default: written to public/ in the gateway's folder]
    #[arg(long, value_name = "PATH", value_parser = from_root)]
    bundle: Option<String>,
    /// The same for Java, as the program sees it: keyward proxy ca --java [default: with --bundle none, else beside it]
    #[arg(long, value_name = "PATH", requires = "bundle", value_parser = from_root)]
    java_bundle: Option<String>,
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
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let credential = self.credential()?;
        let keys = if self.no_keys { Vec::new() } else { self.keys(&credential).await? };
        let (bundle, java) = if let Some(bundle) = &self.bundle {
            (bundle.clone(), self.java_bundle.clone())
        } else {
            let state = State::find(ctx, self.state.as_deref())?;
            let trust = Trust::write(&state.public()?, &state.existing_ca()?)?;
            (trust.pem.to_string_lossy().into_owned(), Some(trust.java.to_string_lossy().into_owned()))
        };
        let mut all: BTreeMap<EnvName, Zeroizing<String>> = BTreeMap::new();
        let at = self.at.to_string();
        let base = Base { at: &at, credential: &credential };
        all.extend(keys::variables(&keys, Some(&base).filter(|_| !self.no_base_url)));
        let place = GatewayAddress {
            at: &self.at,
            agent: &self.agent,
            credential: &credential,
            bundle: &bundle,
            java: java.as_deref(),
            direct: &self.no_proxy,
        };
        // Last: none of a key's takes the place of one that leads to the gateway.
        for (name, value) in variables(&place) {
            all.insert(name.parse().context("a variable of keyward's own")?, value);
        }
        let vars = all.iter().map(|(name, value)| Var::new(name, value.as_bytes()));
        let vars = vars.collect::<Result<Vec<_>, _>>()?;
        let format = match self.format {
            _ if ctx.out.json => Format::Json,
            Shape::Shell => Format::Shell,
            Shape::Docker => Format::Docker,
            Shape::Compose => Format::Yaml,
            Shape::Json => Format::Json,
        };
        let text = render(format, &vars)?;
        if format == Format::Shell {
            let mut all = Zeroizing::new(
                format!("unset {};\n", variable_spellings().collect::<Vec<_>>().join(" ")).into_bytes(),
            );
            all.reserve_exact(text.len());
            all.extend_from_slice(&text);
            return ctx.out.bytes(&all);
        }
        if matches!(self.format, Shape::Compose) && !ctx.out.json {
            let lines = std::str::from_utf8(&text).context("YAML is text")?.lines();
            // In its final size: growing would leave a copy of the credential behind.
            let size = "environment:\n".len() + lines.clone().map(|line| 2 * line.len() + 3).sum::<usize>();
            let mut compose = Zeroizing::new(String::with_capacity(size));
            compose.push_str("environment:\n");
            for line in lines {
                compose.push_str("  ");
                for c in line.chars() {
                    // Compose puts variables of its own in the place of what follows one `$`.
                    compose.push_str(if c == '$' { "$" } else { "" });
                    compose.push(c);
                }
                compose.push('\n');
            }
            return ctx.out.bytes(compose.as_bytes());
        }
        ctx.out.bytes(&text)
    }

    /// What the running gateway lets the agent use. A word stands for each value that outlives the gateway's next start.
    async fn keys(&self, credential: &str) -> anyhow::Result<Vec<UsableKey>> {
        // The credential goes there in the clear: to another machine only if somebody says so.
        let at = self.gateway.as_ref().or_else(|| is_here(&self.at.host).then_some(&self.at)).ok_or_else(
            || {
                Fault::usage(
                    "--at is another machine, which would be sent the agent's credential in the clear",
                )
                .next("name the gateway as this machine reaches it: --gateway HOST:PORT; or say --no-keys")
            },
        )?;
        let keys = agent::usable_keys(&at.to_string(), credential).await.map_err(|error| {
            match error.downcast::<Fault>() {
                Ok(fault) if fault.code == Code::Network => Fault::new(Code::Network, fault.what())
                    .next("start it, say --gateway HOST:PORT, or --no-keys")
                    .into(),
                Ok(fault) => fault.into(),
                Err(error) => error,
            }
        })?;
        let usable = keys.into_iter().map(|key| UsableKey {
            host: key.host.as_deref().and_then(|host| Authority::parse(host, 443).ok()),
            placeholder: Zeroizing::new(MANAGED[0].to_owned()),
            mapped: Vec::new(),
            name: key.name,
            provider: key.provider,
        });
        Ok(usable.collect())
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

/// Whether it is this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Name(name) => name == "localhost",
        Host::V4(address) => address.is_loopback(),
        Host::V6(address) => address.is_loopback(),
    }
}

/// Where a gateway is, for programs that look at `HTTPS_PROXY`.
fn gateway(text: &str) -> Result<Authority, String> {
    if text.starts_with("unix:") {
        return Err(
            "programs find a gateway by HOST:PORT, not by a socket: have it listen at both".to_owned()
        );
    }
    host_and_port(text)
}

/// A path that leads to one file wherever a program is started. From here nobody knows in which folder that will be.
fn from_root(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err("write the path from / on, as it is where the program runs".to_owned())
    }
}

fn not_one() -> Fault {
    Fault::usage("that is no proxy credential of an agent (kwp1_…)")
        .next("take what keyward agent create or keyward agent rotate printed")
}
