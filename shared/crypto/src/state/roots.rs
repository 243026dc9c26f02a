//! The root envelopes: RECOVERY, ESCROW, ROOT and ORGKEY (CRYPTO.md §2.5, 21–25). Each holds one key and has 600 bytes.

use keyward_wire::{CredentialId, Envelope, IdentityId, Nonce, OrgId, Purpose};
use serde::{Deserialize, Serialize};

use super::{V1, open_document, seal_document, text};
use crate::{Context, DeliveryKey, IdentityKey, Integrity, Key, OrgKey, RootKey, UnlockKey};

/// RECOVERY: the root key, sealed under the recovery kit's unlock key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    v: V1,
    /// The organisation.
    #[serde(with = "text::id")]
    pub org: OrgId,
    /// RK: the root key.
    #[serde(with = "text::key")]
    pub rk: RootKey,
    /// Generation of RK.
    pub rk_gen: u64,
}

impl Recovery {
    /// Makes the document.
    pub fn new(org: OrgId, rk: &RootKey, rk_gen: u64) -> Self {
        Self { v: V1, org, rk: rk.duplicate(), rk_gen }
    }

    /// Seals RECOVERY.
    pub fn seal(&self, unlock: &UnlockKey, cred: CredentialId) -> Envelope {
        seal_document(unlock, &Context::new(Purpose::Recovery).b(cred.as_bytes()), self).expect(SMALL)
    }

    /// Opens RECOVERY.
    ///
    /// # Errors
    /// [`Integrity`] if the envelope is not this credential's RECOVERY.
    pub fn open(unlock: &UnlockKey, cred: CredentialId, envelope: &Envelope) -> Result<Self, Integrity> {
        open_document(unlock, &Context::new(Purpose::Recovery).b(cred.as_bytes()), envelope)
    }
}

/// The context of an ESCROW: an identity's key, kept for whoever enrolled it, under RK (`creator` absent) or under an admin's own
/// IK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EscrowPlace {
    /// The organisation.
    pub org: OrgId,
    /// The admin under whose key the ESCROW is sealed. `None` if that is the root key.
    pub creator: Option<IdentityId>,
    /// The identity whose key the ESCROW holds.
    pub identity: IdentityId,
    /// Generation of that key.
    pub ik_gen: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Escrow {
    v: V1,
    #[serde(with = "text::key")]
    ik: IdentityKey,
}

/// Seals ESCROW under RK or the creator's IK.
pub fn seal_escrow<K: Key>(key: &K, place: EscrowPlace, ik: &IdentityKey) -> Envelope {
    seal_document(key, &place.context(), &Escrow { v: V1, ik: ik.duplicate() }).expect(SMALL)
}

/// Opens ESCROW.
///
/// # Errors
/// [`Integrity`] if the envelope is not the ESCROW of this place.
pub fn open_escrow<K: Key>(
    key: &K,
    place: EscrowPlace,
    envelope: &Envelope,
) -> Result<IdentityKey, Integrity> {
    open_document::<_, Escrow>(key, &place.context(), envelope).map(|escrow| escrow.ik)
}

impl EscrowPlace {
    fn context(self) -> Context {
        let context = Context::new(Purpose::Escrow).org(self.org).b(self.identity.as_bytes()).n1(self.ik_gen);
        match self.creator {
            Some(creator) => context.a(creator.as_bytes()),
            None => context,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    v: V1,
    #[serde(with = "text::key")]
    rk: RootKey,
}

/// Seals ROOT: the root key for an owner, under the owner's IK.
pub fn seal_root(ik: &IdentityKey, org: OrgId, owner: IdentityId, rk_gen: u64, rk: &RootKey) -> Envelope {
    seal_document(ik, &root_context(org, owner, rk_gen), &Root { v: V1, rk: rk.duplicate() }).expect(SMALL)
}

/// Opens ROOT.
///
/// # Errors
/// [`Integrity`] if the envelope is not this owner's ROOT.
pub fn open_root(
    ik: &IdentityKey,
    org: OrgId,
    owner: IdentityId,
    rk_gen: u64,
    envelope: &Envelope,
) -> Result<RootKey, Integrity> {
    open_document::<_, Root>(ik, &root_context(org, owner, rk_gen), envelope).map(|root| root.rk)
}

fn root_context(org: OrgId, owner: IdentityId, rk_gen: u64) -> Context {
    Context::new(Purpose::Root).org(org).a(owner.as_bytes()).n1(rk_gen)
}

/// ORGKEY_ROOT and ORGKEY_ADMIN: the organisation key of an epoch, with the epoch's nonce.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgKeyDocument {
    v: V1,
    /// OK_e: the organisation key of the epoch.
    #[serde(with = "text::key")]
    pub ok: OrgKey,
    /// nonce_e: the epoch's nonce.
    pub nonce: Nonce,
}

impl OrgKeyDocument {
    /// Makes the document.
    pub fn new(ok: &OrgKey, nonce: Nonce) -> Self {
        Self { v: V1, ok: ok.duplicate(), nonce }
    }

    /// Seals ORGKEY_ROOT, under the root key.
    pub fn seal_for_root(&self, rk: &RootKey, org: OrgId, epoch: u64) -> Envelope {
        seal_document(rk, &Context::new(Purpose::OrgKeyRoot).org(org).n1(epoch), self).expect(SMALL)
    }

    /// Seals ORGKEY_ADMIN, under an admin's DK.
    pub fn seal_for_admin(&self, dk: &DeliveryKey, org: OrgId, admin: IdentityId, epoch: u64) -> Envelope {
        seal_document(dk, &admin_context(org, admin, epoch), self).expect(SMALL)
    }

    /// Opens ORGKEY_ROOT.
    ///
    /// # Errors
    /// [`Integrity`] if the envelope is not the ORGKEY_ROOT of this epoch.
    pub fn open_for_root(
        rk: &RootKey,
        org: OrgId,
        epoch: u64,
        envelope: &Envelope,
    ) -> Result<Self, Integrity> {
        open_document(rk, &Context::new(Purpose::OrgKeyRoot).org(org).n1(epoch), envelope)
    }

    /// Opens ORGKEY_ADMIN.
    ///
    /// # Errors
    /// [`Integrity`] if the envelope is not this admin's ORGKEY_ADMIN of this epoch.
    pub fn open_for_admin(
        dk: &DeliveryKey,
        org: OrgId,
        admin: IdentityId,
        epoch: u64,
        envelope: &Envelope,
    ) -> Result<Self, Integrity> {
        open_document(dk, &admin_context(org, admin, epoch), envelope)
    }
}

fn admin_context(org: OrgId, admin: IdentityId, epoch: u64) -> Context {
    Context::new(Purpose::OrgKeyAdmin).org(org).a(admin.as_bytes()).n1(epoch)
}

const SMALL: &str = "a document of one key is small";
