//! `keyward key set`.

use clap::Args;
use keyward_crypto::change::Draft;
use keyward_crypto::state::secret::{Fields, Secret};
use keyward_wire::KeyId;
use keyward_wire::name::Name;
use keyward_wire::rule::Rule;
use zeroize::Zeroizing;

use super::credential_path_option::CredentialPathOption;
use super::fields::{FieldOptions, ask_for_missing, check_fit};
use super::label_options::LabelOptions;
use super::messages::Announcements;
use super::new_version::{remind_to_revoke, replace};
use super::rule_change::{ProviderChange, RuleChange};
use super::rule_options::{RequestedRule, RuleOptions, stored_rule};
use super::value_source::{Value, ValueSource};
use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::prompt;
use crate::report::undeliverable;
use crate::vault::admin::{OpenOrg, Session};

/// Give a key another value, or change its labels, note or rule
///
/// Another value, note or rule is a new version; the last ones can be had back with `key rollback`. Asks twice for the
/// value, unless told where it is, or told other things only. A new value keeps the rule; what is said of the rule changes
/// that part of it, --no-rule takes it away.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward key set STRIPE_SECRET_KEY --value-stdin < new-value\n  \
                        keyward key set SESSION_SECRET --generate\n  \
                        keyward key set STRIPE_SECRET_KEY --tag billing --tag live\n  \
                        keyward key set STRIPE_SECRET_KEY --inject stripe --method GET\n  \
                        keyward key set STRIPE_SECRET_KEY --no-rule")]
pub struct Options {
    /// Name or id of the key
    #[arg(value_name = "NAME")]
    key: String,
    #[command(flatten)]
    source: ValueSource,
    #[command(flatten)]
    labels: LabelOptions,
    #[command(flatten)]
    rule: RuleOptions,
    #[command(flatten)]
    fields: FieldOptions,
    #[command(flatten)]
    credential_paths: CredentialPathOption,
    /// Take the rule and its fields away: the gateway sends the key nowhere
    #[arg(long, help_heading = "Injection by the gateway",
          conflicts_with_all = ["hosts", "into", "methods", "paths", "approval", "account", "per_minute", "file",
                                "allow_wildcard", "fields", "files"])]
    no_rule: bool,
}

/// What was read beside the command line, once: a write may be tried again.
struct Read {
    value: Option<Value>,
    /// The rule's file.
    file: Option<Zeroizing<Vec<u8>>>,
    /// Fields that somebody was asked for.
    asked: Fields,
}

/// The result of the command.
struct Done {
    id: KeyId,
    name: Name,
    version: u64,
    value: Change,
    /// What becomes of its rule, if that is another one or may do other things.
    rule: Option<RuleChange>,
    knowing: Vec<Name>,
}

#[derive(PartialEq)]
enum Change {
    /// Nothing was said of the value.
    None,
    /// The value is the one that the key had.
    Same,
    /// A new version with the same value: this changed.
    Beside(&'static str),
    New,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let says_more =
            self.labels.are_given() || self.rule.are_given() || self.fields.are_given() || self.no_rule;
        let wants_value = self.source.is_given() || !says_more;
        self.rule.check_stdin(&self.source)?;
        if wants_value {
            self.source.check()?;
        }
        let session = Session::start(ctx).await?;
        if wants_value && !self.source.is_given() {
            // Before anybody types a value in vain.
            resolve::key(&session.open(ctx).await?.org, &self.key)?;
        }
        let file = self.rule.read_file()?;
        let value = if wants_value { Some(self.source.read(ctx, &self.key)?) } else { None };
        let mut read = Read { value, file, asked: Fields::new() };
        if self.rule.are_given() && prompt::on_terminal() {
            read.asked = self.ask(&session.open(ctx).await?, &read).await?;
        }
        let mut announcements = Announcements::default();
        let done = session
            .write(ctx, async |draft, opened| {
                let done = self.change(ctx, draft, opened, &read).await?;
                if let Some(rule) = &done.rule {
                    self.credential_paths.check(&done.name, rule)?;
                    announcements.announce(ctx, rule.lines(None));
                }
                Ok(done)
            })
            .await?;
        let Done { id, name, version, .. } = &done;
        ctx.out.say(&match done.value {
            Change::None => format!("{name} is changed; its value is not"),
            Change::Same if read.value.is_none() => format!("{name} stays at version {version}"),
            Change::Same => format!("{name} has this value already; it stays at version {version}"),
            Change::Beside(what) => {
                format!("{name} is at version {version} now: another {what}, the same value")
            }
            Change::New => format!("{name} is at version {version} now"),
        });
        remind_to_revoke(ctx, name, &done.knowing);
        if ctx.out.json {
            let new_version = matches!(done.value, Change::New | Change::Beside(_));
            ctx.out.json(&serde_json::json!({
                "id": id,
                "name": name,
                "version": version,
                "new_version": new_version,
                "was_exposed_to": done.knowing,
                "rule": done.rule.as_ref().map(RuleChange::json),
            }))?;
        }
        Ok(())
    }

