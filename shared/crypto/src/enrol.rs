//! Making identities and credentials (CRYPTO.md §2.8, §2.13 F1, F4, F19).

use std::collections::BTreeSet;

use keyward_wire::api::credentials::{CredentialKind, NewCredential};
use keyward_wire::api::org::AuditHead;
use keyward_wire::api::signup::SignupRequest;
use keyward_wire::api::write::{NewEscrow, RootEnvelope, RootKind};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::name::{Email, Name};
use keyward_wire::{CredentialId, GroupId, IdentityId, Nonce, OrgId, Salt};

use crate::absent::assert_secret;
use crate::change::{ChangeError, Draft};
use crate::edit::{EditError, check_name_free};
use crate::state::V1;
use crate::state::cred::{Cred, CredFacts};
use crate::state::org::{Identity, Org};
use crate::state::roots::{EscrowPlace, OrgKeyDocument, Recovery, open_escrow, seal_escrow, seal_root};
use crate::{
    CredentialKeys, Halves, IdentityKey, Integrity, OrgKey, Password, RootKey, Token, TokenKind,
    derive_delivery, derive_password, derive_secret, new_id, random_bytes,
};

/// The identity that enrols another: the new identity's ESCROW is sealed under its key.
pub enum Enroller<'a> {
    /// An owner, with the root key.
    Owner(&'a RootKey),
    /// An admin, with its own key.
    Admin(IdentityId, &'a IdentityKey),
}

/// A new API user or gateway, as the owner or admin asks for it.
pub struct ApiUser {
    /// [`IdentityKind::Api`] or [`IdentityKind::Gateway`].
    pub kind: IdentityKind,
    /// The name, unique among identities.
    pub name: Name,
    /// The role: `viewer` or `user`.
    pub role: Role,
    /// The groups.
    pub groups: BTreeSet<GroupId>,
    /// When the identity ends, in milliseconds UTC. `None` if it never ends.
    pub not_after: Option<i64>,
}

impl Draft {
    /// Adds an API user or gateway with one token. Show the token only once the write is confirmed.
    ///
    /// # Errors
    /// [`ChangeError::Edit`] if the name is taken or a group is not there.
    pub fn enrol_api_user(&mut self, user: ApiUser, enroller: &Enroller<'_>) -> Result<Token, ChangeError> {
        check_name_free(
            "an identity",
            &user.name,
            self.org.identities.iter().map(|identity| &identity.name),
        )?;
        if user.groups.iter().any(|group| self.org.group(*group).is_none()) {
            return Err(EditError::NotThere.into());
        }
        let (id, ik) = (new_id(), IdentityKey::generate());
        self.org.identities.push(Identity {
            id,
            kind: user.kind,
            role: user.role,
            name: user.name,
            email: None,
            creator: Some(self.org.written_by),
            ik_gen: 1,
            dk: derive_delivery(&ik, self.org.org, id, self.org.epoch, &self.org.nonce),
            not_after: user.not_after,
            groups: user.groups,
            grant_seq: None,
        });
        let place = EscrowPlace { org: self.org.org, creator: enroller.creator(), identity: id, ik_gen: 1 };
        let env = enroller.seal(place, &ik);
        self.add_escrow(NewEscrow { identity: id, creator: place.creator, ik_gen: 1, env });
        Ok(self.issue_token(id, 1, &ik))
    }

    /// Gives an API user another token over the same IK; the server ends the former tokens. A new GRANT comes with it, so that a
    /// client with the new token can refuse every older GRANT.
    pub fn issue_token(&mut self, identity: IdentityId, ik_gen: u64, ik: &IdentityKey) -> Token {
        self.regrant(identity);
        let token = Token::generate(TokenKind::Api);
        let facts = CredFacts {
            kind: CredentialKind::Token,
            org: self.org.org,
            id: identity,
            ik_gen,
            epoch: self.org.epoch,
            min_seq: self.seq(),
            not_after: None,
        };
        let keys = derive_secret(token.id, &token.secret);
        self.add_credential(credential(token.id, facts, &keys, ik, None));
        token
    }
}

impl Enroller<'_> {
    /// Opens an ESCROW that this enroller sealed.
    ///
    /// # Errors
    /// [`Integrity`] if another enroller sealed it.
    pub fn open(&self, org: OrgId, escrow: &NewEscrow) -> Result<IdentityKey, Integrity> {
        let place =
            EscrowPlace { org, creator: self.creator(), identity: escrow.identity, ik_gen: escrow.ik_gen };
        match self {
            Self::Owner(rk) => open_escrow(*rk, place, &escrow.env),
            Self::Admin(_, ik) => open_escrow(*ik, place, &escrow.env),
        }
    }

    fn creator(&self) -> Option<IdentityId> {
        match self {
            Self::Owner(_) => None,
            Self::Admin(id, _) => Some(*id),
        }
    }

    fn seal(&self, place: EscrowPlace, ik: &IdentityKey) -> keyward_wire::Envelope {
        match self {
            Self::Owner(rk) => seal_escrow(*rk, place, ik),
            Self::Admin(_, own) => seal_escrow(*own, place, ik),
        }
    }
}

/// A device credential for the holder of `cred`: the halves that the device keeps, and the credential that the server stores.
pub fn new_device(cred: &Cred, epoch: u64, min_seq: u64, not_after: i64) -> (Halves, NewCredential) {
    let facts = CredFacts {
        kind: CredentialKind::Device,
        org: cred.org,
        id: cred.id,
        ik_gen: cred.ik_gen,
        epoch,
        min_seq,
        not_after: Some(not_after),
    };
    device(facts, &cred.ik)
}

