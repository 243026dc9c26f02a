//! `keyward key create`.

use clap::Args;
use keyward_crypto::state::org::Org;
use keyward_crypto::state::secret::{Fields, Secret};
use keyward_wire::name::Name;
use keyward_wire::provider;
use zeroize::Zeroizing;

use super::fields::{FieldOptions, ask_for_missing, check_fit};
use super::label_options::LabelOptions;
use super::messages::say_all;
use super::rule_change::{ProviderChange, RuleChange};
use super::rule_options::RuleOptions;
use super::value_source::ValueSource;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::report::undeliverable;
use crate::text::quoted;
use crate::vault::admin::Session;

/// Store a new key
///
/// Asks twice for the value, unless told where it is. It can be read by nobody but owners and admins until it is mapped
/// in a deployment. With --inject, the gateway may write it into requests to its provider: what is sent where is sealed
/// with the value.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward key create STRIPE_SECRET_KEY --provider Stripe\n  \
                        pass show stripe | keyward key create STRIPE_SECRET_KEY --value-stdin\n  \
                        keyward key create SESSION_SECRET --generate 48\n  \
                        keyward key create ANTHROPIC_API_KEY --inject anthropic\n  \
                        keyward key create WIKI_TOKEN --host wiki.example.com --inject header:x-api-key --path '/api/*'")]
pub struct Options {
    /// Name of the key
    name: Name,
    #[command(flatten)]
    source: ValueSource,
    #[command(flatten)]
    labels: LabelOptions,
    #[command(flatten)]
    rule: RuleOptions,
    #[command(flatten)]
    fields: FieldOptions,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let Self { name, source, labels, rule, fields } = self;
        source.check()?;
        rule.check_stdin(&source)?;
        let session = Session::start(ctx).await?;
        if !source.is_given() {
            // Before anybody types a value in vain.
            check_free(&session.open(ctx).await?.org, &name)?;
        }
        let file = rule.read_file()?;
        let file = file.as_ref().map(|json| json.as_slice());
        if rule.are_given() {
            // What is wrong with the rule, before anybody types a value in vain.
            rule.rule(file, None, &[])?;
        }
        let value = source.read(ctx, name.as_str())?;
        let wanted = if rule.are_given() { Some(rule.rule(file, None, &value)?) } else { None };
        let mut fields = fields.read(Fields::new())?;
        if let Some(wanted) = &wanted {
            ask_for_missing(&wanted.rule, &mut fields)?;
            check_fit(ctx, &name, &wanted.rule, &value, &fields)?;
        }
        let inject = wanted.as_ref().map(|wanted| Zeroizing::new(wanted.rule.to_json()));
        let is_used = undeliverable::value_reason(&value).is_none();
        let secret = Secret { value, fields, inject, note: labels.note(None) };
        let preset = wanted.as_ref().and_then(|wanted| wanted.provider);
        let id = session
            .write(ctx, async |draft, opened| {
                check_free(&opened.org, &name)?;
                let id = draft.add_key(name.clone(), &secret).map_err(Fault::from)?;
                if let Some(key) = draft.org.key_mut(id) {
                    key.provider = preset.map(|preset| preset.name.to_owned());
                    labels.apply(key);
                }
                Ok(id)
            })
            .await?;
        ctx.out.say(&format!(
            "{name} is stored; make it a variable with: keyward deployment map DEPLOYMENT {}",
            quoted(name.as_str())
        ));
        let provider = labels.provider().or(preset.map(|preset| preset.name));
        let rule =
            wanted.map(|wanted| RuleChange::new(None, Some(wanted.rule), ProviderChange::still(provider)));
        let rule = rule.map(|rule| rule.with_value_used(is_used));
        match &rule {
            Some(rule) => say_all(ctx, &rule.lines(None)),
            None => propose(ctx, &name, labels.provider()),
        }
        if ctx.out.json {
            let rule = rule.as_ref().map(RuleChange::json);
            ctx.out.json(&serde_json::json!({ "id": id, "name": name, "version": 1, "rule": rule }))?;
        }
        Ok(())
    }
}

/// Says that the gateway could send it, if it is a provider's of which that is known. Nothing is done unasked.
fn propose(ctx: &Ctx, key: &Name, provider: Option<&str>) {
    let preset = provider.and_then(provider::find).filter(|preset| preset.needs().is_none());
    if let Some(preset) = preset {
        let (key, name) = (quoted(key.as_str()), preset.name);
        ctx.out.say(&format!(
            "the gateway could send it for agents: keyward key set {key} --inject {name} (keyward provider show {name})"
        ));
    }
}

fn check_free(org: &Org, name: &Name) -> Result<(), Fault> {
    if org.keys.iter().any(|key| key.name == *name) { Err(name_taken(name)) } else { Ok(()) }
}

fn name_taken(name: &Name) -> Fault {
    Fault::new(Code::Conflict, format!("there is a key {name} already"))
        .next(format!("to give it another value: keyward key set {}", quoted(name.as_str())))
}
