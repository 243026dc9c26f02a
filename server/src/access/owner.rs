//! Is a new owner complete? Sign-up makes the first owner, a recovery makes another (CRYPTO.md §2.13 F1, F15).

use keyward_wire::api::credentials::{CredentialKind, NewCredential};
use keyward_wire::api::write::{NewEscrow, RootEnvelope, RootKind};
use keyward_wire::{IdentityId, Purpose};

use super::{Refusal, credential, ensure};

/// Checks that there are one password, one recovery kit and at most one device, all of `owner`.
pub(super) fn credentials(list: &[NewCredential], owner: IdentityId, now: i64) -> Result<(), Refusal> {
    for (i, new) in list.iter().enumerate() {
        let at = format!("credentials[{i}].");
        ensure(new.identity == owner, || format!("{at}identity"), "not the new owner")?;
        let unique = list.iter().filter(|other| other.id == new.id).count() == 1;
        ensure(unique, || format!("{at}id"), "twice the same id")?;
        credential::check(new, &at, now)?;
    }
    let count = |kind| list.iter().filter(|new| new.kind == kind).count();
    let (passwords, kits) = (count(CredentialKind::Password), count(CredentialKind::Recovery));
    let devices = count(CredentialKind::Device);
    let complete = passwords == 1 && kits == 1 && devices <= 1 && list.len() == 2 + devices;
    ensure(complete, || "credentials".to_owned(), "one password, one recovery kit and at most one device")
}

/// Checks that the escrow is `owner`'s, under the root key.
pub(super) fn escrow(escrow: &NewEscrow, owner: IdentityId) -> Result<(), Refusal> {
    let own = escrow.identity == owner && escrow.creator.is_none();
    ensure(own, || "escrow".to_owned(), "the new owner's, under the root key")?;
    let purpose = escrow.env.purpose() == Purpose::Escrow;
    ensure(purpose, || "escrow.env".to_owned(), "an envelope of another purpose")
}

/// Checks that there are exactly these root envelopes, each with its purpose, and ORGKEYs of this epoch.
pub(super) fn roots(
    list: &[RootEnvelope],
    wanted: &[(RootKind, Option<IdentityId>)],
    epoch: u64,
    complete: &'static str,
) -> Result<(), Refusal> {
    for (kind, identity) in wanted {
        let found = list.iter().any(|root| {
            let generation = *kind == RootKind::Root || root.generation == epoch;
            root.kind == *kind
                && root.identity == *identity
                && root.env.purpose() == purpose(*kind)
                && generation
        });
        ensure(found, || "roots".to_owned(), complete)?;
    }
    ensure(list.len() == wanted.len(), || "roots".to_owned(), complete)
}

/// The purpose of the envelope of a root.
pub(super) fn purpose(kind: RootKind) -> Purpose {
    match kind {
        RootKind::Root => Purpose::Root,
        RootKind::OrgkeyRoot => Purpose::OrgKeyRoot,
        RootKind::OrgkeyAdmin => Purpose::OrgKeyAdmin,
    }
}
