//! `keyward key rollback`.

use clap::Args;
use keyward_crypto::change::open_old;
use keyward_crypto::state::org::KeyEntry;
use keyward_crypto::state::secret::Secret;
use keyward_wire::rule::Rule;

use super::fields::check_values;
use super::messages::Announcements;
use super::rule_change::{ProviderChange, RuleChange};
use super::rule_options::WildcardOption;
use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::text::list;
use crate::vault::admin::Session;

/// Give a key the value and note of an older version again, as a new version
///
/// Its rule stays as it is now: going back to an older value does not open a host again that was closed since. --with-rule
/// takes the older rule as well.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward key rollback STRIPE_SECRET_KEY 3\n  \
                        keyward key rollback STRIPE_SECRET_KEY 3 --with-rule")]
pub struct Options {
    /// Name or id of the key
    #[arg(value_name = "NAME")]
    key: String,
    /// Number of the version, from `key history`
    #[arg(value_name = "N")]
    number: u64,
    /// Take the rule of that version too
    #[arg(long)]
    with_rule: bool,
    #[command(flatten)]
    wildcards: WildcardOption,
}

/// What happened to the key's rule.
enum RuleOutcome {
    /// Both versions have the same rule.
    Same,
    /// The older version's is another one.
    Kept,
    Taken(Box<RuleChange>),
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let mut announcements = Announcements::default();
        let (id, name, version, knowing, rule) = session
            .write(ctx, async |draft, opened| {
                let key = resolve::key(&opened.org, &self.key)?;
                let old = key.history.iter().find(|old| old.version == self.number);
                let old = old.ok_or_else(|| self.no_such_version(key))?;
                let envelope = opened.envelope(key.id, old.version).await?;
                let mut secret = open_old(&opened.org, key.id, old, &envelope).map_err(Fault::from)?;
                let current = opened.secret(key).await?;
                let rule = self.rule(key, &mut secret, &current)?;
                if let RuleOutcome::Taken(change) = &rule {
                    announcements.announce(ctx, change.lines(None));
                }
                let version = draft.add_version(key.id, &secret).map_err(Fault::from)?;
                // Whoever lost access at that version or after it may well know its value.
                let exposed = key.exposed_since(old.version);
                let knowing: Vec<_> = exposed.iter().map(|e| e.identity_name.clone()).collect();
                if let Some(key) = draft.org.key_mut(key.id) {
                    key.exposed = exposed;
                }
                Ok((key.id, key.name.clone(), version, knowing, rule))
            })
            .await?;
        let from = self.number;
        ctx.out.say(&format!("{name} is at version {version} now, with the value of version {from}"));
        match &rule {
            // Which that is was told before it was taken.
            RuleOutcome::Same | RuleOutcome::Taken(_) => {}
            RuleOutcome::Kept => {
                ctx.out.say("its rule stays as it is; --with-rule takes that of the older version");
            }
        }
        if !knowing.is_empty() {
            let who = list(&knowing);
            ctx.out.warn(&format!("{who} could read this value: rotate it at the provider"));
        }
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({
                "id": id,
                "name": name,
                "version": version,
                "from_version": from,
                "exposed_to": knowing,
                "rule": match &rule {
                    RuleOutcome::Same | RuleOutcome::Kept => None,
                    RuleOutcome::Taken(change) => Some(change.json()),
                },
            }))?;
        }
        Ok(())
    }

    /// The rule that the version gets: that of now, or with --with-rule its own, which may open what was closed since.
    fn rule(&self, key: &KeyEntry, secret: &mut Secret, current: &Secret) -> anyhow::Result<RuleOutcome> {
        let is_other = secret.inject != current.inject;
        if !self.with_rule {
            secret.inject.clone_from(&current.inject);
        }
        let text = |secret: &Secret| secret.inject.as_ref().map(|json| json.to_string());
        let (former, json) = (text(current), text(secret));
        let rule = match json.map(|json| Rule::from_json(json.as_bytes())) {
            None => None,
            Some(Ok(rule)) => Some(rule),
            // It sends nothing, today as then.
            Some(Err(_)) if !self.with_rule || !is_other => None,
            Some(Err(error)) => {
                let what = format!("the rule of version {} cannot be read ({error})", self.number);
                return Err(Fault::new(Code::Policy, what)
                    .next(
                        "nothing was changed; leave out --with-rule, and write a rule with `keyward key set`",
                    )
                    .into());
            }
        };
        if let Some(rule) = &rule {
            self.check(rule, secret)?;
        }
        match (is_other, self.with_rule) {
            (false, _) => Ok(RuleOutcome::Same),
            (true, false) => Ok(RuleOutcome::Kept),
            (true, true) => {
                if let Some(rule) = &rule {
                    self.wildcards.check(rule, former.as_deref())?;
                }
                let provider = ProviderChange::still(key.provider.as_deref());
                Ok(RuleOutcome::Taken(Box::new(RuleChange::new(former.as_deref(), rule, provider))))
            }
        }
    }

    /// The rule must be able to write the value and fields of then.
    fn check(&self, rule: &Rule, secret: &Secret) -> Result<(), Fault> {
        check_values(rule, &secret.value, &secret.fields).map_err(|error| {
            let (whose, advice) = if self.with_rule {
                ("its rule", "leave out --with-rule")
            } else {
                ("its rule of now", "take the rule of that version too: --with-rule")
            };
            let what = format!("{whose} does not fit version {}: {error}", self.number);
            Fault::new(Code::Policy, what).next(format!("nothing was changed; {advice}"))
        })
    }

    fn no_such_version(&self, key: &KeyEntry) -> Fault {
        if key.version == self.number {
            return Fault::usage(format!("{} is at version {} already", key.name, key.version));
        }
        let fault = Fault::new(
            Code::NotFound,
            format!("{} has no version {}, or not any more", key.name, self.number),
        );
        let kept: Vec<String> = key.history.iter().map(|old| old.version.to_string()).collect();
        if kept.is_empty() {
            fault.next("it has one version only")
        } else {
            fault.next(format!("kept are: {}", kept.join(", ")))
        }
    }
}
