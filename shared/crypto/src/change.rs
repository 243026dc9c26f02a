//! An admin's write: from a changed ORG to the one request that carries it (CRYPTO.md §2.7 “Admin client”, §2.13 F9–F12).
//!
//! ```text
//! Draft::new(before, after)   the same ORG opened twice; `after` is changed
//!   … edits, add_key, add_version, enrol …
//!   to_reseal()               keys that somebody just lost: the caller fetches their SECRETs
//!   reseal(key, envelope)     the same value under a fresh DEK, marked as exposed
//! finish(ok)                  views and grants rebuilt where their readers would notice; the request
//! ```
//! Recipients come from ORG alone (I2). Pure but for randomness.

mod loss;

use std::collections::BTreeSet;
use std::rc::Rc;

use keyward_wire::access::{Audience, Facts};
use keyward_wire::api::bundle::SecretItem;
use keyward_wire::api::credentials::NewCredential;
use keyward_wire::api::org::{AuditHead, SecretRef};
use keyward_wire::api::write::{Base, NewEscrow, NewGrant, NewView, WriteRequest};
use keyward_wire::limits::{OLD_VERSIONS, VIEWS};
use keyward_wire::name::Name;
use keyward_wire::{CredentialId, Envelope, IdentityId, KeyId, Sha256, ViewId};

pub use self::loss::{LossReason, Lost};
use crate::TooLarge;
use crate::absent::assert_secret;
use crate::edit::{EditError, check_name_free};
use crate::relations::delta;
use crate::state::grant::{Grant, GrantPlace};
use crate::state::org::{Identity, KeyEntry, OldVersion, Org, PREV_LIMIT, Prev, ViewEntry};
use crate::state::secret::{Secret, SecretPlace};
use crate::state::view::{View, ViewPlace};
use crate::view::{build_for, same_content};
use crate::{DataKey, Integrity, OrgKey, ViewKey, new_id};

/// Why a change cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The change makes no sense on the current ORG.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// ORG, a view or a value does not fit its envelope.
    #[error("{0} is too large; a value may have 63 KiB, an organisation's state 8 MiB")]
    TooLarge(&'static str),
    /// More sets of groups are in use than an organisation may have views.
    #[error(
        "more than {VIEWS} views: one for each different combination of groups, and for each gateway; put identities into \
         fewer combinations"
    )]
    TooManyViews,
    /// A key that somebody loses by this write was not resealed: see [`Draft::to_reseal`].
    #[error("a key that somebody loses is still sealed as they know it")]
    NotResealed,
    /// A stored value that must be resealed is not what ORG says it is.
    #[error(transparent)]
    Integrity(#[from] Integrity),
}

/// Facts about the write: who, when, and on top of what.
#[derive(Debug, Clone, Copy)]
pub struct Author {
    /// The identity that writes.
    pub identity: IdentityId,
    /// The time of the write, in milliseconds UTC.
    pub now: i64,
    /// SHA-256 of the ORG envelope that the change starts from.
    pub base_sha256: Sha256,
    /// The audit head that the writer saw.
    pub audit_head: AuditHead,
}

/// A write in the making.
pub struct Draft {
    before: Rc<Org>,
    /// ORG as it will be after the write. Change it with its own functions.
    pub org: Org,
    author: Author,
    secrets: Vec<SecretItem>,
    drop_secrets: Vec<SecretRef>,
    credentials: Vec<NewCredential>,
    drop_credentials: Vec<CredentialId>,
    escrows: Vec<NewEscrow>,
    compromised: BTreeSet<IdentityId>,
    loss_reason: LossReason,
    regrant: BTreeSet<IdentityId>,
}

/// A write, ready to be sent.
pub struct Finished {
    /// The request.
    pub request: WriteRequest,
    /// The organisation's state after the write, if the server accepts it.
    pub after: Base,
}

assert_secret!(Draft);

