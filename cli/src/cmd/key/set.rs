//! `keyward key set`.

use clap::Args;
use keyward_crypto::change::Draft;
use keyward_crypto::state::secret::Secret;
use keyward_wire::KeyId;
use keyward_wire::name::Name;

use super::source::{Source, Value};
use super::words::Words;
use super::{remind_to_revoke, replace};
use crate::cmd::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::vault::admin::{Desk, Session};

/// Give a key another value, or say other things about it
///
/// Another value or note is a new version; the last ones can be had back with `key rollback`. Asks twice for the value,
/// unless told where it is, or told other things only.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward key set STRIPE_SECRET_KEY --value-stdin < new-value\n  \
                        keyward key set SESSION_SECRET --generate\n  \
                        keyward key set STRIPE_SECRET_KEY --tag billing --tag live")]
pub struct Options {
    /// Name or id of the key
    #[arg(value_name = "NAME")]
    key: String,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    words: Words,
}

/// What was done.
struct Done {
    id: KeyId,
    name: Name,
    version: u64,
    value: Change,
    knowing: Vec<Name>,
}

#[derive(PartialEq)]
enum Change {
    /// Nothing was said of the value.
    None,
    /// It is the value that the key had.
    Same,
    /// A new version with the same value: the note changed.
    Note,
    New,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let wants_value = self.source.is_given() || !self.words.are_given();
        if wants_value {
            self.source.check()?;
        }
        let session = Session::start(ctx).await?;
        if wants_value && !self.source.is_given() {
            // Before anybody types a value in vain.
            resolve::key(&session.open(ctx).await?.org, &self.key)?;
        }
        let value = if wants_value { Some(self.source.read(ctx, &self.key)?) } else { None };
        let done =
            session.write(ctx, async |draft, desk| self.change(draft, desk, value.as_ref()).await).await?;
        let Done { id, name, version, .. } = &done;
        ctx.out.say(&match done.value {
            Change::None => format!("{name} is changed; its value is not"),
            Change::Same => format!("{name} has this value already; it stays at version {version}"),
            Change::Note => format!("{name} is at version {version} now: another note, the same value"),
            Change::New => format!("{name} is at version {version} now"),
        });
        remind_to_revoke(ctx, name, &done.knowing);
        if ctx.out.json {
            let new_version = matches!(done.value, Change::New | Change::Note);
            ctx.out.json(&serde_json::json!({
                "id": id,
                "name": name,
                "version": version,
                "new_version": new_version,
                "was_exposed_to": done.knowing,
            }))?;
        }
        Ok(())
    }

    async fn change(
        &self,
        draft: &mut Draft,
        desk: &Desk<'_>,
        value: Option<&Value>,
    ) -> anyhow::Result<Done> {
        let key = resolve::key(&desk.org, &self.key)?;
        if let Some(after) = draft.org.key_mut(key.id) {
            self.words.apply(after);
        }
        let mut done = Done {
            id: key.id,
            name: key.name.clone(),
            version: key.version,
            value: Change::None,
            knowing: Vec::new(),
        };
        if value.is_none() && !self.words.have_note() {
            return Ok(done);
        }
        let current = desk.secret(key).await?;
        let same_value = value.is_none_or(|value| *value == current.value);
        let note = self.words.note(current.note.clone());
        done.value = match (same_value, note == current.note) {
            (true, true) => Change::Same,
            (true, false) => Change::Note,
            (false, _) => Change::New,
        };
        let secret = Secret { value: value.cloned().unwrap_or(current.value), note };
        match done.value {
            Change::None | Change::Same => {}
            // Who knows the value still knows it.
            Change::Note => done.version = draft.add_version(key.id, &secret).map_err(Fault::from)?,
            Change::New => (done.version, done.knowing) = replace(draft, key.id, &secret)?,
        }
        Ok(done)
    }
}