/// A new organisation with its first owner.
pub struct Signup {
    /// The request to send.
    pub request: SignupRequest,
    /// The recovery kit's secret. Store it safely before sending.
    pub recovery: Token,
    /// The device credential with which the owner is signed in after the sign-up.
    pub device: Halves,
    /// The owner's key, under which its LOCAL is sealed.
    pub ik: IdentityKey,
}

assert_secret!(Signup, Enroller<'_>);

/// Makes everything of F1: a new organisation with its first owner. `device_not_after` ends the device credential.
pub fn sign_up(
    org_name: Name,
    email: &Email,
    password: &Password,
    now: i64,
    device_not_after: i64,
    setup_code: Option<String>,
) -> Signup {
    let (org, owner) = (new_id::<OrgId>(), new_id::<IdentityId>());
    let (ik, rk, ok) = (IdentityKey::generate(), RootKey::generate(), OrgKey::generate());
    let nonce = Nonce::from_bytes(random_bytes());
    let dk = derive_delivery(&ik, org, owner, 1, &nonce);

    let facts = CredFacts {
        kind: CredentialKind::Password,
        org,
        id: owner,
        ik_gen: 1,
        epoch: 1,
        min_seq: 1,
        not_after: None,
    };
    let (password_id, salt) = (new_id::<CredentialId>(), Salt::from_bytes(random_bytes()));
    let password_keys = derive_password(password, email, password_id, &salt);
    let password_credential = credential(password_id, facts, &password_keys, &ik, Some(salt));
    let recovery = Token::generate(TokenKind::Recovery);
    let recovery_keys = derive_secret(recovery.id, &recovery.secret);
    let recovery_credential = NewCredential {
        id: recovery.id,
        identity: owner,
        kind: CredentialKind::Recovery,
        salt: None,
        auth_sha256: recovery_keys.auth.verifier(),
        env: Recovery::new(org, &rk, 1).seal(&recovery_keys.unlock, recovery.id),
        not_after: None,
    };
    let device_facts = CredFacts { kind: CredentialKind::Device, not_after: Some(device_not_after), ..facts };
    let (device, device_credential) = device(device_facts, &ik);

    let orgkey = OrgKeyDocument::new(&ok, nonce);
    // An e-mail address may have characters that a name may not.
    let owner_name = email.as_str().parse().unwrap_or_else(|_| "owner".parse().expect("a usable name"));
    let state = first_state(
        org,
        org_name,
        nonce,
        owner,
        now,
        Identity {
            id: owner,
            kind: IdentityKind::Human,
            role: Role::Owner,
            name: owner_name,
            email: Some(email.clone()),
            creator: None,
            ik_gen: 1,
            dk: dk.duplicate(),
            not_after: None,
            groups: BTreeSet::new(),
            grant_seq: None,
        },
    );
    let root = |kind, identity, env| RootEnvelope { kind, identity, generation: 1, env };
    let place = EscrowPlace { org, creator: None, identity: owner, ik_gen: 1 };
    let request = SignupRequest {
        org,
        identity: owner,
        email: email.clone(),
        nonce,
        state: state.seal(&ok).expect("an organisation of one is small"),
        credentials: vec![password_credential, recovery_credential, device_credential],
        escrow: NewEscrow { identity: owner, creator: None, ik_gen: 1, env: seal_escrow(&rk, place, &ik) },
        roots: vec![
            root(RootKind::Root, Some(owner), seal_root(&ik, org, owner, 1, &rk)),
            root(RootKind::OrgkeyRoot, None, orgkey.seal_for_root(&rk, org, 1)),
            root(RootKind::OrgkeyAdmin, Some(owner), orgkey.seal_for_admin(&dk, org, owner, 1)),
        ],
        setup_code,
    };
    Signup { request, recovery, device, ik }
}

fn first_state(
    org: OrgId,
    org_name: Name,
    nonce: Nonce,
    owner: IdentityId,
    now: i64,
    identity: Identity,
) -> Org {
    Org {
        v: V1,
        org,
        org_name,
        seq: 1,
        epoch: 1,
        nonce,
        written_at: now,
        written_by: owner,
        prev: Vec::new(),
        identities: vec![identity],
        groups: Vec::new(),
        deployments: Vec::new(),
        assignments: Vec::new(),
        keys: Vec::new(),
        views: Vec::new(),
        audit_head: AuditHead { seq: 0, hash: keyward_wire::api::audit::genesis(org) },
        agents: Vec::new(),
        recoveries: Vec::new(),
    }
}

fn device(facts: CredFacts, ik: &IdentityKey) -> (Halves, NewCredential) {
    let token = Token::generate(TokenKind::Device);
    let keys = derive_secret(token.id, &token.secret);
    let credential = credential(token.id, facts, &keys, ik, None);
    (Halves::from_keys(token.id, &keys), credential)
}

pub(crate) fn credential(
    id: CredentialId,
    facts: CredFacts,
    keys: &CredentialKeys,
    ik: &IdentityKey,
    salt: Option<Salt>,
) -> NewCredential {
    NewCredential {
        id,
        identity: facts.id,
        kind: facts.kind,
        salt,
        auth_sha256: keys.auth.verifier(),
        env: Cred::new(facts, ik).seal(&keys.unlock, id),
        not_after: facts.not_after,
    }
}

#[cfg(test)]
mod tests;