impl Draft {
    /// Starts a write. `before` and `after` are the same ORG, opened twice: keys are never cloned.
    pub fn new(before: impl Into<Rc<Org>>, mut after: Org, author: Author) -> Self {
        let before = before.into();
        after.prev.insert(0, Prev { seq: before.seq, sha256: author.base_sha256 });
        after.prev.truncate(PREV_LIMIT);
        after.seq = before.seq + 1;
        after.written_at = author.now;
        after.written_by = author.identity;
        after.audit_head = author.audit_head;
        Self {
            before,
            org: after,
            author,
            secrets: Vec::new(),
            drop_secrets: Vec::new(),
            credentials: Vec::new(),
            drop_credentials: Vec::new(),
            escrows: Vec::new(),
            compromised: BTreeSet::new(),
            loss_reason: LossReason::Excluded,
            regrant: BTreeSet::new(),
        }
    }

    /// Adds a key with its first version.
    ///
    /// # Errors
    /// [`ChangeError::Edit`] if the name is taken, [`ChangeError::TooLarge`].
    pub fn add_key(&mut self, name: Name, secret: &Secret) -> Result<KeyId, ChangeError> {
        check_name_free("a key", &name, self.org.keys.iter().map(|key| &key.name))?;
        let id = new_id();
        let (dek, envelope) = self.seal_secret(id, 1, 0, secret)?;
        self.org.keys.push(KeyEntry {
            id,
            name,
            alias: None,
            provider: None,
            tags: Vec::new(),
            set: None,
            version: 1,
            reseal: 0,
            dek,
            sha256: envelope.sha256(),
            updated_at: self.author.now,
            updated_by: self.author.identity,
            history: Vec::new(),
            exposed: Vec::new(),
        });
        self.secrets.push(SecretItem { key: id, version: 1, reseal: 0, env: envelope });
        Ok(id)
    }

    /// Gives a key a new version under a fresh DEK. The former version becomes history, with a copy of the marks of who may know
    /// its value.
    ///
    /// # Errors
    /// [`ChangeError::Edit`] if there is no such key, [`ChangeError::TooLarge`].
    pub fn add_version(&mut self, id: KeyId, secret: &Secret) -> Result<u64, ChangeError> {
        let version = self.org.key(id).ok_or(EditError::NotThere)?.version + 1;
        let (dek, envelope) = self.seal_secret(id, version, 0, secret)?;
        let Author { now, identity, .. } = self.author;
        let key = self.org.key_mut(id).ok_or(EditError::NotThere)?;
        let old = OldVersion {
            version: key.version,
            reseal: key.reseal,
            dek: std::mem::replace(&mut key.dek, dek),
            sha256: key.sha256,
            at: key.updated_at,
            by: key.updated_by,
            exposed: key.exposed.clone(),
        };
        key.history.insert(0, old);
        key.history.truncate(OLD_VERSIONS);
        (key.version, key.reseal, key.sha256) = (version, 0, envelope.sha256());
        (key.updated_at, key.updated_by) = (now, identity);
        self.secrets.push(SecretItem { key: id, version, reseal: 0, env: envelope });
        Ok(version)
    }

    /// Forgets the old versions of a key up to `last`, for good: the server deletes them with this write. What is left of the
    /// history has no gaps, so it is still known who lost access after a version that is kept. Returns the versions that are
    /// forgotten.
    ///
    /// # Errors
    /// [`ChangeError::Edit`] if there is no such key.
    pub fn forget(&mut self, id: KeyId, last: u64) -> Result<Vec<u64>, ChangeError> {
        let key = self.org.key_mut(id).ok_or(EditError::NotThere)?;
        let (kept, gone) =
            std::mem::take(&mut key.history).into_iter().partition(|old: &OldVersion| old.version > last);
        key.history = kept;
        let gone: Vec<u64> = gone.iter().map(|old: &OldVersion| old.version).collect();
        self.drop_secrets.extend(gone.iter().map(|version| SecretRef { key: id, version: *version }));
        Ok(gone)
    }

