//! What an agent holds instead of a value: worth nothing anywhere else.
//!
//! A placeholder is 128 bits of randomness in the shape of the provider's keys, so that programs that check a key's form accept
//! it. It belongs to one key, one agent and one session of the gateway. `kwph` in it tells that it is a placeholder; whose it is,
//! only this session's table knows. Elsewhere than in its own key's place it is text like any other: agents quote their own
//! transcripts.

mod shape;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use keyward_wire::KeyId;

use crate::random;
use shape::Shape;
pub(crate) use watch::Watch;

/// Words that mean “inject here” in any key's place, without being a placeholder of anybody.
pub const MANAGED: [&str; 2] = ["keyward-managed", "onecli-managed"];

/// The placeholders of one agent's session.
pub struct Placeholders(Mutex<Table>);

#[derive(Default)]
struct Table {
    of_key: HashMap<KeyId, Arc<str>>,
    /// Placeholders by what follows the provider's prefix. The map's hash is keyed, so the time of a look-up says nothing of what
    /// is there.
    of_body: HashMap<String, (KeyId, Arc<str>)>,
}

/// A part of a text that looks like a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A placeholder of this session, for this key.
    Key(KeyId),
    /// No placeholder of this session: another agent's, one of a session that is over, or none at all. Nothing tells which.
    Unknown,
}

impl Placeholders {
    /// The placeholders of a session that begins: none yet.
    #[expect(clippy::new_without_default, reason = "a session begins where it says so")]
    pub fn new() -> Self {
        Self(Mutex::default())
    }

    /// The key's placeholder in this session, in the shape of this provider's keys.
    pub fn of(&self, key: KeyId, provider: Option<&str>) -> Arc<str> {
        self.shaped(key, Shape::of(provider))
    }

    /// The key's placeholder, as [`of`](Self::of), but `length` bytes long if 128 random bits fit: then it can stand in the
    /// value's place in an answer. A placeholder that was given out before stays as it is.
    pub fn of_length(&self, key: KeyId, provider: Option<&str>, length: usize) -> Arc<str> {
        self.shaped(key, Shape::of(provider).with_length(length))
    }

    fn shaped(&self, key: KeyId, shape: Shape) -> Arc<str> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = table.of_key.get(&key) {
            return Arc::clone(known);
        }
        let body = format!("{SIGN}{}", letters(shape.random()));
        let text: Arc<str> = format!("{}{body}", shape.prefix).into();
        table.of_key.insert(key, Arc::clone(&text));
        table.of_body.insert(body, (key, Arc::clone(&text)));
        text
    }

    /// Everything in `text` that looks like a placeholder, in time that depends on the text's length alone.
    pub fn marks(&self, text: &[u8]) -> Vec<Mark> {
        let mut marks = Vec::new();
        let mut at = 0;
        while let Some(sign) = next_sign(text, at) {
            let rest = text.get(sign..).unwrap_or_default();
            let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            at = sign + length;
            if length >= SIGN.len() + RANDOM {
                marks.push(
                    self.mark(text.get(..sign).unwrap_or_default(), rest.get(..length).unwrap_or_default()),
                );
            }
        }
        marks
    }

    fn mark(&self, before: &[u8], body: &[u8]) -> Mark {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = std::str::from_utf8(body).ok().and_then(|body| table.of_body.get(body));
        let whole = known.filter(|(_, text)| {
            let prefix = text.len() - body.len();
            text.as_bytes().get(..prefix).is_some_and(|prefix| before.ends_with(prefix))
        });
        whole.map_or(Mark::Unknown, |(key, _)| Mark::Key(*key))
    }
}

/// The offset at which `kwph` next begins, in letters of either case: a placeholder whose case was changed is nobody's.
fn next_sign(text: &[u8], from: usize) -> Option<usize> {
    let signs = memchr::memchr2_iter(b'k', b'K', text.get(from..)?);
    signs.map(|at| from + at).find(|at| {
        text.get(*at..at + SIGN.len()).is_some_and(|here| here.eq_ignore_ascii_case(SIGN.as_bytes()))
    })
}

/// So many random letters and digits, all equally likely.
fn letters(count: usize) -> String {
    let mut text = String::with_capacity(count);
    while text.len() < count {
        let bytes = random::bytes::<32>();
        // 248 is 4 times 62: using larger bytes would make some characters likelier.
        let fair = bytes.iter().filter(|byte| **byte < 248);
        let drawn = fair.filter_map(|byte| LETTERS.get(usize::from(byte % 62)).copied().map(char::from));
        text.extend(drawn.take(count - text.len()));
    }
    text
}

const SIGN: &str = "kwph";
/// Random characters of a placeholder: 62^22 is more than 2^128.
const RANDOM: usize = 22;
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
