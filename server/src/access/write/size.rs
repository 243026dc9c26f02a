//! No write may make a bundle larger than its reader takes: 16 MiB (CRYPTO.md §2.3).

use keyward_wire::KeyId;
use keyward_wire::access::Audience;
use keyward_wire::api::write::WriteRequest;
use keyward_wire::limits::ANSWER_BYTES;

use super::views::served;
use crate::access::{Refusal, State, ensure};

/// Checks that these fit into one answer: everybody's whole bundle, an owner's for each deployment, and the list of what a
/// gateway's agents may use.
pub(super) fn check(request: &WriteRequest, after: &State) -> Result<(), Refusal> {
    let facts = after.facts();
    for view in after.views.values().filter(|view| view.seq == after.seq) {
        let keys = after.readable(&view.audience, &facts);
        fits(after, view.bytes, keys.keys().iter().copied())?;
        if let Audience::Gateway(gateway) = view.audience {
            let agents = served(after, gateway, &keys, &facts);
            let bytes =
                agents.iter().map(|(_, _, keys)| AROUND_AGENT + keys.len() * ID_IN_JSON).sum::<usize>();
            ensure(
                bytes + AROUND <= ANSWER_BYTES,
                || "delta".to_owned(),
                "a gateway would have more agents and keys than one answer holds; spread them over more gateways",
            )?;
        }
    }
    let org = request.org.as_bytes().len();
    for deployment in &after.deployments {
        let mapped = after.mappings.values().filter(|mapping| mapping.deployment == *deployment);
        let keys: std::collections::BTreeSet<KeyId> = mapped.map(|mapping| mapping.key).collect();
        fits(after, org, keys.into_iter())?;
    }
    Ok(())
}

fn fits(after: &State, state_bytes: usize, keys: impl Iterator<Item = KeyId>) -> Result<(), Refusal> {
    let secrets = keys.filter_map(|key| after.keys.get(&key)).map(|key| in_json(key.bytes));
    let bytes = secrets.fold(in_json(state_bytes) + AROUND, usize::saturating_add);
    ensure(
        bytes <= ANSWER_BYTES,
        || "secrets".to_owned(),
        "a bundle would be larger than 16 MiB; spread the keys over more deployments and groups",
    )
}

/// Bytes in JSON of an envelope in base64url, with the JSON around it.
fn in_json(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3).saturating_add(256)
}

/// Bytes in JSON of an id in quotes, and a comma.
const ID_IN_JSON: usize = 39;

/// Bytes in JSON of an agent without its keys.
const AROUND_AGENT: usize = 64;

/// Bytes in JSON of CRED, GRANT, ORGKEY_ADMIN and the JSON around everything: 8 KiB.
const AROUND: usize = 8 * 1024;
