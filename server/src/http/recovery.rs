//! The way back in with the recovery kit (CRYPTO.md §2.13 F15).

use keyward_wire::api::recovery::{RecoveryAnswer, RecoveryRequest};
use keyward_wire::api::write::Base;
use keyward_wire::error::ErrorBody;

use super::{Answer, Call, Failure, Work, answer};
use crate::access::write::recovery as rule;
use crate::access::{Action, Refusal};
use crate::audit::Event;

/// What a new owner is made from: ORG and ORGKEY_ROOT.
///
/// Only for a session made with the recovery kit within the last 10 minutes.
#[utoipa::path(get, path = "/v1/recovery", operation_id = "recovery", tag = "recovery", responses(
    (status = 200, description = "The organisation's state", body = RecoveryAnswer),
))]
pub(super) async fn read(_: Call, mut work: Work) -> Answer {
    let permit = work.permit(Action::ReadRecovery)?;
    let orgkey = work.tx.orgkey_root(&permit).await?;
    let answer = RecoveryAnswer {
        seq: work.org.seq,
        sha256: work.org.sha256,
        env: work.tx.org_envelope(&permit).await?,
        epoch: work.org.epoch,
        nonce: work.org.nonce,
        orgkey: orgkey.ok_or(Failure::Internal("an organisation has no ORGKEY_ROOT"))?,
        audit_head: work.audit_head(),
    };
    let event = Event::recovery_read(work.org.seq);
    work.answer(&[event], answer::ok(&answer)).await
}

/// One more owner, and a new kit in the place of the one that was used: whole or not at all.
///
/// Only for a session made with the recovery kit within the last 10 minutes, which ends with it.
#[utoipa::path(post, path = "/v1/recovery", operation_id = "recover", tag = "recovery", request_body = RecoveryRequest, responses(
    (status = 200, description = "Where the organisation stands now", body = Base),
    (status = 409, description = "The organisation has changed since `base`, or an id or e-mail is taken", body = ErrorBody),
    (status = 422, description = "It is not one complete owner with a new kit", body = ErrorBody),
))]
pub(super) async fn recover(call: Call, mut work: Work) -> Answer {
    work.permit(Action::Recover)?;
    let request: RecoveryRequest = call.json()?;
    if (request.base.seq, request.base.sha256) != (work.org.seq, work.org.sha256) {
        return Err(Refusal::Conflict.into());
    }
    let before = work.tx.state(&work.org).await?;
    let (change, write) = rule::check(&work.actor, work.now, &before, request)?;
    call.server.app.prelogin_secret().check_free(&write.credentials)?;
    work.tx.apply(&change, &write, work.now).await?;
    let events: Vec<Event> = change.events().iter().map(Event::from).collect();
    let now = Base { seq: change.after().seq, sha256: write.org.sha256() };
    let (org, watch) = (work.org.id, call.server.app.watch().clone());
    let response = work.answer(&events, answer::ok(&now)).await?;
    watch.written(org, now.seq);
    Ok(response)
}
