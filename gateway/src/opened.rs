//! Values that were opened lately: what must be kept out of every answer, whoever asked for it.
//!
//! A value stays for ten minutes after its last use, and so does the version before it: an upstream may repeat it later. Values
//! that nobody used are never opened, so a gateway with fifty keys of which one is used holds one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyward_wire::KeyId;
use keyward_wire::rule::{FieldName, Injection};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::random;
use crate::redact::{Held, Scrubber, Unscrubbable};
use crate::source::{Grant, Value};

/// The values, and which state of the list this is.
#[derive(Default)]
pub(crate) struct Opened(Mutex<List>);

#[derive(Default)]
struct List {
    revision: u64,
    entries: Vec<Entry>,
}

struct Entry {
    value: Arc<Value>,
    secrets: Vec<Zeroizing<Vec<u8>>>,
    used: Instant,
}

/// A scrubber, and the state of the list that it was made of.
pub(crate) struct Made {
    pub(crate) revision: u64,
    pub(crate) scrubber: Arc<Scrubber>,
}

impl Opened {
    /// Notes that a value is about to be used.
    ///
    /// # Errors
    /// [`Unscrubbable`]: it could not be kept out of the answer.
    pub(crate) fn note(&self, grant: &Grant, value: &Arc<Value>) -> Result<(), Unscrubbable> {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |entry: &&mut Entry| entry.value.key() == value.key() && entry.value.version() == value.version();
        if let Some(entry) = list.entries.iter_mut().find(same) {
            entry.used = Instant::now();
            return Ok(());
        }
        let secrets = secrets(grant, value);
        for secret in &secrets {
            Held::new(secret, None)?;
        }
        list.entries.push(Entry { value: Arc::clone(value), secrets, used: Instant::now() });
        list.revision += 1;
        Ok(())
    }

    /// What keeps all of them out of answers to one agent, made anew if the list is another one. `shown` says what stands in
    /// the place of a key's value.
    pub(crate) fn scrubber(
        &self,
        last: &Mutex<Option<Made>>,
        shown: impl Fn(KeyId, usize) -> Option<Arc<str>>,
    ) -> Arc<Scrubber> {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = last.as_ref().filter(|made| made.revision == list.revision) {
            return Arc::clone(&made.scrubber);
        }
        let mut held = Vec::new();
        for entry in &list.entries {
            let shown = shown(entry.value.key(), entry.value.bytes().len());
            held.extend(entry.secrets.iter().filter_map(|secret| Held::new(secret, shown.as_deref()).ok()));
        }
        let scrubber = Arc::new(Scrubber::new(&held, u64::from_ne_bytes(*random::bytes::<8>())));
        *last = Some(Made { revision: list.revision, scrubber: Arc::clone(&scrubber) });
        scrubber
    }

    /// Forgets what was not used for long.
    pub(crate) fn sweep(&self) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = list.entries.len();
        list.entries.retain(|entry| entry.used.elapsed() < KEPT);
        if list.entries.len() != before {
            list.revision += 1;
        }
    }
}

/// What of a value is secret: itself, and the fields that its rule writes, but for a user's name, which is on every page.
fn secrets(grant: &Grant, value: &Value) -> Vec<Zeroizing<Vec<u8>>> {
    let mut names: Vec<&str> = Vec::new();
    for injection in &grant.rule.terms().into {
        match injection {
            Injection::Basic { user, password } => {
                names.extend(password.fields().map(FieldName::as_str));
                let only_secret = !password.is_secret();
                names.extend(user.fields().filter(|_| only_secret).map(FieldName::as_str));
            }
            other => names.extend(other.fields().into_iter().map(FieldName::as_str)),
        }
    }
    names.sort_unstable();
    names.dedup();
    let fields = names.into_iter().filter_map(|name| value.field(name)).map(str::as_bytes);
    std::iter::once(value.bytes()).chain(fields).map(|secret| Zeroizing::new(secret.to_vec())).collect()
}

const KEPT: Duration = Duration::from_mins(10);
