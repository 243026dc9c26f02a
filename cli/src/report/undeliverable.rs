//! Why the gateway sends a key nowhere, whoever it is granted to (GATEWAY.md, What comes back).

use keyward_crypto::state::secret::Secret;
use keyward_wire::limits::{SENT_VALUE_MAX_BYTES, SENT_VALUE_MIN_BYTES};
use keyward_wire::name::Name;
use keyward_wire::rule::Rule;

use crate::text::quoted;

/// The reason, and what to do about it. Nothing: it goes where its rule says.
pub(crate) fn reason(name: &str, secret: &Secret) -> Option<String> {
    let name = quoted(name);
    let Some(json) = &secret.inject else {
        return Some(format!(
            "the key has no rule. Add one: keyward key set {name} --inject HOW --host HOST, or --inject with a name from \
             keyward provider list"
        ));
    };
    if Rule::from_json(json.as_bytes()).is_err() {
        return Some("its rule cannot be read by this version".to_owned());
    }
    value_reason(&secret.value)
}

/// The reason, if it is the value alone.
pub(crate) fn value_reason(value: &[u8]) -> Option<String> {
    match value.len() {
        ..SENT_VALUE_MIN_BYTES => {
            Some(format!("a value of fewer than {SENT_VALUE_MIN_BYTES} bytes cannot be kept out of answers"))
        }
        length if length > SENT_VALUE_MAX_BYTES => {
            Some("a value of more than 16 KiB cannot be kept out of answers".to_owned())
        }
        _ => None,
    }
}

/// The words in which the reason is told.
pub(crate) fn message(key: &Name, reason: &str) -> String {
    format!("the gateway sends {key} nowhere: {reason}")
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn a_key_goes_somewhere_if_it_has_a_rule_and_a_value_that_can_be_kept_out() {
        let rule = r#"{"v":1,"hosts":["a.test"],"into":[{"kind":"header","name":"x-a","template":"{v}"}],"approval":"never"}"#;
        let of = |value: &str, rule: Option<&str>| {
            let mut secret = Secret::new(Zeroizing::new(value.as_bytes().to_vec()));
            secret.inject = rule.map(|rule| Zeroizing::new(rule.to_owned()));
            reason("my key", &secret)
        };
        assert_eq!(of("12345678", Some(rule)), None);
        assert_eq!(of(&"x".repeat(SENT_VALUE_MAX_BYTES), Some(rule)), None);
        for (value, rule, said) in [
            ("12345678", None, "keyward key set 'my key' --inject"),
            ("12345678", Some("{}"), "cannot be read"),
            ("1234567", Some(rule), "fewer than 8"),
            (&*"x".repeat(SENT_VALUE_MAX_BYTES + 1), Some(rule), "more than 16 KiB"),
        ] {
            assert!(of(value, rule).unwrap().contains(said), "{said}");
        }
    }
}
