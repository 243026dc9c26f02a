//! Addresses that no agent reaches through the gateway unless the operator named host and port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` is one of the public Internet. Every address that is not certainly public is refused: this host, private and
/// shared networks, link-local (metadata services), multicast, documentation, and IPv6 forms that hold an IPv4 address.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether this address can be allowed as an address only, never by a name: such addresses (link-local, multicast, metadata
/// services) exist in every network, so a name does not say which machine is meant.
pub(crate) fn is_by_literal_only(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast()
                || address.is_link_local()
                || matches!(address.octets(), [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192])
        }
        IpAddr::V6(address) => {
            address.is_unspecified()
                || address.is_multicast()
                || address.is_unicast_link_local()
                || matches!(address.segments(), [0xfd00, 0x0ec2, ..])
        }
    }
}

#[expect(clippy::match_same_arms, reason = "one line for each registration, with its reason")]
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127 | 224..=255, ..] => true, // this network, private, this host, multicast, reserved, broadcast
        [100, 64..=127, ..] => true,            // shared by providers; 100.100.100.200 is a metadata service
        [169, 254, ..] => true,                 // link-local: metadata services
        [172, 16..=31, ..] => true,             // private
        [192, 168, ..] => true,                 // private
        [192, 0, 0 | 2, _] => true, // protocols (192.0.0.192 is a metadata service), documentation
        [192, 31, 196, _] | [192, 52, 193, _] | [192, 175, 48, _] => true, // of name servers
        [192, 88, 99, _] => true,   // relays of 6to4
        [198, 18..=19, ..] => true, // measurements
        [198, 51, 100, _] | [203, 0, 113, _] => true, // documentation
        [168, 63, 129, 16] => true, // a cloud's metadata service, in the midst of its public range
        _ => false,
    };
    !special
}

#[expect(clippy::match_same_arms, reason = "one line for each registration, with its reason")]
fn is_public_v6(address: Ipv6Addr) -> bool {
    let special = match address.segments() {
        [0x2001, 0x0000..=0x01ff, ..] => true, // protocols, Teredo
        [0x2001, 0x0db8, ..] => true,          // documentation
        [0x2002, ..] => true,                  // 6to4 holds an IPv4 address
        [0x3fff, 0x0000..=0x0fff, ..] => true, // documentation
        // Only 2000::/3 is assigned at all. That leaves out ::, ::1, mapped and translated IPv4 (::ffff:…, 64:ff9b::…), unique
        // local (fc00::/7; fd00:ec2::254 is a metadata service), link-local, site-local and multicast.
        [first, ..] => first & 0xe000 != 0x2000,
    };
    !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n1_n2_metadata_private_and_translated_addresses_are_not_public() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:0808:0808::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "5f00::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for address in [
            "8.8.8.8",
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "193.0.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "2001:4860:4860::8888",
            "2001:0200::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