    /// Says how the keys that this write takes away are lost. Without a word they are [excluded](LossReason::Excluded).
    pub fn set_loss_reason(&mut self, reason: LossReason) {
        self.loss_reason = reason;
    }

    /// Has everything resealed that this identity could read before the write, although the write removes the identity. What it
    /// could read is lost for [`LossReason::Compromised`].
    pub fn mark_compromised(&mut self, identity: IdentityId) {
        self.compromised.insert(identity);
    }

    /// Gives every reader a new GRANT: proof that this state is current, for clients with `--max-age`.
    pub fn regrant_all(&mut self) {
        self.regrant = self.org.readers().map(|reader| reader.id).collect();
    }

    /// Gives this reader a new GRANT.
    pub fn regrant(&mut self, identity: IdentityId) {
        self.regrant.insert(identity);
    }

    /// Adds a credential, which begins with this write.
    pub fn add_credential(&mut self, credential: NewCredential) {
        self.credentials.push(credential);
    }

    /// Drops a credential, which ends with this write.
    pub fn drop_credential(&mut self, credential: CredentialId) {
        self.drop_credentials.push(credential);
    }

    /// Adds an ESCROW, which is stored with this write.
    pub fn add_escrow(&mut self, escrow: NewEscrow) {
        self.escrows.push(escrow);
    }

    /// Seq of the write.
    pub fn seq(&self) -> u64 {
        self.org.seq
    }

    /// Rebuilds the views and grants whose readers would notice, seals ORG and makes the request.
    ///
    /// # Errors
    /// [`ChangeError::TooLarge`], [`ChangeError::TooManyViews`], [`ChangeError::NotResealed`].
    pub fn finish(mut self, ok: &OrgKey) -> Result<Finished, ChangeError> {
        if !self.to_reseal().is_empty() {
            return Err(ChangeError::NotResealed);
        }
        let still_there: BTreeSet<KeyId> = self.org.keys.iter().map(|key| key.id).collect();
        self.secrets.retain(|secret| still_there.contains(&secret.key));
        self.mark_exposed();
        let (views, drop_views) = self.rebuild_views()?;
        let grants = self.grants(&views);
        for identity in &mut self.org.identities {
            if identity.role.administers() {
                identity.grant_seq = None;
            } else if let Some(grant) = grants.iter().find(|grant| grant.identity == identity.id) {
                identity.grant_seq = Some(grant.seq);
            }
        }
        let org = self.org.seal(ok).map_err(|_| ChangeError::TooLarge("the organisation's state"))?;
        let after = Base { seq: self.org.seq, sha256: org.sha256() };
        let request = WriteRequest {
            base: Base { seq: self.before.seq, sha256: self.author.base_sha256 },
            org,
            delta: delta(&self.before, &self.org),
            secrets: self.secrets,
            drop_secrets: self.drop_secrets,
            views,
            drop_views,
            grants,
            credentials: self.credentials,
            drop_credentials: self.drop_credentials,
            escrows: self.escrows,
            roots: Vec::new(),
            epoch: None,
        };
        Ok(Finished { request, after })
    }

    fn seal_secret(
        &self,
        key: KeyId,
        version: u64,
        reseal: u64,
        secret: &Secret,
    ) -> Result<(DataKey, Envelope), ChangeError> {
        let dek = DataKey::generate();
        let place = SecretPlace { org: self.org.org, key, version, reseal };
        let envelope = secret.seal(&dek, place).map_err(|TooLarge| ChangeError::TooLarge("the value"))?;
        Ok((dek, envelope))
    }

    fn rebuild_views(&mut self) -> Result<(Vec<NewView>, Vec<ViewId>), ChangeError> {
        let (old, new) = (self.before.facts(), self.org.facts());
        let in_use: BTreeSet<Audience> = self.org.readers().map(Identity::audience).collect();
        if in_use.len() > VIEWS {
            return Err(ChangeError::TooManyViews);
        }
        let (kept, dropped) = std::mem::take(&mut self.org.views)
            .into_iter()
            .partition(|view| in_use.contains(&view.audience()));
        self.org.views = kept;
        let mut built = Vec::new();
        for audience in in_use {
            let view = build_for(&self.org, &new, &audience);
            if !self.is_current(&view, &old, &audience) {
                built.push(self.seal_view(&view, audience)?);
            }
        }
        Ok((built, dropped.into_iter().map(|view: ViewEntry| view.id).collect()))
    }

