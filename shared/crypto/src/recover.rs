//! The way back in: from the recovery kit to one more owner (CRYPTO.md §2.13 F15). Pure but for randomness.
//!
//! ```text
//! kit → RECOVERY → RK → ORGKEY_ROOT → OK → ORG      open: verified as an owner's client verifies it
//! Newcomer::new                                     the new owner's keys, once
//! Newcomer::request                                 what to send, on top of what was opened; again after a conflict
//! ```

use std::collections::BTreeSet;

use keyward_wire::api::credentials::{CredentialKind, NewCredential};
use keyward_wire::api::recovery::{RecoveryAnswer, RecoveryRequest};
use keyward_wire::api::write::{Base, NewEscrow, RootEnvelope, RootKind};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::name::{Email, Name};
use keyward_wire::{CredentialId, IdentityId, Salt};

use crate::absent::assert_secret;
use crate::change::{Author, ChangeError, Draft};
use crate::edit::check_name_free;
use crate::enrol::credential;
use crate::state::cred::CredFacts;
use crate::state::org::{Identity, Org, OrgPlace, RECOVERIES, Recovered};
use crate::state::roots::{EscrowPlace, OrgKeyDocument, Recovery, seal_escrow, seal_root};
use crate::verify::{Floors, Stale, VerifyError};
use crate::{
    CredentialKeys, Halves, IdentityKey, Integrity, OrgKey, Password, Token, TokenKind, derive_delivery,
    derive_password, derive_secret, new_id, random_bytes,
};

/// The organisation, opened with the kit.
pub struct Opened {
    /// ORG.
    pub org: Org,
    ok: OrgKey,
}

assert_secret!(Opened, Newcomer);

/// Opens the organisation with the root key of the kit.
///
/// A client that recovers has no memory: it cannot tell whether this is the newest state, except by `floors`.
///
/// # Errors
/// [`VerifyError::Integrity`] if the answer is not what was sealed under this root key, [`VerifyError::Stale`] if it is below a
/// floor.
pub fn open(kit: &Recovery, answer: &RecoveryAnswer, floors: &Floors) -> Result<Opened, VerifyError> {
    let (seen, floor) = (answer.epoch, floors.min_epoch);
    if seen < floor {
        return Err(VerifyError::Stale(Stale::Epoch { seen, floor, source_of_floor: "KEYWARD_MIN_EPOCH" }));
    }
    let document = OrgKeyDocument::open_for_root(&kit.rk, kit.org, answer.epoch, &answer.orgkey)?;
    let place = OrgPlace { org: kit.org, epoch: answer.epoch, seq: answer.seq };
    let org = Org::open(&document.ok, place, &answer.env)?;
    let owned = org.identities.iter().any(|identity| identity.role == Role::Owner);
    if document.nonce != answer.nonce || org.nonce != answer.nonce || !owned {
        return Err(Integrity.into());
    }
    let (seen, floor) = (org.seq, floors.min_seq);
    if seen < floor {
        return Err(VerifyError::Stale(Stale::Seq { seen, floor, source_of_floor: "KEYWARD_MIN_SEQ" }));
    }
    Ok(Opened { org, ok: document.ok })
}

/// A new owner in the making.
pub struct Newcomer {
    /// The new owner's id.
    pub id: IdentityId,
    /// The new kit's secret. Store it safely before anything is sent.
    pub kit: Token,
    name: Name,
    email: Email,
    ik: IdentityKey,
    password: (CredentialId, Salt, CredentialKeys),
    device: Token,
}

/// The request to send, and the organisation's state if it is accepted.
pub struct Prepared {
    /// The request.
    pub request: RecoveryRequest,
    /// The organisation's state after the recovery.
    pub after: Base,
}

impl Newcomer {
    /// Makes the keys of a new owner with this password.
    pub fn new(name: Name, email: Email, password: &Password) -> Self {
        let (id, salt) = (new_id::<CredentialId>(), Salt::from_bytes(random_bytes()));
        let keys = derive_password(password, &email, id, &salt);
        Self {
            id: new_id(),
            kit: Token::generate(TokenKind::Recovery),
            name,
            email,
            ik: IdentityKey::generate(),
            password: (id, salt, keys),
            device: Token::generate(TokenKind::Device),
        }
    }

