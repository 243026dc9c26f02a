//! `keyward provider list`.

use clap::Args;
use keyward_wire::provider::{self, Provider};

use super::places::{hosts, injections};
use crate::ctx::Ctx;

/// List the providers whose keys `key create --inject NAME` knows how to send
///
/// A preset is a default: it fills in hosts and places, and what is said beside it changes that. What is sealed with the key
/// is the rule, not the name.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward provider list\n  keyward provider list mail")]
pub struct Options {
    /// Only those with this in their name or hosts
    #[arg(value_name = "TEXT")]
    text: Option<String>,
}

impl Options {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let text = self.text.unwrap_or_default().to_lowercase();
        let wanted = |provider: &Provider| {
            provider.name.contains(&text)
                || provider.host_shapes().any(|shape| shape.as_str().contains(&text))
        };
        let providers = provider::all().filter(wanted);
        if ctx.out.json {
            let list = providers.map(|provider| {
                serde_json::json!({
                    "name": provider.name,
                    "hosts": hosts(provider),
                    "inject": injections(provider),
                    "not_supported": provider.needs(),
                })
            });
            return ctx.out.json(&list.collect::<Vec<_>>());
        }
        let row = |provider: Provider| {
            let how = provider
                .needs()
                .map_or_else(|| injections(provider).join(" + "), |kind| format!("not yet ({kind})"));
            vec![provider.name.to_owned(), how, hosts(provider).join(" ")]
        };
        ctx.out.table(&["NAME", "INJECT", "HOSTS"], &providers.map(row).collect::<Vec<_>>())
    }
}
