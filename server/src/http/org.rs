//! Reading and writing an organisation's state: owners and admins (CRYPTO.md §2.12 S1–S6).

use keyward_wire::api::org::{OrgAnswer, SecretsAnswer, SecretsRequest};
use keyward_wire::api::write::{Base, WriteRequest};
use keyward_wire::error::ErrorBody;
use keyward_wire::limits::{ANSWER_BYTES, SECRETS_PER_REQUEST};

use super::{Answer, Call, Failure, Work, answer};
use crate::access::{Action, Refusal, write as rule};
use crate::audit::Event;

/// ORG, the caller's ORGKEY_ADMIN and, for owners, ROOT.
#[utoipa::path(get, path = "/v1/org", operation_id = "org", tag = "data", responses(
    (status = 200, description = "The organisation's state", body = OrgAnswer),
))]
pub(super) async fn read(_: Call, mut work: Work) -> Answer {
    let permit = work.permit(Action::ReadOrg)?;
    let orgkey = work.tx.own_orgkey(&permit).await?;
    let answer = OrgAnswer {
        seq: work.org.seq,
        sha256: work.org.sha256,
        env: work.tx.org_envelope(&permit).await?,
        epoch: work.org.epoch,
        nonce: work.org.nonce,
        orgkey: orgkey.ok_or(Failure::Internal("an owner or admin has no ORGKEY_ADMIN"))?,
        root: work.tx.own_root(&permit).await?,
        audit_head: work.audit_head(),
    };
    let event = Event::org_read(work.org.seq);
    work.answer(&[event], answer::ok(&answer)).await
}

/// The one write of all state: whole or not at all.
///
/// 409 if the organisation is no longer at `base`; 422 if the write would break a rule, with the field at fault.
#[utoipa::path(post, path = "/v1/org/write", operation_id = "write", tag = "data", request_body = WriteRequest, responses(
    (status = 200, description = "Where the organisation stands now", body = Base),
    (status = 409, description = "The organisation has changed since `base`, or an id or e-mail is taken", body = ErrorBody),
    (status = 422, description = "It would break a rule of the organisation's state", body = ErrorBody),
))]
pub(super) async fn write(call: Call, mut work: Work) -> Answer {
    work.permit(Action::WriteOrg)?;
    let request: WriteRequest = call.json()?;
    if (request.base.seq, request.base.sha256) != (work.org.seq, work.org.sha256) {
        return Err(Refusal::Conflict.into());
    }
    let before = work.tx.state(&work.org).await?;
    let change = rule::check(&work.actor, work.now, &before, &request)?;
    call.server.app.prelogin_secret().check_free(&request.credentials)?;
    work.tx.apply(&change, &request, work.now).await?;
    let events: Vec<Event> = change.events().iter().map(Event::from).collect();
    let now = Base { seq: change.after().seq, sha256: request.org.sha256() };
    let (org, watch) = (work.org.id, call.server.app.watch().clone());
    let response = work.answer(&events, answer::ok(&now)).await?;
    watch.written(org, now.seq);
    Ok(response)
}

/// Sealed versions of keys, old ones too.
#[utoipa::path(post, path = "/v1/secrets/get", operation_id = "secrets", tag = "data", request_body = SecretsRequest, responses(
    (status = 200, description = "What there is of them, in their order", body = SecretsAnswer),
    (status = 422, description = "More than one answer can hold: ask for fewer", body = ErrorBody),
))]
pub(super) async fn secrets(call: Call, mut work: Work) -> Answer {
    let permit = work.permit(Action::ReadSecrets)?;
    let request: SecretsRequest = call.json()?;
    if request.secrets.len() > SECRETS_PER_REQUEST {
        return Err(too_many());
    }
    let secrets =
        work.tx.secret_versions(&permit, &request.secrets, SEALED_BYTES).await?.ok_or_else(too_many)?;
    let event = Event::secrets_read(secrets.iter().map(|secret| (secret.key, secret.version)));
    work.answer(&[event], answer::ok(&SecretsAnswer { secrets })).await
}

fn too_many() -> Failure {
    Refusal::Unprocessable {
        field: "secrets".to_owned(),
        reason: "More than one answer can hold: ask for fewer.",
    }
    .into()
}

/// Sealed bytes that fit into one answer as base64url, with 200 characters of JSON around each envelope: an envelope has 600
/// bytes at least.
const SEALED_BYTES: usize = ANSWER_BYTES / 16 * 9;
