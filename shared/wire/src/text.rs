//! Reading a JSON string without a copy of it.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};

/// Hands the string to `read` as it stands in the input; serde's own `Cow<str>` would copy it first, and most of what
/// crosses the network is one long string.
pub(crate) fn read<'de, D: Deserializer<'de>, T, E: fmt::Display>(
    deserializer: D,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Read(read))
}

struct Read<F>(F);

impl<F: FnOnce(&str) -> Result<T, E>, T, E: fmt::Display> Visitor<'_> for Read<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E2: Error>(self, text: &str) -> Result<T, E2> {
        (self.0)(text).map_err(E2::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_read_with_its_escapes_and_nothing_else_is() {
        let length = |json: &str| {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            read(&mut deserializer, |text| if text == "no" { Err("refused") } else { Ok(text.len()) })
        };
        assert_eq!(length(r#""abc""#).unwrap(), 3);
        assert_eq!(length(r#""a\u0062c\n""#).unwrap(), 4);
        assert!(length(r#""no""#).unwrap_err().to_string().contains("refused"));
        assert!(length("1").is_err() && length("[\"a\"]").is_err() && length("null").is_err());
    }
}
