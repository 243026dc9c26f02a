//! The host and port that a request goes to, in the one spelling that rules are compared with.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;

/// A host name in lower case without a final dot, or an address.
///
/// There is one `Host` for each host: what resolvers and browsers would read as another spelling of an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// `api.example.com`
    Name(String),
    /// `192.0.2.7`
    V4(Ipv4Addr),
    /// `2001:db8::7`; in brackets where a port may follow
    V6(Ipv6Addr),
}

/// `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// Why a text is not a host, or not a host with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// There is no host.
    #[error("there is no host name")]
    Empty,
    /// `https://…`, `user@…`, `…/path`, `…?query`, or white space.
    #[error("there is more than a host name and a port")]
    More,
    /// A byte that is not ASCII.
    #[error("the host name has letters that are not ASCII")]
    NotAscii,
    /// A label that is empty, too long, or has other characters than letters, digits, `-` and `_`.
    #[error("not a host name")]
    NotAName,
    /// The host ends in a number and is not a plain dotted quad, or is an IPv6 address in a second spelling.
    #[error("not the plain spelling of an IP address")]
    Address,
    /// The port is not 1 to 65535 in plain digits.
    #[error("not a port")]
    Port,
}

impl AuthorityError {
    /// What the user can do about the error.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Empty | Self::NotAName => "write the host as in api.example.com",
            Self::More => "write the host only, as in api.example.com or api.example.com:8443",
            Self::NotAscii => "write it as it stands in DNS: xn--…",
            Self::Address => "write it as 192.0.2.7 or [2001:db8::7]",
            Self::Port => "write a number from 1 to 65535 after the colon",
        }
    }
}

impl Authority {
    /// Reads `host[:port]` as it stands in a request: letters of either case, one final dot allowed.
    ///
    /// # Errors
    /// [`AuthorityError`] if there is more than one way to read it.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, AuthorityError> {
        let (host, port) = split(text)?;
        let port = port.map_or(Ok(default_port), read_port)?;
        Ok(Self { host: Host::parse(host)?, port })
    }
}

impl Host {
    /// Reads a host as it stands in a request: letters of either case, one final dot allowed; IPv6 in brackets.
    ///
    /// # Errors
    /// [`AuthorityError`] if there is more than one way to read it.
    pub fn parse(text: &str) -> Result<Self, AuthorityError> {
        if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            return Self::v6(inner);
        }
        if text.is_empty() {
            return Err(AuthorityError::Empty);
        }
        if !text.is_ascii() {
            return Err(AuthorityError::NotAscii);
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if !is_name(&name) {
            return Err(AuthorityError::NotAName);
        }
        if ends_in_number(&name) {
            // Of all spellings of an IPv4 address, one: `Ipv4Addr` takes dotted quads without leading zeros only.
            return text.parse().map(Self::V4).map_err(|_| AuthorityError::Address);
        }
        Ok(Self::Name(name))
    }

    fn v6(inner: &str) -> Result<Self, AuthorityError> {
        let address: Ipv6Addr = inner.parse().map_err(|_| AuthorityError::Address)?;
        // Two families would be two spellings of one host.
        if address.to_ipv4_mapped().is_some() {
            return Err(AuthorityError::Address);
        }
        Ok(Self::V6(address))
    }
}

/// The text before the port, and the port.
pub(super) fn split(text: &str) -> Result<(&str, Option<&str>), AuthorityError> {
    if text.is_empty() {
        return Err(AuthorityError::Empty);
    }
    if text.bytes().any(|byte| byte.is_ascii_whitespace() || b"/\\@?#,".contains(&byte)) {
        return Err(AuthorityError::More);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(AuthorityError::Address);
    }
    if let Some((inner, after)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        let host = text.get(..inner.len() + 2).ok_or(AuthorityError::Address)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(AuthorityError::More),
        };
    }
    Ok(text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))))
}

/// A port in plain digits.
pub(super) fn read_port(text: &str) -> Result<u16, AuthorityError> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().map_err(|_| AuthorityError::Port) } else { Err(AuthorityError::Port) }
}

/// Labels of 1 to 63 letters, digits, `-` and `_`, no `-` at their ends; 253 bytes at most. In lower case.
fn is_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let label = |label: &str| {
        matches!(label.len(), 1..=63)
            && label.bytes().all(word)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Whether its last label is one that the parsers of browsers and resolvers take for a number: they would read `0x7f.1` as
/// 127.0.0.1.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let decimal = last.bytes().all(|byte| byte.is_ascii_digit());
    decimal || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_and_a_final_dot_are_normalised_and_nothing_else() {
        for (text, host) in [
            ("API.Example.com", "api.example.com:443"),
            ("api.example.com.", "api.example.com:443"),
            ("api.example.com:8443", "api.example.com:8443"),
            ("192.0.2.7:80", "192.0.2.7:80"),
            ("[2001:DB8::0:7]:1", "[2001:db8::7]:1"),
            ("vault", "vault:443"),
            ("a_b.internal", "a_b.internal:443"),
        ] {
            assert_eq!(Authority::parse(text, 443).unwrap().to_string(), host, "{text}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_no_host() {
        use AuthorityError::{Address, Empty, More, NotAName, NotAscii, Port};
        for (text, why) in [
            ("", Empty),
            (":443", Empty),
            ("a.test@x.test", More),
            ("a.test:443@x.test", More),
            ("https://a.test", More),
            ("a.test/path", More),
            ("a.test,b.test", More),
            ("a.test\tb", More),
            ("a.test b", More),
            ("a.test\\@b", More),
            ("a.test#b", More),
            ("a..test", NotAName),
            ("a.test..", NotAName),
            (".a.test", NotAName),
            (".", NotAName),
            ("a%2etest", NotAName),
            ("-a.test", NotAName),
            ("a\0.test", NotAName),
            ("*.a.test", NotAName),
            ("ä.test", NotAscii),
            ("a。test", NotAscii),
            ("a.test:", Port),
            ("a.test:0", Port),
            ("a.test:0443", Port),
            ("a.test:+443", Port),
            ("a.test:65536", Port),
            ("a.test:443:443", Port),
            ("0", Address),
            ("127.1", Address),
            ("2130706433", Address),
            ("0x7f.1", Address),
            ("0x7f000001", Address),
            ("017700000001", Address),
            ("127.0.0.01", Address),
            ("127.0.0.1.", Address),
            ("1.2.3.4.5", Address),
            ("a.0x", Address),
            ("a.1", Address),
            ("[::ffff:127.0.0.1]", Address),
            ("[fe80::1%lo]", Address),
            ("[::1", Port),
            ("[::1]x", More),
            ("::1", Address),
            ("a:b:c", Port),
        ] {
            assert_eq!(Authority::parse(text, 443), Err(why), "{text:?}");
        }
        assert!(Authority::parse(&format!("{}.test", "a".repeat(64)), 443).is_err());
        assert!(Authority::parse(&"a.".repeat(128), 443).is_err());
    }

    proptest! {
        #[test]
        fn what_is_read_reads_the_same_again(text in "[a-zA-Z0-9.:\\[\\]_-]{0,40}") {
            if let Ok(authority) = Authority::parse(&text, 443) {
                prop_assert_eq!(Authority::parse(&authority.to_string(), 1).unwrap(), authority);
            }
        }
    }
}
