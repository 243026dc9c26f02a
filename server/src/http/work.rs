//! A request of somebody known: one transaction with the organisation locked, from proof to audit.

use axum::response::Response;
use keyward_wire::api::org::AuditHead;

use super::{Answer, Failure, answer};
use crate::access::{Action, Actor, Permit, permit};
use crate::audit::{self, Event, Origin};
use crate::auth::Proved;
use crate::store::{OrgRow, SignedIn, Tx};

/// Who asks, and the transaction in which all of the answer is read and written.
///
/// Dropped, it leaves no trace. Ended by [`Work::answer`], what happened is durable before anything is sent (S8).
pub(super) struct Work {
    /// The transaction.
    pub tx: Tx,
    /// The organisation, locked.
    pub org: OrgRow,
    /// Who.
    pub actor: Actor,
    /// When identity, credential and session end.
    pub holder: SignedIn,
    /// CRED, in the one-request form.
    pub cred: Option<keyward_wire::Envelope>,
    /// When its credential last proved itself before, in that form.
    pub last_used_at: Option<i64>,
    /// Now, by the database's clock.
    pub now: i64,
    origin: Origin,
}

impl Work {
    pub(super) fn new(tx: Tx, proved: Proved, ip: Option<std::net::IpAddr>) -> Self {
        let Proved { org, actor, holder, cred, last_used_at, now } = proved;
        let origin = Origin { actor: Some(actor.identity), ip };
        Self { tx, org, actor, holder, cred, last_used_at, now, origin }
    }

    /// May the actor?
    pub(super) fn permit(&self, action: Action) -> Result<Permit, Failure> {
        Ok(permit(&self.actor, action, self.now)?)
    }

    /// Where the audit chain stands.
    pub(super) fn audit_head(&self) -> AuditHead {
        AuditHead { seq: self.org.audit_seq, hash: self.org.audit_hash }
    }

    /// Records what happened, makes everything durable, and lets the answer go, with the audit header.
    pub(super) async fn answer(self, events: &[Event], response: Response) -> Answer {
        let administers = self.actor.role.administers();
        let head = self.commit(events).await?;
        Ok(answer::audited(response, administers, head))
    }

    /// Records what happened and makes everything durable.
    pub(super) async fn commit(mut self, events: &[Event]) -> Result<AuditHead, Failure> {
        let head = audit::append(&mut self.tx, &mut self.org, self.now, self.origin, events).await?;
        self.tx.commit().await?;
        Ok(head)
    }
}
