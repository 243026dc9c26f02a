//! `docker run --env-file`: a variable a line, everything after the `=` as it stands.
//!
//! There is no quoting, so a line end cannot be held. A `#` comments a line out only as its first character, and that
//! is a name's.

use zeroize::Zeroizing;

use super::presized;

/// A line for each variable. No variable may be one that [`refusal`] names.
pub(super) fn docker(vars: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    presized(|out| vars.iter().try_for_each(|(name, value)| writeln!(out, "{name}={value}")))
}

/// Why this variable cannot be written. `None` if it can.
pub(super) fn refusal(name: &str, value: &str) -> Option<&'static str> {
    if value.contains('\n') {
        Some("a line end, and a line is all that docker reads")
    } else if value.ends_with('\r') {
        Some("a carriage return at the end, which docker drops")
    } else if name.len() + 1 + value.len() > LINE_BYTES {
        Some("longer than a line that docker reads (64 KiB)")
    } else {
        None
    }
}

/// Longest line that docker's scanner takes with its line end, in bytes.
const LINE_BYTES: usize = 64 * 1024 - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_the_rest_of_the_line_or_refused() {
        let vars = [("A", ""), ("B", " #a 'b' \"c\" $d \\ e "), ("C", "x\ry=é")];
        assert_eq!(docker(&vars).as_slice(), "A=\nB= #a 'b' \"c\" $d \\ e \nC=x\ry=é\n".as_bytes());
        assert!(vars.iter().all(|(name, value)| refusal(name, value).is_none()));
        for value in ["\n", "a\nb", "a\r", "a\r\n"] {
            assert!(refusal("A", value).is_some(), "{value:?}");
        }
        assert!(refusal("A", &"x".repeat(65_533)).is_none());
        assert!(refusal("A", &"x".repeat(65_534)).is_some());
    }
}
