//! Versions of keys: new, resealed and dropped ones (S5, CRYPTO.md §2.13 F12).

use keyward_wire::api::write::WriteRequest;
use keyward_wire::limits::OLD_VERSIONS;

use crate::access::{Refusal, State, ensure};

/// Applies `secrets` and `drop_secrets` to the keys of `after`.
pub(super) fn apply(before: &State, request: &WriteRequest, after: &mut State) -> Result<(), Refusal> {
    for (i, secret) in request.secrets.iter().enumerate() {
        let field = || format!("secrets[{i}]");
        let key = after.keys.get_mut(&secret.key).ok_or_else(|| Refusal::at(field(), MISSING))?;
        let bytes = secret.env.as_bytes().len();
        if Some(secret.version) == key.version.checked_add(1) && secret.reseal == 0 {
            // A key that this write adds starts at version 0, which is never stored.
            if key.version > 0 {
                key.old.insert(key.version, key.reseal);
            }
            while key.old.len() > OLD_VERSIONS {
                key.old.pop_first();
            }
            (key.version, key.reseal, key.bytes) = (secret.version, 0, bytes);
        } else if secret.version == key.version && Some(secret.reseal) == key.reseal.checked_add(1) {
            (key.reseal, key.bytes) = (secret.reseal, bytes);
        } else {
            return Err(Refusal::at(
                field(),
                "neither the next version nor the current one resealed once more",
            ));
        }
    }
    let complete = after.keys.values().all(|key| key.version > 0);
    ensure(complete, || "secrets".to_owned(), "a new key comes with its first version")?;
    forget(before, request, after)
}

/// Drops old versions, which may have become old, or have lost their key, by this write itself.
fn forget(before: &State, request: &WriteRequest, after: &mut State) -> Result<(), Refusal> {
    for (i, gone) in request.drop_secrets.iter().enumerate() {
        let field = || format!("drop_secrets[{i}]");
        let was = before.keys.get(&gone.key).ok_or_else(|| Refusal::at(field(), MISSING))?;
        let stored = was.version == gone.version || was.old.contains_key(&gone.version);
        ensure(stored, field, MISSING)?;
        if let Some(key) = after.keys.get_mut(&gone.key) {
            ensure(key.version != gone.version, field, "the current version goes only with its key")?;
            key.old.remove(&gone.version);
        }
    }
    Ok(())
}

const MISSING: &str = "no such key or version in this organisation";
