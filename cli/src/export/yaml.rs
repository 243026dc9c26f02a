//! YAML: one mapping, name to value. Every value is in double quotes, and a name where it must be, so that neither `NO` nor
//! `1e3` is anything but text to a reader of YAML 1.1 or 1.2, and no line is folded.

use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_saphyr::DoubleQuoted;
use zeroize::Zeroizing;

use super::presized;

/// A mapping in the order of `vars`.
pub(super) fn yaml(vars: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    presized(|mut out| serde_saphyr::to_io_writer(&mut out, &Mapping(vars)).map_err(io::Error::other))
}

struct Mapping<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Mapping<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, &DoubleQuoted(value))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_text_and_names_are_no_booleans() {
        let vars = [("NO", "yes"), ("B", ""), ("C", "it's\n\u{1}é"), ("D", "a\\b: #c")];
        assert_eq!(
            str::from_utf8(&yaml(&vars)).unwrap(),
            "\"NO\": \"yes\"\nB: \"\"\nC: \"it's\\n\\x01é\"\nD: \"a\\\\b: #c\"\n"
        );
        assert_eq!(str::from_utf8(&yaml(&[])).unwrap(), "{}\n");
    }
}
