//! Another value of a key: a new version, and who may still know the former value.

use keyward_crypto::change::Draft;
use keyward_crypto::state::secret::Secret;
use keyward_wire::KeyId;
use keyward_wire::name::Name;

use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::text::list;

/// Gives a key another value. Answers its version, and who had lost access while knowing the former value: they do not
/// know this one, so the marks are taken away.
pub(super) fn replace(draft: &mut Draft, id: KeyId, secret: &Secret) -> Result<(u64, Vec<Name>), Fault> {
    let version = draft.add_version(id, secret)?;
    let exposed = draft.org.key_mut(id).map(|key| std::mem::take(&mut key.exposed)).unwrap_or_default();
    Ok((version, exposed.into_iter().map(|exposure| exposure.identity_name).collect()))
}

/// Reminds that the former value of `key` is still good at its provider, and who knows it.
pub(super) fn remind_to_revoke(ctx: &Ctx, key: &Name, knowing: &[Name]) {
    if !knowing.is_empty() {
        ctx.out.warn(&format!(
            "{} had lost access but may know the former value of {key}: revoke it at the provider, if it still is good \
             there",
            list(knowing)
        ));
    }
}
