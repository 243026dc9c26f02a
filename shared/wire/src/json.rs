//! Bounded, strict reading of JSON from a peer.

use serde::de::DeserializeOwned;

use crate::limits::JSON_DEPTH;

/// The bytes are not the JSON that was asked for. The text names the place, never a value.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Nested deeper than [`JSON_DEPTH`].
    #[error("JSON is nested deeper than {JSON_DEPTH} levels")]
    TooDeep,
    /// The text is not JSON, or not of the expected shape: a field is missing, duplicate or of another type.
    #[error("JSON at line {line}, column {column} is not of the expected form")]
    Shape {
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
    },
}

/// Reads a `T`. Unknown fields are `T`'s affair; a duplicate of a field that `T` knows is an error.
///
/// # Errors
/// [`JsonError`] if `bytes` is not exactly one such document.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    check_depth(bytes)?;
    serde_json::from_slice(bytes)
        .map_err(|error| JsonError::Shape { line: error.line(), column: error.column() })
}

/// Refuses nesting deeper than [`JSON_DEPTH`] before a parser recurses into it.
///
/// # Errors
/// [`JsonError::TooDeep`], if the nesting is deeper.
pub fn check_depth(bytes: &[u8]) -> Result<(), JsonError> {
    let mut depth = 0_usize;
    let mut rest = bytes;
    while let Some((byte, next)) = rest.split_first() {
        rest = next;
        match byte {
            b'"' => rest = after_string(rest),
            b'{' | b'[' => {
                depth += 1;
                if depth > JSON_DEPTH {
                    return Err(JsonError::TooDeep);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// What follows the quote that ends a string; nothing, if none does. Nearly all bytes of an answer stand in long strings.
fn after_string(mut text: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', text) {
        let escape = text.get(at) == Some(&b'\\');
        text = text.get(at + 1 + usize::from(escape)..).unwrap_or_default();
        if !escape {
            return text;
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_strings_only() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(check_depth(nested(JSON_DEPTH).as_bytes()).is_ok());
        assert!(check_depth(nested(JSON_DEPTH + 1).as_bytes()).is_err());
        assert!(check_depth(format!("[\"\\\"{}\"]", "[".repeat(100)).as_bytes()).is_ok());
        let after =
            |string: &str| check_depth(format!("{string}{}", nested(JSON_DEPTH + 1)).as_bytes()).is_ok();
        assert!(!after(r#""""#) && !after(r#""\\""#) && !after(r#""a\"b""#), "the string has ended");
        assert!(after(r#""\""#) && after(r#""\\\""#) && after("\""), "it has not");
    }

    #[test]
    fn an_error_names_the_place_and_not_the_value() {
        let error = from_slice::<Vec<u32>>(b"[1, \"hunter2\"]").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
