//! Parameters, `a=1&b=2`, of queries and forms. All parameters but one keep their bytes.

use zeroize::Zeroizing;

use super::percent::{UNRESERVED, decoded, percent};
use super::{InjectError, Slots, joined};

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
) -> Result<Zeroizing<Vec<u8>>, InjectError> {
    if secret.iter().any(u8::is_ascii_control) {
        return Err(InjectError::BadValue);
    }
    let written = joined(&[&percent(name.as_bytes(), UNRESERVED), b"=", &percent(secret, UNRESERVED)]);
    // In its final size: growing would leave copies behind. A body may have millions of parameters, so no list is made of them.
    let mut out = Zeroizing::new(Vec::with_capacity(parameters.len() + written.len() + 1));
    let (mut is_first, mut is_placed) = (true, false);
    let mut add = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        if !std::mem::take(&mut is_first) {
            out.push(b'&');
        }
        for (at, piece) in pieces.enumerate() {
            if at > 0 {
                out.push(b';');
            }
            out.extend_from_slice(piece);
        }
    };
    // An empty text splits into one empty parameter.
    for parameter in parameters.split(|byte| *byte == b'&').filter(|_| !parameters.is_empty()) {
        let parts = || parameter.split(|byte| *byte == b';');
        let is_others = |part: &&[u8]| !is_named(part, name);
        let mut has_ours = false;
        for part in parts().filter(|part| !is_others(part)) {
            let value = part.iter().position(|byte| *byte == b'=').and_then(|at| part.get(at + 1..));
            slots.text(&decoded(value.unwrap_or_default()))?;
            has_ours = true;
        }
        if has_ours && !std::mem::replace(&mut is_placed, true) {
            add(&mut std::iter::once(&**written));
        }
        if !has_ours || parts().any(|part| is_others(&part)) {
            add(&mut parts().filter(is_others));
        }
    }
    if !is_placed {
        add(&mut std::iter::once(&**written));
    }
    Ok(out)
}

/// Whether a parameter has this name, however that is encoded.
fn is_named(parameter: &[u8], name: &str) -> bool {
    let own = parameter.split(|byte| *byte == b'=').next().unwrap_or_default();
    if own.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        decoded(own) == name.as_bytes()
    } else {
        own == name.as_bytes()
    }
}
