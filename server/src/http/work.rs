//! The work on a request of an authenticated caller: one transaction with the organisation locked, from proof to audit.

use axum::response::Response;
use keyward_wire::api::org::AuditHead;

use super::{Answer, Failure, answer};
use crate::access::{Action, Actor, Permit, permit};
use crate::audit::{self, Event, Origin};
use crate::auth::Proved;
use crate::store::{OrgRow, SignedIn, Tx};

/// The caller, and the transaction in which all of the answer is read and written.
///
/// Dropped, it leaves no trace. Ended by [`Work::answer`], everything is durable before an answer is sent (S8).
pub(super) struct Work {
    /// The transaction.
    pub tx: Tx,
    /// The caller's organisation, locked.
    pub org: OrgRow,
    /// The caller.
    pub actor: Actor,
    /// When identity, credential and session end.
    pub holder: SignedIn,
    /// CRED. `None` if a session was proved and not the credential itself.
    pub cred: Option<keyward_wire::Envelope>,
    /// When the credential last proved itself before, if the request carries its proof.
    pub last_used_at: Option<i64>,
    /// The present time, by the database's clock.
    pub now: i64,
    origin: Origin,
}

impl Work {
    pub(super) fn new(tx: Tx, proved: Proved, ip: Option<std::net::IpAddr>) -> Self {
        let Proved { org, actor, holder, cred, last_used_at, now } = proved;
        let origin = Origin { actor: Some(actor.identity), ip };
        Self { tx, org, actor, holder, cred, last_used_at, now, origin }
    }

    /// A permit for `action`, if the caller may do it.
    pub(super) fn permit(&self, action: Action) -> Result<Permit, Failure> {
        Ok(permit(&self.actor, action, self.now)?)
    }

    /// The head of the audit chain.
    pub(super) fn audit_head(&self) -> AuditHead {
        AuditHead { seq: self.org.audit_seq, hash: self.org.audit_hash }
    }

    /// Records the events, makes everything durable, and returns the answer with the audit header.
    pub(super) async fn answer(self, events: &[Event], response: Response) -> Answer {
        let administers = self.actor.role.administers();
        let head = self.commit(events).await?;
        Ok(answer::audited(response, administers, head))
    }

    /// Records the events and makes everything durable.
    pub(super) async fn commit(mut self, events: &[Event]) -> Result<AuditHead, Failure> {
        let head = audit::append(&mut self.tx, &mut self.org, self.now, self.origin, events).await?;
        self.tx.commit().await?;
        Ok(head)
    }
}
