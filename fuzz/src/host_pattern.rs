//! Host patterns and the hosts of requests: one spelling each, and a `*` that is one label.

use keyward_wire::rule::{Authority, HostPattern};

/// The first line is a pattern, the second the host of a request.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (pattern, host) = text.split_once('\n').unwrap_or((text, text));
    let (pattern, to) = (pattern.parse::<HostPattern>(), Authority::parse(host, 443));
    if let Ok(to) = &to {
        let shown = to.to_string();
        assert_eq!(Authority::parse(&shown, 1).as_ref(), Ok(to), "one spelling");
        assert!(
            shown.is_ascii() && !shown.contains(['@', '/', ' ', '*', '%', '\\']) && !shown.contains("..")
        );
    }
    let Ok(pattern) = pattern else { return };
    let shown = pattern.to_string();
    assert_eq!(shown.parse::<HostPattern>().as_ref(), Ok(&pattern), "one spelling");
    assert!(pattern.overlaps(&pattern));
    assert_eq!(pattern.is_wildcard(), shown.starts_with("*."));
    assert!(!shown.trim_start_matches("*.").contains('*'));
    let Ok(to) = to else { return };
    // As its words say, on texts alone.
    let (written, port) = match shown.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (shown.as_str(), "443"),
    };
    let host = to.host.to_string();
    let fits = match written.strip_prefix("*.") {
        Some(base) => host.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest == base),
        None => host == written,
    };
    assert_eq!(pattern.matches(&to), fits && port == to.port.to_string(), "{pattern} {to}");
}
