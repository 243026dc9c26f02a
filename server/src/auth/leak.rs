//! Finds a token's secret half in what a client sent: the server must never see one (CRYPTO.md §2.8). Pure.

use data_encoding::BASE32_NOPAD;
use keyward_wire::CredentialId;

/// The credentials whose secrets stand in `bytes`: `kwt1_`, `kwd1_`, `kwi1_`, `kwr1_` or `kwh1_`, then an id.
///
/// The text is found wherever it stands, so a session-like header, a URL or any field of a body will do. What follows the
/// id is not looked at: half a secret is one too.
pub(crate) fn leaked(bytes: &[u8]) -> Vec<CredentialId> {
    let starts =
        bytes.windows(PREFIX).enumerate().filter(|(_, window)| is_prefix(window)).map(|(at, _)| at + PREFIX);
    starts.filter_map(|at| credential(bytes.get(at..at + ID)?)).collect()
}

fn is_prefix(window: &[u8]) -> bool {
    matches!(window, [b'k', b'w', b't' | b'd' | b'i' | b'r' | b'h', b'1', b'_'])
}

fn credential(text: &[u8]) -> Option<CredentialId> {
    if !text.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')) {
        return None;
    }
    // Trailing bits that should be zero do not make it less of a leak, only less of an id.
    let mut bytes = [0; 17];
    let upper = text.to_ascii_uppercase();
    let padded = [upper.as_slice(), b"AA"].concat();
    BASE32_NOPAD.decode_mut(&padded, &mut bytes).ok()?;
    let (id, _) = bytes.split_first_chunk::<16>()?;
    Some(CredentialId::from_bytes(*id))
}

const PREFIX: usize = 5;
const ID: usize = 26;

#[cfg(test)]
mod tests {
    use super::*;

    /// CRYPTO.md §2.15, V0.
    const TOKEN: &str =
        "kwt1_aaisem2ekvthpcezvk54zxpoam_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq_t7hz7y";

    fn found(text: &str) -> Vec<String> {
        leaked(text.as_bytes()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_token_is_found_wherever_it_stands() {
        let id = "00112233-4455-6677-8899-aabbccddee03";
        for text in [
            TOKEN.to_owned(),
            format!("Bearer {TOKEN}"),
            format!("{{\"note\":\"{TOKEN}\"}}"),
            format!("/v1/me?token={TOKEN}&x=1"),
            TOKEN.chars().take(40).collect(),
            TOKEN.replace("kwt1", "kwd1"),
            TOKEN.replace("kwt1", "kwi1"),
            TOKEN.replace("kwt1", "kwr1"),
            TOKEN.replace("kwt1", "kwh1"),
        ] {
            assert_eq!(found(&text), [id], "{text}");
        }
        assert_eq!(found(&format!("{TOKEN} {TOKEN}")).len(), 2);
    }

    #[test]
    fn sessions_proxy_credentials_and_prose_are_no_leak() {
        for text in [
            "kws_aaisem2ekvthpcezvk54zxpoamAAAAAAAAAAAAAAAAA",
            &TOKEN.replace("kwt1", "kwp1"),
            &TOKEN.to_ascii_uppercase(),
            "tokens look like kwt1_<id>_<secret>_<check>",
            "kwt1_",
            "",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
