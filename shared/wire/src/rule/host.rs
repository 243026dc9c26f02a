//! Host patterns: which hosts a rule lets a value go to.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::authority::{Authority, Host, read_port, split};
use super::host_error::HostError;
use super::tenants;

/// `api.example.com`, `*.example.com:8443`, `192.0.2.7`: one host, or every host that is exactly one label longer; on one
/// port, 443 unless another is written.
///
/// It exists only if it is safe to write in a rule: never for a public suffix, and with `*` never where each name below
/// belongs to somebody else (RULES.md).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern {
    /// The host, or what stands after `*.`.
    host: Host,
    port: u16,
    below: bool,
}

impl HostPattern {
    /// Whether requests to this host and port may get the value.
    pub fn matches(&self, to: &Authority) -> bool {
        if self.port != to.port {
            return false;
        }
        match (&self.host, &to.host) {
            (Host::Name(base), Host::Name(name)) if self.below => {
                name.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest == base)
            }
            (own, other) => own == other,
        }
    }

    /// Whether it starts with `*.`.
    pub fn is_wildcard(&self) -> bool {
        self.below
    }

    /// The host and port, if it is the pattern of one host.
    pub fn exact(&self) -> Option<Authority> {
        (!self.below).then(|| Authority { host: self.host.clone(), port: self.port })
    }

    /// Whether some host matches both.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.exact(), other.exact()) {
            (Some(exact), _) => other.matches(&exact),
            (_, Some(exact)) => self.matches(&exact),
            (None, None) => self == other,
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostError;

    /// Letters of either case are taken and lower-cased, `:443` and one final dot are dropped.
    fn from_str(text: &str) -> Result<Self, HostError> {
        let (text, below) = text.strip_prefix("*.").map_or((text, false), |rest| (rest, true));
        let (host, port) = split(text)?;
        let port = port.map_or(Ok(DEFAULT_PORT), read_port)?;
        if host.contains('*') {
            return Err(HostError::Star);
        }
        let host = Host::parse(host)?;
        match &host {
            Host::Name(name) => tenants::check(name, below)?,
            Host::V4(_) | Host::V6(_) if below => return Err(HostError::StarAddress),
            Host::V4(_) | Host::V6(_) => {}
        }
        Ok(Self { host, port, below })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.host)?;
        if self.port == DEFAULT_PORT { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const DEFAULT_PORT: u16 = 443;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> HostPattern {
        text.parse().unwrap()
    }

    fn to(text: &str) -> Authority {
        Authority::parse(text, 443).unwrap()
    }

    #[test]
    fn a_pattern_is_shown_in_one_form() {
        for (text, shown) in [
            ("API.GitHub.com", "api.github.com"),
            ("api.github.com.", "api.github.com"),
            ("api.github.com:443", "api.github.com"),
            ("*.Example.com:8443", "*.example.com:8443"),
            ("192.0.2.7:80", "192.0.2.7:80"),
            ("[2001:DB8::7]", "[2001:db8::7]"),
            ("vault:8200", "vault:8200"),
        ] {
            assert_eq!(pattern(text).to_string(), shown);
        }
    }

    #[test]
    fn d17_a_star_is_one_label_never_none_and_never_glued() {
        let star = pattern("*.ten.test");
        assert!(star.matches(&to("t1.ten.test")) && star.matches(&to("T1.TEN.TEST.")));
        for other in ["ten.test", "x.t1.ten.test", "evilten.test", "t1.ten.test:8443", "ten.test.x", "test"] {
            assert!(!star.matches(&to(other)), "{other}");
        }
        let exact = pattern("t1.ten.test");
        assert!(exact.matches(&to("t1.ten.test")));
        for other in ["t2.ten.test", "ten.test", "x.t1.ten.test", "t1.ten.test:80", "192.0.2.1"] {
            assert!(!exact.matches(&to(other)), "{other}");
        }
    }

    #[test]
    fn a_star_stands_alone_and_first() {
        for text in
            ["*", "*:443", "**.ten.test", "*.*.ten.test", "a*.ten.test", "*a.ten.test", "t1.*.test", "*."]
        {
            let refused = text.parse::<HostPattern>();
            assert!(matches!(refused, Err(HostError::Star | HostError::Authority(_))), "{text}: {refused:?}");
        }
        for text in ["*.192.0.2.7", "*.[2001:db8::7]"] {
            assert_eq!(text.parse::<HostPattern>(), Err(HostError::StarAddress), "{text}");
        }
        for text in [".ten.test", "*..ten.test", "*.ten.test.."] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_matched_by_itself_only() {
        let v4 = pattern("10.0.0.5:8123");
        assert!(v4.matches(&to("10.0.0.5:8123")));
        for other in ["10.0.0.5:22", "10.0.0.6:8123", "[::a00:5]:8123", "a.10.test:8123"] {
            assert!(!v4.matches(&to(other)), "{other}");
        }
    }

    #[test]
    fn what_two_patterns_share_is_known() {
        for (one, other, shared) in [
            ("a.ten.test", "*.ten.test", true),
            ("*.ten.test", "*.ten.test", true),
            ("a.b.ten.test", "*.ten.test", false),
            ("*.b.ten.test", "*.ten.test", false),
            ("a.ten.test:1", "*.ten.test", false),
            ("a.ten.test", "b.ten.test", false),
        ] {
            assert_eq!(pattern(one).overlaps(&pattern(other)), shared, "{one} {other}");
            assert_eq!(pattern(other).overlaps(&pattern(one)), shared, "{other} {one}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_reads_the_same_again(text in "(\\*\\.)?[a-zA-Z0-9.:*_-]{0,40}") {
            if let Ok(read) = text.parse::<HostPattern>() {
                prop_assert_eq!(&read.to_string().parse::<HostPattern>().unwrap(), &read);
                if let Some(exact) = read.exact() {
                    prop_assert!(read.matches(&exact));
                }
            }
        }

        /// Against the plainest reading of the words: as many labels as the pattern, equal but for the first.
        #[test]
        fn a_pattern_matches_as_its_words_say(
            below in any::<bool>(),
            base in "[ab]\\.[ab]\\.test",
            host in "([ab]\\.){0,4}test",
        ) {
            let read = pattern(&format!("{}{base}", if below { "*." } else { "" }));
            let labels: Vec<&str> = host.split('.').collect();
            let wanted: Vec<&str> = base.split('.').collect();
            let expected = if below {
                labels.len() == wanted.len() + 1 && labels[1..] == wanted[..]
            } else {
                labels == wanted
            };
            prop_assert_eq!(read.matches(&to(&host)), expected);
        }
    }
}
