//! JSON: one object, name to value.

use serde::Serializer as _;
use zeroize::Zeroizing;

use super::presized;

/// An object in the order of `vars`, indented, with a line end.
pub(super) fn json(vars: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    presized(|out| {
        serde_json::Serializer::pretty(&mut *out).collect_map(vars.iter().copied())?;
        out.write_all(b"\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_keeps_order_and_text() {
        let awkward = "\"\\\n\u{1}é𝄞</script>";
        let out = json(&[("B", awkward), ("A", "")]);
        assert!(out.starts_with(b"{\n  \"B\": "));
        let back: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(back, serde_json::json!({"B": awkward, "A": ""}));
        assert_eq!(json(&[]).as_slice(), b"{}\n");
    }
}