    /// The device credential with which the new owner is signed in after the recovery.
    pub fn device(&self) -> Halves {
        Halves::from_keys(self.device.id, &derive_secret(self.device.id, &self.device.secret))
    }

    /// The request that adds this owner, on top of `answer`, and a new kit for the same root key.
    ///
    /// `before` and `after` are the same answer, opened twice: keys are never cloned.
    ///
    /// # Errors
    /// [`ChangeError::Edit`] if the name is taken, [`ChangeError::TooLarge`].
    pub fn request(
        &self,
        kit: &Recovery,
        answer: &RecoveryAnswer,
        (before, after): (Opened, Opened),
        now: i64,
        device_end: i64,
    ) -> Result<Prepared, ChangeError> {
        let base_sha256 = answer.env.sha256();
        let author = Author { identity: self.id, now, base_sha256, audit_head: answer.audit_head };
        let ok = after.ok;
        let mut draft = Draft::new(before.org, after.org, author);
        let org = &mut draft.org;
        check_name_free("an identity", &self.name, org.identities.iter().map(|identity| &identity.name))?;
        let (epoch, nonce, seq) = (org.epoch, org.nonce, org.seq);
        let dk = derive_delivery(&self.ik, kit.org, self.id, epoch, &nonce);
        let orgkey = OrgKeyDocument::new(&ok, nonce).seal_for_admin(&dk, kit.org, self.id, epoch);
        org.identities.push(Identity {
            id: self.id,
            kind: IdentityKind::Human,
            role: Role::Owner,
            name: self.name.clone(),
            email: Some(self.email.clone()),
            creator: None,
            ik_gen: 1,
            dk,
            not_after: None,
            groups: BTreeSet::new(),
            grant_seq: None,
        });
        org.recoveries.insert(0, Recovered { seq, at: now, identity: self.id, email: self.email.clone() });
        org.recoveries.truncate(RECOVERIES);
        let finished = draft.finish(&ok)?;

        let rk = seal_root(&self.ik, kit.org, self.id, kit.rk_gen, &kit.rk);
        let root = |kind, generation, env| RootEnvelope { kind, identity: Some(self.id), generation, env };
        let place = EscrowPlace { org: kit.org, creator: None, identity: self.id, ik_gen: 1 };
        let request = RecoveryRequest {
            base: finished.request.base,
            org: finished.request.org,
            identity: self.id,
            email: self.email.clone(),
            credentials: self.credentials(kit, epoch, seq, device_end),
            escrow: NewEscrow {
                identity: self.id,
                creator: None,
                ik_gen: 1,
                env: seal_escrow(&kit.rk, place, &self.ik),
            },
            roots: vec![root(RootKind::Root, kit.rk_gen, rk), root(RootKind::OrgkeyAdmin, epoch, orgkey)],
        };
        Ok(Prepared { request, after: finished.after })
    }

    fn credentials(&self, kit: &Recovery, epoch: u64, min_seq: u64, device_end: i64) -> Vec<NewCredential> {
        let facts = CredFacts {
            kind: CredentialKind::Password,
            org: kit.org,
            id: self.id,
            ik_gen: 1,
            epoch,
            min_seq,
            not_after: None,
        };
        let (id, salt, keys) = &self.password;
        let password = credential(*id, facts, keys, &self.ik, Some(*salt));
        let keys = derive_secret(self.device.id, &self.device.secret);
        let facts = CredFacts { kind: CredentialKind::Device, not_after: Some(device_end), ..facts };
        let device = credential(self.device.id, facts, &keys, &self.ik, None);
        vec![password, new_kit(&self.kit, self.id, kit), device]
    }
}

/// The credential of a new kit for the same root key, in the name of `owner`.
pub fn new_kit(token: &Token, owner: IdentityId, recovery: &Recovery) -> NewCredential {
    let keys = derive_secret(token.id, &token.secret);
    NewCredential {
        id: token.id,
        identity: owner,
        kind: CredentialKind::Recovery,
        salt: None,
        auth_sha256: keys.auth.verifier(),
        env: recovery.seal(&keys.unlock, token.id),
        not_after: None,
    }
}

#[cfg(test)]
mod tests;
