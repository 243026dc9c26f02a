//! The events that are recorded: an action and opaque ids. Pure.

use std::fmt::Display;

use keyward_wire::api::agents::RequestCount;
use keyward_wire::api::audit::AuditRecord;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::{CredentialId, DeploymentId, IdentityId, KeyId, ViewId};

use crate::access;
use crate::store::{ObjectKind, ObjectRow};

/// Something that happened, to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(super) action: &'static str,
    pub(super) objects: Vec<String>,
    /// Keys by which a filter finds this event, beyond those among its objects.
    served: Vec<KeyId>,
}

impl Event {
    fn new<const N: usize>(action: &'static str, objects: [String; N]) -> Self {
        Self { action, objects: objects.into(), served: Vec::new() }
    }

    /// An organisation began, with its first owner.
    pub(crate) fn org_created(owner: IdentityId) -> Self {
        Self::new("org.created", [object("identity", owner)])
    }

    /// A credential proved itself and got a session.
    pub(crate) fn login_succeeded(credential: CredentialId, kind: CredentialKind) -> Self {
        Self::new("login.succeeded", [object("credential", credential), object("kind", kind.as_str())])
    }

    /// A log-in was refused: a known credential with a wrong proof, or one that has ended, or of a kind that is not taken here.
    /// `untold` earlier refusals of the same credential have no entry.
    pub(crate) fn login_refused(identity: IdentityId, credential: CredentialId, untold: u64) -> Self {
        let mut event =
            Self::new("login.refused", [object("identity", identity), object("credential", credential)]);
        event.objects.extend((untold > 0).then(|| object("untold", untold)));
        event
    }

    /// A session was ended by its holder.
    pub(crate) fn session_ended(credential: CredentialId) -> Self {
        Self::new("session.ended", [object("credential", credential)])
    }

    /// An identity made a credential for itself.
    pub(crate) fn credential_added(identity: IdentityId, credential: CredentialId) -> Self {
        Self::new("credential.added", [object("identity", identity), object("credential", credential)])
    }

    /// An identity gave up a credential of its own.
    pub(crate) fn credential_removed(identity: IdentityId, credential: CredentialId) -> Self {
        Self::new("credential.removed", [object("identity", identity), object("credential", credential)])
    }

    /// A credential was deleted because its secret was sent to the server.
    pub(crate) fn credential_revoked(identity: IdentityId, credential: CredentialId) -> Self {
        Self::new("credential.revoked", [object("identity", identity), object("credential", credential)])
    }

    /// A bundle of a view was sent, or confirmed to be unchanged.
    ///
    /// The event names the view's build and not its keys: the store knows which keys each build listed.
    pub(crate) fn view_read(
        changed: bool,
        view: Option<(ViewId, u64)>,
        deployment: Option<DeploymentId>,
    ) -> Self {
        let mut event = Self::new(bundle_action(changed), []);
        event.objects.extend(view.map(|(view, seq)| format!("view:{view}@{seq}")));
        event.objects.extend(deployment.map(|deployment| object("deployment", deployment)));
        event
    }

    /// An owner's or admin's bundle was sent, or confirmed to be unchanged.
    pub(crate) fn org_bundle_read(
        changed: bool,
        org_seq: u64,
        deployment: Option<DeploymentId>,
        served: Vec<KeyId>,
    ) -> Self {
        let mut event = Self::new(bundle_action(changed), [format!("org@{org_seq}")]);
        event.objects.extend(deployment.map(|deployment| object("deployment", deployment)));
        Self { served, ..event }
    }

    /// A gateway read what its agents may use.
    pub(crate) fn agents_read(org_seq: u64) -> Self {
        Self::new("agents.read", [format!("org@{org_seq}")])
    }

    /// A gateway says that it decided so many requests of one of its agents so.
    pub(crate) fn requests_decided(told: &RequestCount) -> Self {
        let mut event = Self::new("agent.requests", [object("agent", told.agent)]);
        event.objects.extend(told.key.map(|key| object("key", key)));
        event.objects.extend([object("decision", told.decision.as_str()), object("count", told.count)]);
        event
    }

    /// ORG was read.
    pub(crate) fn org_read(seq: u64) -> Self {
        Self::new("org.read", [format!("org@{seq}")])
    }

    /// The envelopes that a new owner is made from were read, with the recovery kit.
    pub(crate) fn recovery_read(seq: u64) -> Self {
        Self::new("recovery.read", [format!("org@{seq}")])
    }

