//! A string in a JSON body. Everything around it keeps its bytes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{InjectError, Slots, joined};

/// The body with the value at `pointer`: in the place of what stands there, or as a new field of an object that is there.
pub(super) fn replace(
    body: &[u8],
    pointer: &str,
    secret: &[u8],
    slots: &mut Slots<'_>,
) -> Result<Zeroizing<Vec<u8>>, InjectError> {
    let text = std::str::from_utf8(body).map_err(|_| InjectError::Unreadable)?;
    let secret = std::str::from_utf8(secret).map_err(|_| InjectError::BadValue)?;
    // Two quotes, and at most six bytes for each byte: growing the string would leave copies behind.
    let mut string = Zeroizing::new(Vec::with_capacity(secret.len() * 6 + 2));
    serde_json::to_writer(&mut *string, secret).map_err(|_| InjectError::BadValue)?;
    let mut here: &RawValue = serde_json::from_str(text).map_err(|_| InjectError::Unreadable)?;
    let mut tokens =
        pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).peekable();
    while let Some(token) = tokens.next() {
        let Inside { named, count, is_object } = read(here, &token)?;
        here = match named {
            Named::Once(value) => value,
            Named::Nowhere if is_object && tokens.peek().is_none() => {
                // The new field comes first: after the brace there is always a place for it.
                let after_brace = offset(text, here.get())? + 1;
                let name = serde_json::to_string(&token).map_err(|_| InjectError::Unreadable)?;
                let comma = if count == 0 { "" } else { "," };
                let field = joined(&[name.as_bytes(), b":", &string, comma.as_bytes()]);
                return splice(text, after_brace, after_brace, &field);
            }
            // Two fields of one name are read differently by different parsers.
            Named::Nowhere | Named::Twice => return Err(InjectError::Unreadable),
        };
    }
    if let Ok(agents) = serde_json::from_str::<String>(here.get()) {
        slots.text(agents.as_bytes())?;
    }
    let start = offset(text, here.get())?;
    splice(text, start, start + here.get().len(), &string)
}

fn splice(text: &str, start: usize, end: usize, with: &[u8]) -> Result<Zeroizing<Vec<u8>>, InjectError> {
    let (before, after) = text.get(..start).zip(text.get(end..)).ok_or(InjectError::Unreadable)?;
    Ok(joined(&[before.as_bytes(), with, after.as_bytes()]))
}

/// The offset of `part` in `whole`, of which it is a slice.
fn offset(whole: &str, part: &str) -> Result<usize, InjectError> {
    part.as_ptr().addr().checked_sub(whole.as_ptr().addr()).ok_or(InjectError::Unreadable)
}

/// What is looked for in an object or array. Nothing else of it is kept: a body may have millions of members.
struct Inside<'a> {
    named: Named<'a>,
    count: usize,
    is_object: bool,
}

/// The members of the name, or at the index, that is looked for.
enum Named<'a> {
    Nowhere,
    Once(&'a RawValue),
    Twice,
}

impl<'a> Named<'a> {
    fn and(self, value: &'a RawValue) -> Self {
        if matches!(self, Self::Nowhere) { Self::Once(value) } else { Self::Twice }
    }
}

fn read<'a>(value: &'a RawValue, token: &str) -> Result<Inside<'a>, InjectError> {
    let mut json = serde_json::Deserializer::from_str(value.get());
    json.deserialize_any(Inner(token)).map_err(|_| InjectError::Unreadable)
}

struct Inner<'t>(&'t str);

impl<'de> Visitor<'de> for Inner<'_> {
    type Value = Inside<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Inside<'de>, A::Error> {
        let (mut named, mut count) = (Named::Nowhere, 0);
        while let Some((name, value)) = map.next_entry::<Cow<'_, str>, &RawValue>()? {
            if name == self.0 {
                named = named.and(value);
            }
            count += 1;
        }
        Ok(Inside { named, count, is_object: true })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Inside<'de>, A::Error> {
        // As JSON pointers write an index: without leading zeros.
        let wanted = self.0.parse::<usize>().ok().filter(|index| index.to_string() == self.0);
        let (mut named, mut count) = (Named::Nowhere, 0);
        while let Some(value) = seq.next_element::<&RawValue>()? {
            if wanted == Some(count) {
                named = named.and(value);
            }
            count += 1;
        }
        Ok(Inside { named, count, is_object: false })
    }
}
