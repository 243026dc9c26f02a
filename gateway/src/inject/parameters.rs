//! Parameters, `a=1&b=2`, of queries and forms. All parameters but one keep their bytes.

use zeroize::Zeroizing;

use super::percent::{UNRESERVED, decoded, percent};
use super::{Slots, Wrong, joined};

/// The decoded values of the parameters of this name, however they are encoded.
pub(super) fn values<'a>(parameters: &'a [u8], name: &'a str) -> impl Iterator<Item = Vec<u8>> {
    let parts = parameters.split(|byte| matches!(byte, b'&' | b';'));
    parts.filter_map(move |part| {
        let (own, value) = part.split_at(part.iter().position(|byte| *byte == b'=')?);
        (decoded(own) == name.as_bytes()).then(|| decoded(value.get(1..).unwrap_or_default()))
    })
}

/// The parameters with `name` once: where the agent had it first, or at the end. The agent's own parameters of that name are
/// removed, however they are encoded; also behind a `;`, which some servers read as `&`.
pub(super) fn replace(
    parameters: &[u8],
    name: &str,
    secret: &[u8],
    slots: &mut Slots<'_>,
) -> Result<Zeroizing<Vec<u8>>, Wrong> {
    if secret.iter().any(u8::is_ascii_control) {
        return Err(Wrong::BadValue);
    }
    let written = [&percent(name.as_bytes(), UNRESERVED), b"=".as_slice(), &percent(secret, UNRESERVED)];
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut place = None;
    for parameter in parameters.split(|byte| *byte == b'&') {
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in parameter.split(|byte| *byte == b';') {
            let (own, value) = match part.iter().position(|byte| *byte == b'=') {
                Some(at) => (part.get(..at), part.get(at + 1..)),
                None => (Some(part), None),
            };
            if decoded(own.unwrap_or_default()) == name.as_bytes() {
                slots.text(&decoded(value.unwrap_or_default()))?;
                place.get_or_insert(kept.len());
            } else {
                parts.push(part);
            }
        }
        let had_none_of_ours = parts.len() == parameter.split(|byte| *byte == b';').count();
        if had_none_of_ours || !parts.is_empty() {
            kept.push(parts.join(&b';'));
        }
    }
    // An empty text splits into one empty parameter.
    kept.retain(|parameter| !(parameters.is_empty() && parameter.is_empty()));
    let place = place.unwrap_or(kept.len()).min(kept.len());
    let (before, after) = kept.split_at_checked(place).unwrap_or_default();
    let mut parts: Vec<&[u8]> = before.iter().flat_map(|part| [part.as_slice(), b"&"]).collect();
    parts.extend(written);
    parts.extend(after.iter().flat_map(|part| [b"&", part.as_slice()]));
    Ok(joined(&parts))
}
