//! Rules: what is read is written the same, and fits no more than what it says.

use keyward_wire::rule::{Authority, Injection, RequestPath, Rule, Template};

/// A rule that is read has one spelling, which any reader of JSON sees, and no path or host of an attacker fits it by itself.
pub fn holds(bytes: &[u8]) {
    let rule = match Rule::from_json(bytes) {
        Ok(rule) => rule,
        Err(error) => {
            assert!(!error.at.is_empty() && !error.advice().is_empty());
            assert!(!error.to_string().contains(char::is_control));
            return;
        }
    };
    let written = rule.to_json();
    assert_eq!(Rule::from_json(written.as_bytes()).as_ref(), Ok(&rule));
    let seen: serde_json::Value = serde_json::from_slice(bytes).expect("it was read as JSON");
    let again: serde_json::Value = serde_json::from_str(&written).expect("it was written as JSON");
    assert_eq!(seen, again, "nothing of it was ignored");
    assert_eq!(seen["v"], 1);
    let terms = rule.terms();
    for pattern in &terms.hosts {
        if let Some(exact) = pattern.exact() {
            assert!(rule.fits_host(&exact));
        }
        assert!(seen["hosts"].as_array().is_some_and(|hosts| hosts.contains(&pattern.to_string().into())));
    }
    for host in ["attacker.invalid", "203.0.113.9"] {
        let to = Authority::parse(host, 443).expect("it is a host");
        let named = terms.hosts.iter().any(|pattern| pattern.to_string() == host || pattern.is_wildcard());
        assert!(named || !rule.fits_host(&to), "{host}");
    }
    for path in terms.paths.iter().flatten() {
        let own = RequestPath::new(path.as_str().as_bytes()).expect("a pattern is a path");
        assert!(rule.fits_path(own));
    }
    for method in ["CONNECT", "TRACE", "get"] {
        assert!(!rule.fits_method(method));
    }
    assert!(
        terms.into.iter().flat_map(Injection::templates).any(Template::has_value),
        "a rule sends its value"
    );
}