    /// Asks for the fields that the new rule writes and that are not there, before anything is written.
    async fn ask(&self, opened: &OpenOrg<'_>, read: &Read) -> anyhow::Result<Fields> {
        let current = opened.secret(resolve::key(&opened.org, &self.key)?).await?;
        let mut fields = self.fields.read(current.fields.clone())?;
        let known: Vec<String> = fields.keys().cloned().collect();
        ask_for_missing(&self.rule(read, &current)?.rule, &mut fields)?;
        fields.retain(|name, _| !known.contains(name));
        Ok(fields)
    }

    fn rule(&self, read: &Read, current: &Secret) -> anyhow::Result<RequestedRule> {
        let file = read.file.as_ref().map(|json| json.as_slice());
        let former = current.inject.as_ref().map(|json| json.as_str());
        let value = read.value.as_ref().unwrap_or(&current.value);
        self.rule.rule(file, former, value)
    }

    async fn change(
        &self,
        ctx: &Ctx,
        draft: &mut Draft,
        opened: &OpenOrg<'_>,
        read: &Read,
    ) -> anyhow::Result<Done> {
        let key = resolve::key(&opened.org, &self.key)?;
        if let Some(after) = draft.org.key_mut(key.id) {
            self.labels.apply(after);
        }
        let mut done = Done {
            id: key.id,
            name: key.name.clone(),
            version: key.version,
            value: Change::None,
            rule: None,
            knowing: Vec::new(),
        };
        let says_of_rule = self.rule.are_given() || self.no_rule;
        let says_of_value = says_of_rule || self.labels.have_note() || self.fields.are_given();
        let is_anothers = self.labels.provider().is_some();
        if read.value.is_none() && !says_of_value && !is_anothers {
            return Ok(done);
        }
        let current = opened.secret(key).await?;
        let (secret, wanted) = self.secret(ctx, &key.name, read, &current)?;
        if says_of_rule || is_anothers {
            let (rule, preset) = match wanted {
                Some(wanted) => (Some(wanted.rule), wanted.provider),
                None => (stored_rule(&secret), None),
            };
            let after = draft.org.key_mut(key.id);
            let now = after.and_then(|after| {
                // By it the gateway knows what is at a host of one's own.
                if after.provider.is_none() && !is_anothers {
                    after.provider = preset.map(|preset| preset.name.to_owned());
                }
                after.provider.clone()
            });
            let former = current.inject.as_ref().map(|json| json.as_str());
            let provider = ProviderChange { before: key.provider.as_deref(), now: now.as_deref() };
            let change = RuleChange::new(former, rule, provider)
                .with_value_used(undeliverable::value_reason(&secret.value).is_none());
            done.rule = Some(change).filter(|change| says_of_rule || change.alters_use());
        }
        if read.value.is_none() && !says_of_value {
            return Ok(done);
        }
        done.value = if secret.value != current.value {
            Change::New
        } else if secret.inject != current.inject {
            Change::Beside("rule")
        } else if secret.fields != current.fields {
            Change::Beside("field")
        } else if secret.note != current.note {
            Change::Beside("note")
        } else {
            Change::Same
        };
        match done.value {
            Change::None | Change::Same => {}
            // Who knows the value still knows it.
            Change::Beside(_) => done.version = draft.add_version(key.id, &secret).map_err(Fault::from)?,
            Change::New => (done.version, done.knowing) = replace(draft, key.id, &secret)?,
        }
        Ok(done)
    }

    /// The value with all that belongs to it, as it will be; and the rule, if that is said. What is not said of it stays.
    fn secret(
        &self,
        ctx: &Ctx,
        key: &Name,
        read: &Read,
        current: &Secret,
    ) -> anyhow::Result<(Secret, Option<RequestedRule>)> {
        let value = read.value.clone().unwrap_or_else(|| current.value.clone());
        let note = self.labels.note(current.note.clone());
        if self.no_rule {
            return Ok((Secret { note, ..Secret::new(value) }, None));
        }
        let mut fields = self.fields.read(current.fields.clone())?;
        for (name, text) in &read.asked {
            fields.entry(name.clone()).or_insert_with(|| text.clone());
        }
        let mut inject = current.inject.clone();
        let mut said = None;
        if self.rule.are_given() {
            let wanted = self.rule(read, current)?;
            check_fit(ctx, key, &wanted.rule, &value, &fields)?;
            inject = Some(Zeroizing::new(wanted.rule.to_json()));
            said = Some(wanted);
        } else if let Some(json) = &inject
            && (value != current.value || fields != current.fields)
        {
            match Rule::from_json(json.as_bytes()) {
                Ok(rule) => check_fit(ctx, key, &rule, &value, &fields)?,
                Err(error) => ctx.out.warn(&format!(
                    "its rule cannot be read, so nobody can tell whether the value fits it: {error}"
                )),
            }
        }
        Ok((Secret { value, fields, inject, note }, said))
    }
}
