//! Everything an identity needs, in one answer (CRYPTO.md §2.7, §2.12 S3, S10, §2.13 F4).

use axum::http::{HeaderValue, StatusCode, header};
use keyward_wire::api::bundle::{Bundle, OrgItem};
use keyward_wire::{DeploymentId, Sha256};
use serde::Deserialize;

use super::{Answer, Call, Failure, Work, answer};
use crate::access::filter::readable;
use crate::access::{Action, Permit};
use crate::audit::Event;

/// Of which deployment.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BundleQuery {
    /// Id of a deployment. Without it: all of the view; for owners and admins no secret. An id that is unknown, foreign or
    /// not for the caller gives no secrets, and no error.
    #[param(format = "uuid")]
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
        (status = 429, description = "Too many refused proofs from this address", body = keyward_wire::error::ErrorBody),
    ))]
pub(super) async fn read(call: Call, mut work: Work) -> Answer {
    let permit = work.permit(Action::ReadOwnBundle)?;
    let query: BundleQuery = call.query()?;
    let wanted = Wanted::from(query.deployment.as_deref());
    let bundle = collect(&mut work, &permit, wanted).await?;
    let body = answer::encode(&bundle);
    if body.len() > keyward_wire::limits::ANSWER_BYTES {
        return Err(Failure::Internal("a bundle is larger than a write should have let it become"));
    }

    let etag = format!("\"{}\"", Sha256::of(&body));
    let changed = !matches(&call, &etag);
    let event = event(&work, &bundle, wanted, changed);
    let mut response = if changed {
        answer::bytes(StatusCode::OK, body)
    } else {
        let mut response = answer::empty();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    };
    let etag = HeaderValue::from_str(&etag).expect("quoted base64url");
    response.headers_mut().insert(header::ETAG, etag);
    if work.cred.is_some() {
        let actor = work.actor;
        work.tx.touch_credential(actor.org, actor.credential, actor.identity, work.now).await?;
    }
    work.answer(&[event], response).await
}

/// Which secrets were asked for.
#[derive(Clone, Copy)]
enum Wanted {
    All,
    Of(DeploymentId),
    /// Another spelling of an id is as good as an unknown one.
    Nothing,
}

impl From<Option<&str>> for Wanted {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::All, |text| text.parse().map_or(Self::Nothing, Self::Of))
    }
}

impl Wanted {
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

/// Whether the client says that it has this body. `*` is no such word: it would match what was never read.
fn matches(call: &Call, etag: &str) -> bool {
    let tags = call.headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|line| line.split(',')).any(|tag| tag.trim().trim_start_matches("W/") == etag)
}
