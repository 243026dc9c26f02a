//! `keyward key show`: everything but the value.

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use super::facts::{Facts, Mapped, Reader, open_since};
use crate::cmd::resolve;
use crate::ctx::Ctx;
use crate::fault::{Fault, printable};
use crate::vault::fetch::Freshness;

/// Show everything about a key but its value
#[derive(Args)]
#[command(after_help = "Example:\n  keyward key show STRIPE_SECRET_KEY")]
pub struct Options {
    /// Name or id of the key
    #[arg(value_name = "NAME")]
    key: String,
    #[command(flatten)]
    freshness: Freshness,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    facts: Facts,
    note: Option<Zeroizing<String>>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let (facts, secret) = match Reader::open(ctx, &self.freshness).await? {
            Reader::Admin(session, seq) => {
                let desk = open_since(&session, ctx, seq).await?;
                let key = resolve::key(&desk.org, &self.key)?;
                (Facts::of_org(&desk.org, key), desk.secret(key).await?)
            }
            Reader::Viewer(fetched) => {
                let key = fetched.key(&self.key)?;
                let secret = fetched.verified.secret(key, &fetched.secrets).map_err(Fault::from)?;
                fetched.remember(ctx);
                (Facts::of_view(&fetched.verified.view, key), secret)
            }
        };
        let answer = Answer { facts, note: secret.note };
        if ctx.out.json { ctx.out.json(&answer) } else { print(ctx, &answer) }
    }
}

fn print(ctx: &Ctx, Answer { facts, note }: &Answer) -> anyhow::Result<()> {
    let line = |word: &str, text: &str| ctx.out.line(&format!("{word:<10} {}", printable(text, 200)));
    let if_any = |word: &str, text: Option<&str>| text.map_or(Ok(()), |text| line(word, text));
    line("name", facts.name.as_str())?;
    line("id", &facts.id.to_string())?;
    if_any("alias", facts.alias.as_deref())?;
    if_any("provider", facts.provider.as_deref())?;
    if_any("tags", Some(facts.tags.join(", ").as_str()).filter(|tags| !tags.is_empty()))?;
    if_any("set", facts.set.as_deref())?;
    line("version", &facts.version.to_string())?;
    if let (Some(at), Some(by)) = (&facts.updated_at, facts.updated_by) {
        let by = facts.updated_by_name.as_ref().map_or_else(|| by.to_string(), ToString::to_string);
        line("updated", &format!("{at} by {by}"))?;
    }
    if facts.mapped.is_empty() {
        line("mapped", "nowhere")?;
    }
    for mapped in facts.mapped.iter().map(Mapped::to_string) {
        line("mapped", &mapped)?;
    }
    for exposed in &facts.exposed {
        let (who, version) = (&exposed.identity_name, exposed.version);
        line(
            "exposed",
            &format!("{who} could read version {version} until {} ({})", exposed.at, exposed.why),
        )?;
    }
    for text in note.iter().flat_map(|note| note.lines()) {
        ctx.out.line(&format!("{:<10} {}", "note", printable(text, usize::MAX)))?;
    }
    Ok(())
}
