//! A string in a JSON body. Everything around it keeps its bytes.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Slots, Wrong, joined};

/// The body with the value at `pointer`: in the place of what stands there, or as a new field of an object that is there.
pub(super) fn replace(
    body: &[u8],
    pointer: &str,
    secret: &[u8],
    slots: &mut Slots<'_>,
) -> Result<Zeroizing<Vec<u8>>, Wrong> {
    let text = std::str::from_utf8(body).map_err(|_| Wrong::Unreadable)?;
    let secret = std::str::from_utf8(secret).map_err(|_| Wrong::BadValue)?;
    // Two quotes, and at most six bytes for each byte: growing the string would leave copies behind.
    let mut string = Zeroizing::new(Vec::with_capacity(secret.len() * 6 + 2));
    serde_json::to_writer(&mut *string, secret).map_err(|_| Wrong::BadValue)?;
    let mut here: &RawValue = serde_json::from_str(text).map_err(|_| Wrong::Unreadable)?;
    let mut tokens =
        pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).peekable();
    while let Some(token) = tokens.next() {
        let Inside { entries, is_object } = read(here)?;
        let mut named = entries.iter().filter(|(name, _)| *name == token);
        here = match (named.next(), named.next()) {
            (Some((_, value)), None) => value,
            (None, None) if is_object && tokens.peek().is_none() => {
                // The new field comes first: after the brace there is always a place for it.
                let after_brace = offset(text, here.get())? + 1;
                let name = serde_json::to_string(&token).map_err(|_| Wrong::Unreadable)?;
                let comma = if entries.is_empty() { "" } else { "," };
                let field = joined(&[name.as_bytes(), b":", &string, comma.as_bytes()]);
                return splice(text, after_brace, after_brace, &field);
            }
            // Two fields of one name are read differently by different parsers.
            _ => return Err(Wrong::Unreadable),
        };
    }
    if let Ok(agents) = serde_json::from_str::<String>(here.get()) {
        slots.text(agents.as_bytes())?;
    }
    let start = offset(text, here.get())?;
    splice(text, start, start + here.get().len(), &string)
}

fn splice(text: &str, start: usize, end: usize, with: &[u8]) -> Result<Zeroizing<Vec<u8>>, Wrong> {
    let (before, after) = text.get(..start).zip(text.get(end..)).ok_or(Wrong::Unreadable)?;
    Ok(joined(&[before.as_bytes(), with, after.as_bytes()]))
}

/// The offset of `part` in `whole`, of which it is a slice.
fn offset(whole: &str, part: &str) -> Result<usize, Wrong> {
    part.as_ptr().addr().checked_sub(whole.as_ptr().addr()).ok_or(Wrong::Unreadable)
}

/// The members of an object or array.
struct Inside<'a> {
    entries: Vec<(String, &'a RawValue)>,
    is_object: bool,
}

fn read(value: &RawValue) -> Result<Inside<'_>, Wrong> {
    let mut json = serde_json::Deserializer::from_str(value.get());
    json.deserialize_any(Inner).map_err(|_| Wrong::Unreadable)
}

struct Inner;

impl<'de> Visitor<'de> for Inner {
    type Value = Inside<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Inside<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry::<String, &RawValue>()? {
            entries.push(entry);
        }
        Ok(Inside { entries, is_object: true })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Inside<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(value) = seq.next_element::<&RawValue>()? {
            entries.push((entries.len().to_string(), value));
        }
        Ok(Inside { entries, is_object: false })
    }
}
