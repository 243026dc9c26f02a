//! Bounded, strict reading of JSON from a peer.

use serde::de::DeserializeOwned;

use crate::limits::JSON_DEPTH;

/// The bytes are not the JSON that was asked for. The text names the place, never a value.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Nested deeper than [`JSON_DEPTH`].
    #[error("JSON is nested deeper than {JSON_DEPTH} levels")]
    TooDeep,
    /// Not JSON, or not of the expected shape: a missing, duplicate or mistyped field.
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
/// [`JsonError::TooDeep`].
pub fn check_depth(bytes: &[u8]) -> Result<(), JsonError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > JSON_DEPTH {
                    return Err(JsonError::TooDeep);
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
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
    }

    #[test]
    fn an_error_names_the_place_and_not_the_value() {
        let error = from_slice::<Vec<u32>>(b"[1, \"hunter2\"]").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
