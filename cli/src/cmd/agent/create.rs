//! `keyward agent create`.

use std::collections::BTreeSet;

use clap::Args;
use keyward_crypto::agent::NewAgent;
use keyward_wire::name::Name;

use super::new_credential::NewProxyCredential;
use crate::args::expiry::{Expiry, parse_expiry};
use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::text::quoted;
use crate::vault::admin::Session;

/// Create an agent and print its proxy credential, once
///
/// An agent shows the credential to its gateway, which then uses keys for it. The credential opens nothing, and no server
/// takes it. A new agent may use no key yet: grant it some.
#[derive(Args)]
#[command(override_usage = "keyward agent create <NAME> [--group <GROUP>...] [OPTIONS]")]
#[command(
    after_help = "Example:\n  keyward agent create claude --gateway edge --group agents > credential.txt\n  \
                        keyward agent grant claude ANTHROPIC_API_KEY"
)]
pub struct Options {
    /// Name of the agent
    name: Name,
    /// The gateway that serves it, by name or id; may be left out where there is only one
    #[arg(long, value_name = "GATEWAY")]
    gateway: Option<String>,
    /// Groups, by name or id: it may use what they, and the gateway's own groups, may read
    #[arg(long, value_name = "GROUP", num_args = 1..)]
    group: Vec<String>,
    /// When it ends: after a span such as 90d, or never
    #[arg(long, value_name = "SPAN", value_parser = parse_expiry, default_value = "never")]
    expires: Expiry,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let not_after = self.expires.from(ctx.now());
        let session = Session::start(ctx).await?;
        let issued = session
            .write(ctx, async |draft, opened| {
                let gateway = resolve::gateway_or_only(&opened.org, self.gateway.as_deref())?;
                let groups = self.group.iter().map(|group| Ok(resolve::group(&opened.org, group)?.id));
                let new = NewAgent {
                    name: self.name.clone(),
                    gateway: gateway.id,
                    groups: groups.collect::<anyhow::Result<_>>()?,
                    granted: BTreeSet::new(),
                    not_after,
                };
                let (id, credential) = draft.org.add_agent(new).map_err(Fault::from)?;
                let (name, gateway) = (self.name.clone(), gateway.name.clone());
                Ok(NewProxyCredential { id, name, gateway, not_after, credential })
            })
            .await?;
        let word = quoted(self.name.as_str());
        if self.group.is_empty() {
            ctx.out.say(&format!(
                "{} can use nothing yet; put it into a group: keyward group add GROUP {word}",
                self.name
            ));
        }
        ctx.out.say(&format!("grant it what it needs: keyward agent grant {word} KEY…"));
        issued.show(ctx)
    }
}
