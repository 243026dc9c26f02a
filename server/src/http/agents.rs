//! What a gateway's agents may use now, and waiting for that to change (CRYPTO.md §2.10).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use keyward_wire::Sha256;
use keyward_wire::api::agents::{AgentsAnswer, RequestCount, RequestCounts};
use keyward_wire::error::ErrorBody;
use keyward_wire::limits::{ANSWER_BYTES, COUNTS_PER_REQUEST, WAIT_SECS};
use serde::Deserialize;

use super::{Answer, Call, Failure, Work, answer, dispatch};
use crate::access::agents::served;
use crate::access::{Action, Permit, Refusal};
use crate::audit::Event;

/// How long to wait.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AgentsQuery {
    /// Seconds to wait for an answer that is not the one of `If-None-Match`; 15 at most, 0 without it.
    wait_secs: Option<u64>,
}

/// What the agents of the calling gateway may use, as far as the server is concerned: it can only take away.
///
/// With `If-None-Match` and `wait_secs`, answered once it is another one, or as 304 after that time. Only what concerns the
/// caller makes it another one.
#[utoipa::path(get, path = "/v1/me/agents", operation_id = "agents", tag = "data",
    params(AgentsQuery, ("If-None-Match" = Option<String>, Header, description = "An `ETag` of before")),
    responses(
        (status = 200, description = "Agents that may be served, each with keys that it may use", body = AgentsAnswer,
            headers(("ETag" = String, description = "Quoted SHA-256 of the body"))),
        (status = 304, description = "As before"),
        (status = 429, description = "This identity waits in too many requests already", body = ErrorBody),
    ))]
pub(super) async fn read(call: Call, mut work: Work) -> Answer {
    let query: AgentsQuery = call.query()?;
    let mut end = Instant::now() + Duration::from_secs(query.wait_secs.unwrap_or(0).min(WAIT_SECS));
    let mut place = None;
    loop {
        let permit = work.permit(Action::ReadOwnAgents)?;
        let body = collect(&mut work, &permit).await?;
        let etag = HeaderValue::from_str(&format!("\"{}\"", Sha256::of(&body))).expect("quoted base64url");
        if !call.has(&etag) {
            let event = Event::agents_read(work.org.seq);
            return work.answer(&[event], tagged(answer::bytes(StatusCode::OK, body), etag)).await;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            work.tx.rollback().await?;
            return Ok(tagged(unchanged(), etag));
        }
        if place.is_none() {
            // Watched while the organisation is locked, so that no write falls between reading and waiting.
            let watch = call.server.app.watch();
            let entered = watch.enter(work.org.id, work.actor.identity, work.org.seq);
            place = Some(entered.ok_or(Failure::TooManyWaiting)?);
        }
        work.tx.rollback().await?;
        if let Some(place) = &mut place {
            let stops = tokio::time::timeout(left, place.written()).await == Ok(false);
            if stops {
                end = Instant::now();
            }
        }
        // The request is authenticated anew, woken or not: the session may have ended meanwhile, or the gateway may have been
        // removed.
        work = dispatch::admitted(&call).await?;
    }
}

/// How many requests of its agents the calling gateway has decided how. Recorded in the audit, one entry for each count.
#[utoipa::path(post, path = "/v1/me/agents/requests", operation_id = "count_requests", tag = "data",
    request_body = RequestCounts, responses(
        (status = 204, description = "Recorded"),
        (status = 422, description = "More than one request may have", body = ErrorBody),
    ))]
pub(super) async fn count(call: Call, mut work: Work) -> Answer {
    let permit = work.permit(Action::CountOwnRequests)?;
    let RequestCounts { requests } = call.json()?;
    if requests.len() > COUNTS_PER_REQUEST {
        let reason = "More counts than one request may have.";
        return Err(Refusal::Unprocessable { field: "requests".to_owned(), reason }.into());
    }
    // One that was removed meanwhile is still told of, and so are requests for a key that is gone, without the key.
    let others = work.tx.agents_of_others(&permit).await?;
    let keys = work.tx.keys_of(&permit).await?;
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    for told in requests.iter().filter(|told| told.count > 0 && !others.contains(&told.agent)) {
        let key = told.key.filter(|key| keys.contains(key));
        let count = counts.entry((told.agent, key, told.decision)).or_default();
        *count = count.saturating_add(told.count);
    }
    let told = |((agent, key, decision), count)| RequestCount { agent, key, decision, count };
    let events: Vec<Event> = counts.into_iter().map(told).map(|one| Event::requests_decided(&one)).collect();
    work.answer(&events, answer::empty()).await
}

async fn collect(work: &mut Work, permit: &Permit) -> Result<Vec<u8>, Failure> {
    let grant = work.tx.own_grant_seq(permit).await?;
    let agents = work.tx.own_agents(permit).await?;
    let facts = work.tx.facts(work.org.id).await?;
    let groups = work.tx.groups_of(work.org.id, work.actor.identity).await?;
    let body = answer::encode(&AgentsAnswer {
        grant_seq: grant.ok_or(Failure::Internal("a gateway has no grant"))?,
        epoch: work.org.epoch,
        agents: served(&agents, &groups, &facts, work.now),
    });
    if body.len() > ANSWER_BYTES {
        return Err(Failure::Internal("a gateway has more agents than one answer holds"));
    }
    Ok(body)
}

fn tagged(mut response: Response, etag: HeaderValue) -> Response {
    response.headers_mut().insert(header::ETAG, etag);
    response
}

fn unchanged() -> Response {
    let mut response = answer::empty();
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}