    /// Versions of keys were read.
    pub(crate) fn secrets_read(versions: impl IntoIterator<Item = (KeyId, u64)>) -> Self {
        let objects = versions.into_iter().map(|(key, version)| format!("key:{key}@{version}"));
        Self { action: "secrets.read", objects: objects.collect(), served: Vec::new() }
    }

    /// An identity's ESCROW was read.
    pub(crate) fn escrow_read(identity: IdentityId) -> Self {
        Self::new("escrow.read", [object("identity", identity)])
    }

    /// The list of identities was read.
    pub(crate) fn identities_read() -> Self {
        Self::new("identities.read", [])
    }

    /// The audit log itself was read.
    pub(crate) fn audit_read() -> Self {
        Self::new("audit.read", [])
    }

    /// A known caller asked for what it may not have, or what does not exist.
    pub(crate) fn refused(method: &str, route: &str, code: &str) -> Self {
        Self::new("request.refused", [format!("route:{method} {route}"), object("code", code)])
    }

    /// How many bytes of memory the event takes, about.
    pub(crate) fn weight(&self) -> usize {
        self.objects.iter().map(String::len).sum::<usize>() + self.served.len() * size_of::<KeyId>()
    }

    /// The rows that filters look at, sorted.
    pub(super) fn index(&self) -> Vec<ObjectRow> {
        let served = self.served.iter().map(|key| ObjectRow {
            kind: ObjectKind::Key,
            id: *key.as_bytes(),
            view_seq: 0,
        });
        index(self.objects.iter().filter_map(|object| indexed(object)).chain(served))
    }
}

/// The rows that filters look at for an entry with these objects, beyond what [`lists_keys_beside`] says.
pub(crate) fn index_of(objects: &[String]) -> Vec<ObjectRow> {
    index(objects.iter().filter_map(|object| indexed(object)))
}

/// Whether the index has keys for this entry that the entry does not name: those of an owner's or admin's bundle.
pub(crate) fn lists_keys_beside(record: &AuditRecord) -> bool {
    let is_bundle = [true, false].map(bundle_action).contains(&record.action.as_str());
    is_bundle && record.objects.iter().any(|object| object.starts_with("org@"))
}

fn index(rows: impl Iterator<Item = ObjectRow>) -> Vec<ObjectRow> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows.dedup();
    rows
}

impl From<&access::Event> for Event {
    fn from(event: &access::Event) -> Self {
        Self { action: event.action, objects: event.objects.clone(), served: Vec::new() }
    }
}

const fn bundle_action(changed: bool) -> &'static str {
    if changed { "bundle.read" } else { "bundle.not_modified" }
}

fn object(kind: &str, id: impl Display) -> String {
    format!("{kind}:{id}")
}

fn indexed(object: &str) -> Option<ObjectRow> {
    let (kind, rest) = object.split_once(':')?;
    let (id, number) = rest.split_once('@').unwrap_or((rest, "0"));
    match kind {
        "key" => {
            Some(ObjectRow { kind: ObjectKind::Key, id: *id.parse::<KeyId>().ok()?.as_bytes(), view_seq: 0 })
        }
        "identity" => {
            let id = *id.parse::<IdentityId>().ok()?.as_bytes();
            Some(ObjectRow { kind: ObjectKind::Identity, id, view_seq: 0 })
        }
        "view" => {
            let id = *id.parse::<ViewId>().ok()?.as_bytes();
            Some(ObjectRow { kind: ObjectKind::View, id, view_seq: number.parse().ok()? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_finds_what_an_event_is_about() {
        let (key, view) = (KeyId::from_bytes([1; 16]), ViewId::from_bytes([2; 16]));
        let row = |kind, byte, view_seq| ObjectRow { kind, id: [byte; 16], view_seq };
        let read = Event::view_read(true, Some((view, 7)), Some(DeploymentId::from_bytes([3; 16])));
        assert_eq!(read.index(), [row(ObjectKind::View, 2, 7)]);
        let twice = Event::secrets_read([(key, 1), (key, 2)]);
        assert_eq!(twice.index(), [row(ObjectKind::Key, 1, 0)]);
        let admin = Event::org_bundle_read(true, 9, None, vec![key]);
        assert_eq!(admin.objects, ["org@9"]);
        assert_eq!(admin.index(), [row(ObjectKind::Key, 1, 0)]);
    }
}