    fn is_current(&self, view: &View, old: &Facts, audience: &Audience) -> bool {
        let exists = self.org.views.iter().any(|entry| entry.audience() == *audience);
        exists && same_content(&build_for(&self.before, old, audience), view)
    }

    fn seal_view(&mut self, view: &View, audience: Audience) -> Result<NewView, ChangeError> {
        let seq = self.org.seq;
        let old = self.org.views.iter().position(|entry| entry.audience() == audience);
        let id = old.map_or_else(new_id, |at| self.org.views.swap_remove(at).id);
        let vk = ViewKey::generate();
        let env = view
            .seal(&vk, ViewPlace { org: self.org.org, view: id, seq })
            .map_err(|TooLarge| ChangeError::TooLarge("what one combination of groups may read"))?;
        let (groups, gateway) = match audience {
            Audience::Groups(groups) => (groups, None),
            Audience::Gateway(gateway) => (BTreeSet::new(), Some(gateway)),
        };
        let list = groups.iter().copied().collect();
        self.org.views.push(ViewEntry { id, groups, gateway, seq, sha256: env.sha256(), vk });
        Ok(NewView { id, groups: list, gateway, seq, env })
    }

    fn grants(&self, rebuilt: &[NewView]) -> Vec<NewGrant> {
        let needs = |reader: &&Identity| {
            let unchanged = self.before.identity(reader.id).is_some_and(|was| {
                was.groups == reader.groups && was.role == reader.role && was.not_after == reader.not_after
            });
            let rebuilt =
                self.view_of(reader).is_some_and(|view| rebuilt.iter().any(|new| new.id == view.id));
            self.regrant.contains(&reader.id) || rebuilt || !unchanged
        };
        let seq = self.org.seq;
        let grant = |reader: &Identity| {
            let view = self.view_of(reader)?;
            let place = GrantPlace {
                org: self.org.org,
                identity: reader.id,
                view: view.id,
                epoch: self.org.epoch,
                seq,
            };
            let grant = Grant::new(&view.vk, view.seq, view.sha256, self.author.now, reader.not_after);
            Some(NewGrant { identity: reader.id, view: view.id, seq, env: grant.seal(&reader.dk, place) })
        };
        self.org.readers().filter(needs).filter_map(grant).collect()
    }

    fn view_of(&self, reader: &Identity) -> Option<&ViewEntry> {
        let audience = reader.audience();
        self.org.views.iter().find(|view| view.audience() == audience)
    }
}

/// Opens a key's current SECRET, whose hash must be the one in ORG.
///
/// # Errors
/// [`Integrity`] if the hash is another one, or the SECRET does not open.
pub fn open_current(org: &Org, key: &KeyEntry, envelope: &Envelope) -> Result<Secret, Integrity> {
    if envelope.sha256() != key.sha256 {
        return Err(Integrity);
    }
    let place = SecretPlace { org: org.org, key: key.id, version: key.version, reseal: key.reseal };
    Secret::open(&key.dek, place, envelope)
}

/// Opens an old version's SECRET, whose hash must be the one in ORG.
///
/// # Errors
/// [`Integrity`] if the hash is another one, or the SECRET does not open.
pub fn open_old(org: &Org, key: KeyId, old: &OldVersion, envelope: &Envelope) -> Result<Secret, Integrity> {
    if envelope.sha256() != old.sha256 {
        return Err(Integrity);
    }
    Secret::open(
        &old.dek,
        SecretPlace { org: org.org, key, version: old.version, reseal: old.reseal },
        envelope,
    )
}

#[cfg(test)]
mod tests;
