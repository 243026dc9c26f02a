//! `keyward key show`: everything but the value.

use clap::Args;
use keyward_wire::rule::Rule;
use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::facts::{Facts, Mapped};
use super::reader::{Reader, open_since};
use super::rule_change::{credential_paths, show_lines};
use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::{Fault, printable};
use crate::vault::freshness::Freshness;

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
    /// Names of the further values.
    fields: Vec<String>,
    /// The rule, as it is sealed.
    inject: Option<Box<RawValue>>,
    /// Why the rule cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    inject_problem: Option<String>,
    /// The paths that the rule covers and that make or show credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_paths: Option<serde_json::Value>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let (facts, secret) = match Reader::open(ctx, &self.freshness).await? {
            Reader::Admin(session, seq) => {
                let opened = open_since(&session, ctx, seq).await?;
                let key = resolve::key(&opened.org, &self.key)?;
                (Facts::of_org(&opened.org, key), opened.secret(key).await?)
            }
            Reader::Viewer(fetched) => {
                let key = fetched.settle(ctx, fetched.key(&self.key))?;
                let secret = fetched.verified.secret(key, &fetched.secrets).map_err(Fault::from)?;
                fetched.remember(ctx);
                (Facts::of_view(&fetched.verified.view, key), secret)
            }
        };
        let rule = secret.inject.as_ref().map(|json| Rule::from_json(json.as_bytes()));
        let problem = rule.as_ref().and_then(|rule| rule.as_ref().err());
        let credential_paths = rule
            .as_ref()
            .and_then(|rule| Some(credential_paths(rule.as_ref().ok()?, facts.provider.as_deref())));
        let answer = Answer {
            facts,
            note: secret.note,
            fields: secret.fields.into_keys().collect(),
            inject: secret.inject.map(|json| RawValue::from_string(json.to_string())).transpose()?,
            inject_problem: problem.map(ToString::to_string),
            credential_paths,
        };
        if ctx.out.json {
            ctx.out.json(&answer)
        } else {
            print(ctx, &answer, rule.and_then(Result::ok).as_ref())
        }
    }
}

fn print(ctx: &Ctx, answer: &Answer, rule: Option<&Rule>) -> anyhow::Result<()> {
    let Answer { facts, note, fields, inject: _, inject_problem, credential_paths: _ } = answer;
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
    let provider = facts.provider.as_deref();
    for (word, text) in rule.map(|rule| show_lines(rule, provider)).unwrap_or_default() {
        line(word, &text)?;
    }
    if_any("rule", inject_problem.as_ref().map(|problem| format!("cannot be used: {problem}")).as_deref())?;
    if_any("fields", Some(fields.join(", ").as_str()).filter(|fields| !fields.is_empty()))?;
    for text in note.iter().flat_map(|note| note.lines()) {
        ctx.out.line(&format!("{:<10} {}", "note", printable(text, usize::MAX)))?;
    }
    Ok(())
}
