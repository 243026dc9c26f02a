//! Keeps the values that a gateway holds for an agent out of what the agent is told.
//!
//! A [`Scrubber`] is made once for an agent and its values, and a [`Stream`] of it for each body. Every complete form of a
//! value (raw, hexadecimal, base64 at any place, UTF-16, each of the first also behind escapes of URLs, JSON and HTML) is
//! written over with a stand-in **of the same length and in the same form**: the agent's placeholder, if that is as long as
//! the value, else asterisks. So no length, frame, checksum of lengths or document structure changes; a text without a value
//! comes out as it went in.
//!
//! **Nothing else may depend on a value.** The agent can have texts of its choice echoed. If a part of a value were enough
//! to be covered, or to be held back, it would find the value out a character at a time. Hence:
//! - only complete forms are covered;
//! - what is held back is a number of bytes that depends on the lengths of the values only ([`Scrubber::reach`]), and is let
//!   go where the text itself has an end that no form crosses: of a line, of a message, of the body ([`Stream`]);
//! - the search does the same work for every text, until eight bytes far from a value's ends are right at once; which escapes are
//!   not read depends on one thing only, whether all values are made of the letters that keys are usually made of.
//!
//! What this cannot do: a value that the other side transforms in a way of its own (reversed, in pieces, a character per answer)
//! passes, as does a part of a value (“…4f2a”).

mod base64;
mod breaks;
pub mod coding;
mod escape;
mod find;
mod forms;
mod index;
mod stream;
#[cfg(test)]
mod tests;

use breaks::Breaks;
use find::{Found, Patterns};
use keyward_wire::limits::{SENT_VALUE_MAX_BYTES, SENT_VALUE_MIN_BYTES};
use zeroize::Zeroizing;

pub use stream::Stream;

/// A value that must not be told, and the text that is told instead.
pub struct Held {
    secret: Zeroizing<Vec<u8>>,
    stand_in: Vec<u8>,
}

/// Why a value cannot be kept out of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unscrubbable {
    /// Fewer than [`SENT_VALUE_MIN_BYTES`] bytes: unrelated text would be damaged, and every answer would say whether a guess was right.
    #[error("a value of fewer than {SENT_VALUE_MIN_BYTES} bytes cannot be kept out of answers")]
    TooShort,
    /// More than [`SENT_VALUE_MAX_BYTES`] bytes: too much would have to be held back.
    #[error("a value of more than {SENT_VALUE_MAX_BYTES} bytes cannot be kept out of answers")]
    TooLong,
}

impl Held {
    /// Makes one of a secret. `placeholder` takes the secret's place if both are equally long.
    ///
    /// # Errors
    ///
    /// [`Unscrubbable`]. Such a value must not be put into a request whose answer is scrubbed.
    pub fn new(secret: &[u8], placeholder: Option<&str>) -> Result<Self, Unscrubbable> {
        match secret.len() {
            ..SENT_VALUE_MIN_BYTES => return Err(Unscrubbable::TooShort),
            length if length > SENT_VALUE_MAX_BYTES => return Err(Unscrubbable::TooLong),
            _ => {}
        }
        let fits = placeholder.filter(|placeholder| placeholder.len() == secret.len());
        let stand_in = fits.map_or_else(|| vec![forms::STAR; secret.len()], |text| text.as_bytes().to_vec());
        Ok(Self { secret: Zeroizing::new(secret.to_vec()), stand_in })
    }
}

/// Keeps values out of the answers to one agent.
pub struct Scrubber {
    patterns: Patterns,
    breaks: Breaks,
    /// A number that tells this scrubber from others.
    number: u64,
}

impl Scrubber {
    /// A scrubber of all values that are held for an agent. `random` is another number for each scrubber, known to nobody.
    pub fn new(held: &[Held], random: u64) -> Self {
        let patterns = held.iter().enumerate();
        let patterns: Vec<_> =
            patterns.flat_map(|(value, held)| forms::patterns(value, &held.secret, &held.stand_in)).collect();
        Self { breaks: Breaks::of(&patterns), patterns: Patterns::new(patterns, random), number: random }
    }

    /// Whether there are no values to keep out.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// How many bytes must follow a byte before it is certain whether that byte belongs to a form: the length of the longest
    /// form, and a little more.
    pub fn reach(&self) -> usize {
        self.patterns.reach
    }

    /// Scrubs a text that is there as a whole, such as a header's value. `None` if no value is in it; else the scrubbed text, and
    /// how many forms of values were in it.
    pub fn text(&self, text: &[u8]) -> Option<(Vec<u8>, u64)> {
        let mut found = Vec::new();
        self.patterns.find(text, 0, 0, true, &mut found);
        if found.is_empty() {
            return None;
        }
        found.sort_unstable();
        let mut text = text.to_vec();
        cover(&mut text, 0, &found);
        Some((text, found.len() as u64))
    }

    /// Whether a header's name contains a value. Names are lower-cased on the way, so a value in one may be, too.
    pub fn in_name(&self, name: &[u8]) -> bool {
        self.patterns.in_name(name)
    }
}

/// Writes the covers of `found`, which is sorted, over a text that begins at `base`. Every byte of every form is covered; where
/// two forms overlap, the rest of the later one is covered with stars.
fn cover(text: &mut [u8], base: u64, found: &[Found]) {
    let mut covered = 0;
    for one in found {
        let whole = one.start >= covered;
        for (at, byte) in (one.start..).zip(&one.cover) {
            let place = at.checked_sub(base).and_then(|at| usize::try_from(at).ok());
            let Some(place) = place.and_then(|at| text.get_mut(at)) else { continue };
            if whole {
                *place = *byte;
            } else if at >= covered {
                *place = forms::STAR;
            }
        }
        covered = covered.max(one.end());
    }
}

/// Bytes of a form that are looked up together; no value is shorter.
const PIECE: usize = SENT_VALUE_MIN_BYTES;
