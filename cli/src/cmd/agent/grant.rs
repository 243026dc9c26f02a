//! `keyward agent grant`.

use std::collections::BTreeSet;

use anyhow::Context as _;
use clap::Args;
use keyward_wire::KeyId;
use serde_json::json;

use super::answer_delay;
use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault, code_of};
use crate::report::agent_keys::{KeyUse, key_uses};
use crate::report::undeliverable;
use crate::text::{count, list};
use crate::vault::admin::Session;

/// Grant keys to an agent, beside those that it has
///
/// It may use them as far as its groups, and those of its gateway, may read them. Values of keys that it may use from now on are read
/// once, to warn of those that are sent nowhere or make its answers come late; the audit log shows that as secrets.read.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward agent grant claude ANTHROPIC_API_KEY GITHUB_TOKEN")]
pub struct Options {
    /// Name or id of the agent
    agent: String,
    /// Keys, by name or id
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (agent, granted, uses, mut new) = session
            .write(ctx, async |draft, opened| {
                let agent = resolve::agent(&opened.org, &self.agent)?;
                let keys = resolve::keys(&opened.org, &self.keys)?;
                draft.org.grant_agent(agent.id, &keys).map_err(Fault::from)?;
                let after = resolve::agent(&draft.org, &agent.id.to_string())?;
                let mut uses = key_uses(&draft.org, after);
                uses.retain(|one| keys.contains(&one.id));
                let new: BTreeSet<KeyId> = keys.difference(&agent.granted).copied().collect();
                Ok((agent.name.clone(), after.granted.len(), uses, new))
            })
            .await?;
        let usable: Vec<&str> = uses.iter().filter(|one| one.usable()).map(|one| one.key.as_str()).collect();
        if !usable.is_empty() {
            ctx.out.say(&format!("{agent} may use {}", list(&usable)));
        }
        for withheld in uses.iter().filter(|one| !one.usable()) {
            ctx.out.warn(&format!("{agent} cannot use {} yet: {}", withheld.key, withheld.why()));
        }
        ctx.out.say(&format!("{agent} has {}", count(granted, "grant")));
        if ctx.out.json {
            let keys: Vec<_> = uses.iter().map(KeyUse::json).collect();
            ctx.out.json(&json!({ "agent": agent, "granted": granted, "keys": keys }))?;
        }
        new.retain(|key| uses.iter().any(|one| one.id == *key && one.usable()));
        warn_of(ctx, &session, agent.as_str(), &new).await
    }
}

/// Warns of keys that the gateway sends nowhere, and of those that make the agent's answers come late. The grants are stored by
/// now, so nothing here is tried again.
///
/// # Errors
/// If a value is not what was sealed, or is held back. Without an answer there is no warning, but a word about that.
async fn warn_of(ctx: &Ctx, session: &Session, agent: &str, new: &BTreeSet<KeyId>) -> anyhow::Result<()> {
    match look(ctx, session, agent, new).await {
        Err(error) if code_of(&error) == Code::Network => {
            ctx.out.warn(&format!("{UNSEEN} could not be looked at: {error}"));
            Ok(())
        }
        looked => looked.context(format!("the keys are granted; {UNSEEN} could not be looked at")),
    }
}

const UNSEEN: &str = "whether the gateway sends them anywhere, and whether they make answers come late,";

async fn look(ctx: &Ctx, session: &Session, agent: &str, new: &BTreeSet<KeyId>) -> anyhow::Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let opened = session.open(ctx).await?;
    let keys: Vec<_> = new.iter().filter_map(|id| opened.org.key(*id)).collect();
    let mut faults = Vec::new();
    for (key, secret) in keys.iter().zip(opened.each_secret(&keys).await?) {
        match secret.map(|secret| (undeliverable::reason(key.name.as_str(), &secret), answer_delay::reason(&secret))) {
            Ok((Some(reason), _)) => ctx.out.warn(&undeliverable::message(&key.name, &reason)),
            Ok((None, None)) => {}
            Ok((None, Some(why))) => ctx.out.warn(&format!(
                "{} makes all answers of {agent} come late, whether it is used or not: {why}. Leave it granted only if {agent} \
                 uses it (keyward agent revoke), or to an agent of its own",
                key.name
            )),
            Err(fault) => faults.push((key.name.as_str(), fault)),
        }
    }
    let names = list(&faults.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    match faults.into_iter().next() {
        None => Ok(()),
        Some((_, fault)) => Err(anyhow::Error::from(fault).context(names)),
    }
}
