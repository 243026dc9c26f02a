//! The address that a request comes from. A header counts only if a trusted proxy wrote it.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The client's address, as the audit names it: the peer's or, behind trusted proxies, the right-most one in `X-Forwarded-For`
/// that is not a trusted proxy's. Addresses left of that one may be made up by the client.
pub(super) fn client(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.ip().to_canonical();
    // A header line that is not text is read all the same: what a proxy wrote at its end counts, whatever stands before.
    let lines: Vec<Cow<'_, str>> = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    for hop in lines.iter().flat_map(|line| line.split(',')).rev() {
        if !is_trusted(client, trusted) {
            return client;
        }
        let Some(ip) = parse(hop.trim()) else { return client };
        client = ip.to_canonical();
    }
    client
}

/// Whether this is the address of a proxy whose header counts.
pub(crate) fn is_trusted(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&ip.to_canonical()))
}

/// Reads an address, perhaps with a port: proxies write both.
fn parse(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn from(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        client(SocketAddr::new(peer.parse().unwrap(), 1), &headers, &trusted).to_string()
    }

    #[test]
    fn nobody_can_claim_another_address() {
        assert_eq!(from("192.0.2.9", &["10.1.1.1"], &[]), "192.0.2.9");
        assert_eq!(from("192.0.2.9", &["10.1.1.1"], &["10.0.0.0/8"]), "192.0.2.9");
        assert_eq!(from("10.0.0.1", &["1.1.1.1, 192.0.2.9"], &["10.0.0.0/8"]), "192.0.2.9");
        assert_eq!(from("10.0.0.1", &["1.1.1.1", "192.0.2.9, 10.0.0.2"], &["10.0.0.0/8"]), "192.0.2.9");
    }

    #[test]
    fn a_trusted_proxy_tells_who_it_was() {
        assert_eq!(from("10.0.0.1", &["192.0.2.9"], &["10.0.0.0/8"]), "192.0.2.9");
        assert_eq!(from("::ffff:10.0.0.1", &["192.0.2.9:4711"], &["10.0.0.0/8"]), "192.0.2.9");
        assert_eq!(from("10.0.0.1", &["[2001:db8::1]"], &["10.0.0.1/32"]), "2001:db8::1");
        assert_eq!(from("10.0.0.1", &["[2001:db8::1]:443"], &["10.0.0.1/32"]), "2001:db8::1");
        assert_eq!(from("10.0.0.1", &["10.0.0.7"], &["10.0.0.0/8"]), "10.0.0.7");
        assert_eq!(from("10.0.0.1", &["unknown"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
    }

    #[test]
    fn a_line_that_is_no_text_hides_nobody() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_bytes(b"\xff, 192.0.2.9").unwrap());
        let peer = SocketAddr::from(([10, 0, 0, 1], 1));
        assert_eq!(client(peer, &headers, &["10.0.0.0/8".parse().unwrap()]).to_string(), "192.0.2.9");
    }
}
