//! Everything an identity needs, in one answer (CRYPTO.md §2.7, §2.12 S3, S10, §2.13 F4).

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use keyward_wire::api::bundle::{Bundle, OrgItem};
use keyward_wire::{DeploymentId, Sha256};
use serde::Deserialize;

use super::{Answer, Call, Failure, Work, answer};
use crate::access::filter::readable;
use crate::access::{Action, Permit};
use crate::audit::Event;
use crate::auth;
use crate::bundles::{self, Key, Read};

/// Of which deployment.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BundleQuery {
    /// Id of a deployment, a UUID in lower case. Without it: all of the view; for owners and admins no secret. An id that is
    /// unknown, foreign, not for the caller or none at all gives no secrets, and no error.
    deployment: Option<String>,
}

/// The caller's GRANT, VIEW and secrets; for owners and admins ORGKEY_ADMIN, ORG and secrets.
///
/// With `Authorization: Keyward <credential>.<auth>` the request carries a token's or device's own proof, and the answer
/// has CRED too. `ETag` is the quoted SHA-256 of the body; the header `keyward-audit` tells this read's audit entry.
#[utoipa::path(get, path = "/v1/me/bundle", operation_id = "bundle", tag = "data",
    params(BundleQuery, ("If-None-Match" = Option<String>, Header, description = "An `ETag` of before")),
    responses(
        (status = 200, description = "The bundle", body = Bundle, headers(
            ("ETag" = String, description = "Quoted SHA-256 of the body"),
            ("keyward-audit" = String, description = "`<seq>:<hash>` of the audit head for owners and admins; for others the hash of this read's entry"),
        )),
        (status = 304, description = "As before. Authenticated and audited as 200"),
        (status = 429, description = "Too many refused proofs from this network (IPv4 address or IPv6 /64)", body = keyward_wire::error::ErrorBody),
    ))]
pub(super) async fn read(call: Call, mut work: Work) -> Answer {
    let permit = work.permit(Action::ReadOwnBundle)?;
    let wanted = Wanted::of(&call)?;
    let bundle = collect(&mut work, &permit, wanted).await?;
    let answer = encoded(&work, bundle, wanted)?;
    let key = key(&call, wanted);
    if work.cred.is_some() {
        auth::touch(&mut work.tx, &work.actor, work.last_used_at, work.now).await?;
    }
    let changed = !call.has(&answer.etag);
    let event = answer.event(changed).clone();
    let response = work.answer(&[event], respond(&answer, changed)).await?;
    if let Some(key) = key {
        call.server.app.bundles().keep(key, answer);
    }
    Ok(response)
}

/// Answers from the cache if nothing has changed since. `None` if the bundle is not cached, or is another one by now.
pub(super) async fn again(call: &Call) -> Result<Option<Response>, Failure> {
    let Some((key, answer)) = remembered(call) else { return Ok(None) };
    let changed = !call.has(&answer.etag);
    let read = Read { claim: key.claim, ip: call.ip, answer: Arc::clone(&answer), changed };
    let recorded = call.server.app.bundles().record(call.server.app.store(), read).await?;
    Ok(recorded
        .map(|recorded| answer::audited(respond(&answer, changed), recorded.administers, recorded.head)))
}

fn remembered(call: &Call) -> Option<(Key, Arc<bundles::Answer>)> {
    let key = key(call, Wanted::of(call).ok()?)?;
    Some((key, call.server.app.bundles().recall(&key)?))
}

/// The key under which the answer is cached. `None` if it is not cached: bundles read with a session are not, since sessions end
/// soon and each would have its own.
fn key(call: &Call, wanted: Wanted) -> Option<Key> {
    let claim = call.proof().ok()?.claim()?;
    match wanted {
        Wanted::All => Some(Key { claim, deployment: None }),
        Wanted::Of(deployment) => Some(Key { claim, deployment: Some(deployment) }),
        Wanted::Nothing => None,
    }
}

fn respond(answer: &bundles::Answer, changed: bool) -> Response {
    let mut response = if changed {
        answer::bytes(StatusCode::OK, answer.body.clone())
    } else {
        let mut response = answer::empty();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    };
    response.headers_mut().insert(header::ETAG, answer.etag.clone());
    response
}

/// The secrets that were asked for.
#[derive(Clone, Copy)]
enum Wanted {
    All,
    Of(DeploymentId),
    /// A misspelt id is treated like an unknown one: no secrets.
    Nothing,
}

impl Wanted {
    fn of(call: &Call) -> Result<Self, Failure> {
        let query: BundleQuery = call.query()?;
        Ok(query.deployment.map_or(Self::All, |text| text.parse().map_or(Self::Nothing, Self::Of)))
    }

    fn deployment(self) -> Option<DeploymentId> {
        if let Self::Of(deployment) = self { Some(deployment) } else { None }
    }
}

async fn collect(work: &mut Work, permit: &Permit, wanted: Wanted) -> Result<Bundle, Failure> {
    let mut bundle = Bundle {
        cred: work.cred.clone(),
        epoch: work.org.epoch,
        nonce: work.org.nonce,
        grant: None,
        view: None,
        orgkey: None,
        org: None,
        secrets: Vec::new(),
    };
    if work.actor.role.administers() {
        bundle.orgkey = work.tx.own_orgkey(permit).await?;
        bundle.org = Some(OrgItem { seq: work.org.seq, env: work.tx.org_envelope(permit).await? });
    } else if let Some((grant, view)) = work.tx.own_grant(permit).await? {
        bundle.grant = Some(grant);
        bundle.view = Some(view);
    }
    if !matches!(wanted, Wanted::Nothing) {
        let facts = work.tx.facts(work.org.id).await?;
        let groups = work.tx.groups_of(work.org.id, work.actor.identity).await?;
        let readable = readable(&work.actor, &groups, &facts, wanted.deployment());
        bundle.secrets = work.tx.current_secrets(&readable).await?;
    }
    Ok(bundle)
}

/// The bundle as it is sent, with its audit events.
fn encoded(work: &Work, bundle: Bundle, wanted: Wanted) -> Result<bundles::Answer, Failure> {
    let body = answer::encode(&bundle);
    if body.len() > keyward_wire::limits::ANSWER_BYTES {
        return Err(Failure::Internal("a bundle is larger than a write should have let it become"));
    }
    let etag = HeaderValue::from_str(&format!("\"{}\"", Sha256::of(&body))).expect("quoted base64url");
    let [read, confirmed] = [true, false].map(|changed| event(work, &bundle, wanted, changed));
    Ok(bundles::Answer {
        org: work.org.id,
        state: (work.org.seq, work.org.sha256),
        identity: work.actor.identity,
        cred: bundle.cred,
        body: body.into(),
        etag,
        read,
        confirmed,
    })
}

fn event(work: &Work, bundle: &Bundle, wanted: Wanted, changed: bool) -> Event {
    let deployment = wanted.deployment();
    if let Some(org) = &bundle.org {
        let served = bundle.secrets.iter().map(|secret| secret.key).collect();
        return Event::org_bundle_read(changed, org.seq, deployment, served);
    }
    debug_assert!(!work.actor.role.administers(), "owners and admins have ORG");
    let view = bundle.grant.as_ref().zip(bundle.view.as_ref()).map(|(grant, view)| (grant.view, view.seq));
    Event::view_read(changed, view, deployment)
}
