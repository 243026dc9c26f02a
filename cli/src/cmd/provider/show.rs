//! `keyward provider show`.

use clap::Args;
use keyward_wire::provider;

use super::places::{hosts, injections};
use crate::args::provider_advice::{similar_providers, why_unsupported};
use crate::ctx::Ctx;
use crate::fault::Fault;

/// Show what is known of a provider, and the rule that its preset makes
#[derive(Args)]
#[command(after_help = "Example:\n  keyward provider show github")]
pub struct Options {
    /// Name of the provider, from `keyward provider list`
    #[arg(value_name = "NAME")]
    provider: String,
}

impl Options {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let found = provider::find(&self.provider);
        let provider = found.ok_or_else(|| {
            let names: Vec<&str> = provider::all().map(|provider| provider.name).collect();
            let fault = Fault::unknown("provider", &self.provider, names.into_iter());
            let near = fault.advice().is_some_and(|advice| advice.starts_with("did you mean"));
            match similar_providers(&self.provider) {
                Some(advice) => fault.next(advice),
                None if near => fault,
                None => {
                    fault.next("see `keyward provider list`, or say yourself where it goes: --host, --inject")
                }
            }
        })?;
        let paths: Vec<String> =
            provider.paths().into_iter().flatten().map(|path| path.to_string()).collect();
        let mints: Vec<String> = provider.minting().iter().map(ToString::to_string).collect();
        if ctx.out.json {
            let fields: Vec<_> = provider
                .fields()
                .map(|field| serde_json::json!({ "name": field.name, "what": field.what }))
                .collect();
            return ctx.out.json(&serde_json::json!({
                "name": provider.name,
                "hosts": hosts(provider),
                "own_hosts": provider.own_hosts().iter().map(|shape| shape.as_str()).collect::<Vec<_>>(),
                "inject": injections(provider),
                "not_supported": provider.needs(),
                "paths": paths,
                "fields": fields,
                "mints": mints,
                "variables": provider.variables().collect::<Vec<_>>(),
                "base_url_variable": provider.base_url().map(|(variable, _)| variable),
                "note": Some(provider.note).filter(|note| !note.is_empty()),
                "source": provider.source,
            }));
        }
        let line = |word: &str, text: &str| ctx.out.line(&format!("{word:<10} {text}"));
        line("name", provider.name)?;
        for shape in provider.host_shapes() {
            let own = if shape.pattern().is_none() { "   (name yours with --host)" } else { "" };
            line("host", &format!("{shape}{own}"))?;
        }
        for place in injections(provider) {
            line("inject", &place)?;
        }
        for path in &paths {
            line("path", path)?;
        }
        for field in provider.fields() {
            line("field", &format!("{}: {}", field.name, field.what))?;
        }
        for path in &mints {
            line("mints", path)?;
        }
        for variable in provider.variables() {
            line("variable", variable)?;
        }
        if let Some((variable, _)) = provider.base_url() {
            line("base URL", variable)?;
        }
        if !provider.note.is_empty() {
            line("note", provider.note)?;
        }
        line("source", provider.source)?;
        if !mints.is_empty() {
            ctx.out.say(
                "whoever may use the paths marked `mints` can make or see credentials that outlive the rule",
            );
        }
        if let Some(kind) = provider.needs() {
            ctx.out.warn(&why_unsupported(provider.name, kind));
        }
        Ok(())
    }
}
