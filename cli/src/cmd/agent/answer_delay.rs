//! What the answers of an agent wait for, because a value that it may use could stand there (GATEWAY.md, What comes back).

use keyward_crypto::state::secret::Secret;
use keyward_wire::limits::{OTHERS_VALUE_MAX_BYTES, SENT_VALUE_MAX_BYTES};
use keyward_wire::rule::Rule;

/// Why a key delays all answers of each agent that it is granted to, used or not. `None` if the delay cannot be felt.
pub(super) fn reason(secret: &Secret) -> Option<&'static str> {
    let rule = secret.inject.as_ref().and_then(|json| Rule::from_json(json.as_bytes()).ok())?;
    let fields = rule.fields();
    let fields =
        fields.iter().filter_map(|name| secret.fields.get(name.as_str()).map(|text| text.as_bytes()));
    let all: Vec<&[u8]> = std::iter::once(secret.value.as_slice()).chain(fields).collect();
    let is =
        |what: fn(&[u8]) -> bool| all.iter().any(|value| value.len() <= SENT_VALUE_MAX_BYTES && what(value));
    if is(has_blank_line) {
        Some("it has a blank line, so each of its answers waits for its end")
    } else if is(has_line_end) {
        Some("it has several lines, so what is told by the line waits for a blank one")
    } else if is(|value| value.len() > OTHERS_VALUE_MAX_BYTES) {
        Some("it is long, so what has no line ends waits for tens of kilobytes more")
    } else {
        None
    }
}

fn has_line_end(value: &[u8]) -> bool {
    value.contains(&b'\n') || value.contains(&b'\r')
}

fn has_blank_line(value: &[u8]) -> bool {
    let has = |ends: &[u8]| value.windows(ends.len()).any(|window| window == ends);
    has(b"\n\n") || has(b"\n\r\n") || has(b"\r\r")
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn why_of(value: &str, field: &str, hosts: &str) -> Option<&'static str> {
        let rule = format!(
            r#"{{"v":1,"hosts":[{hosts}],"into":[{{"kind":"header","name":"x-a","template":"{{v}}"}},{{"kind":"query","name":"b","template":"{{more}}"}}],"approval":"never"}}"#
        );
        let mut secret = Secret::new(Zeroizing::new(value.as_bytes().to_vec()));
        secret.inject = Some(Zeroizing::new(rule));
        secret.fields.insert("more".to_owned(), Zeroizing::new(field.to_owned()));
        secret.fields.insert("other".to_owned(), Zeroizing::new("a\n\nb".to_owned()));
        reason(&secret)
    }

    #[test]
    fn only_what_is_long_or_of_several_lines_and_sent_is_waited_for() {
        let host = r#""a.test""#;
        assert_eq!(why_of("an-ordinary-value", "me@a.test", host), None);
        for (value, field, said) in [
            ("a\nb", "x", "several lines"),
            ("a", "b\r\nc", "several lines"),
            ("a\n\nb", "x", "blank line"),
            ("a\n\r\nb", "x", "blank line"),
            (&*"x".repeat(OTHERS_VALUE_MAX_BYTES + 1), "x", "long"),
        ] {
            assert!(why_of(value, field, host).unwrap().contains(said), "{value:?}");
        }
        assert_eq!(why_of(&"x".repeat(OTHERS_VALUE_MAX_BYTES), "x", host), None);
        assert_eq!(
            why_of(&"x\n".repeat(SENT_VALUE_MAX_BYTES / 2 + 1), "x", host),
            None,
            "the gateway uses no such value"
        );
        assert_eq!(why_of("a\nb", "x", ""), None, "without a rule that can be read it is not used");
    }
}
