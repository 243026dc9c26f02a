//! What happens to every request, in this order: its head is checked for token secrets, the caller is authenticated, the body
//! arrives within its limits and is checked for token secrets too, the handler answers, and a refusal is audited.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use keyward_wire::OrgId;
use keyward_wire::api::credentials::CredentialKind;

use super::work::Work;
use super::{Answer, Call, Failure, Guard, Handler, Route, Server, Verb, origin};
use crate::access::Refusal;
use crate::access::credential::may_revoke;
use crate::audit::{self, Event, Origin};
use crate::auth::{self, Leak, Proof, Verdict};
use crate::metrics::Refused;
use crate::store::StoreError;

/// The address of the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub SocketAddr);

/// Answers one request to `route`.
pub(super) async fn dispatch(server: Server, route: &'static Route, request: Request) -> Response {
    let answered = tokio::time::timeout(WHOLE_TIME, respond(server, route, request)).await;
    match answered.unwrap_or(Err(Failure::Store(StoreError::Busy))) {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}

/// The answer to an address that does not exist. Its URL may carry a token all the same.
pub(super) async fn unknown_address(server: Server, request: Request) -> Failure {
    unanswered(server, request, Failure::NotFound).await
}

/// The answer to an address that does not take this method.
pub(super) async fn wrong_method(server: Server, request: Request) -> Failure {
    unanswered(server, request, Failure::MethodNotAllowed).await
}

async fn unanswered(server: Server, request: Request, failure: Failure) -> Failure {
    let (call, _) = arrived(server, &NO_ROUTE, request);
    let leaks = leaked_in_head(&call.uri, &call.headers);
    let refused = tokio::time::timeout(WHOLE_TIME, refuse_leaks(&call, &leaks)).await;
    match refused.unwrap_or(Err(Failure::TokenInRequest)) {
        Ok(()) => failure,
        Err(leak) => leak,
    }
}

/// Stands for the route of a request that has none, so that its sender can be known.
static NO_ROUTE: Route = Route {
    method: Verb::Get,
    path: "",
    guard: Guard::KnownOrProof,
    body_bytes: 0,
    handler: Handler::Open(|_| Box::pin(std::future::ready(Err(Failure::NotFound)))),
};

/// The request as its handler sees it, without its body.
fn arrived(server: Server, route: &'static Route, request: Request) -> (Call, Body) {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
    let ip = peer.map(|peer| origin::client(peer, &parts.headers, server.app.trusted_proxies()));
    (Call { server, route, uri: parts.uri, headers: parts.headers, body: Bytes::new(), ip }, body)
}

async fn respond(server: Server, route: &'static Route, request: Request) -> Answer {
    let (mut call, body) = arrived(server, route, request);
    refuse_leaks(&call, &leaked_in_head(&call.uri, &call.headers)).await?;
    if route.body_bytes > 0 && !matches!(route.handler, Handler::Open(_)) {
        // A caller who may not use the route must not make the server hold a body. The caller is authenticated again below:
        // nothing is locked while the body arrives.
        admitted(&call).await?;
    }
    call.body = arrive(body, route.body_bytes).await?;
    refuse_leaks(&call, &auth::leaked([&*call.body])).await?;
    let handler = match route.handler {
        Handler::Open(handler) => return handler(call).await,
        Handler::Known(handler) => handler,
        Handler::AtHand(look, handler) => match look(&call).await? {
            Some(answer) => return Ok(answer),
            None => handler,
        },
    };
    let work = admitted(&call).await?;
    let refusals = Refusals::of(&call, &work);
    refusals.audited(handler(call, work).await).await
}

/// Authenticates the caller, and checks that the route's guard lets the caller in.
pub(super) async fn admitted(call: &Call) -> Result<Work, Failure> {
    let work = known(call).await?;
    let welcome = match call.route.guard {
        Guard::Administers => work.actor.role.administers(),
        Guard::Recovers => work.actor.credential_kind == CredentialKind::Recovery,
        Guard::Anybody | Guard::Known | Guard::KnownOrProof => true,
    };
    if welcome {
        return Ok(work);
    }
    let refusals = Refusals::of(call, &work);
    drop(work);
    refusals.audited(Err(Refusal::Forbidden.into())).await
}

async fn arrive(body: Body, max_bytes: usize) -> Result<Bytes, Failure> {
    // A body that states its length need not arrive to be refused.
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(Failure::TooLarge);
    }
    let body = tokio::time::timeout(BODY_TIME, Limited::new(body, max_bytes).collect()).await;
    match body {
        Err(_) => Err(Failure::Timeout),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Failure::TooLarge),
        Ok(Err(_)) => Err(Failure::Invalid { message: "The body did not arrive whole.", field: None }),
    }
}

/// Authenticates the caller, and locks the caller's organisation. Every way of being unknown has the same answer.
async fn known(call: &Call) -> Result<Work, Failure> {
    let proof = call.proof()?;
    let in_request = matches!(proof, Proof::Credential(..));
    if in_request && call.route.guard != Guard::KnownOrProof {
        return Err(Failure::Unauthenticated);
    }
    auth::refused_in_step(async {
        let mut tx = call.server.app.store().begin().await?;
        match auth::authenticate(&mut tx, &proof).await? {
            Verdict::Proved(proved) => Ok(Work::new(tx, *proved, call.ip)),
            verdict => {
                // A wrong session token is not worth an audit line: it is 256 random bits, and ends by itself.
                if in_request {
                    refuse_login(call, tx, verdict).await?;
                }
                Err(Failure::Unauthenticated)
            }
        }
    })
    .await
}

/// Records a refused proof. A proof that names nothing known costs as much time as one that does.
pub(super) async fn refuse_login(
    call: &Call,
    mut tx: crate::store::Tx,
    verdict: Verdict,
) -> Result<(), Failure> {
    let (throttle, now) = (call.server.app.throttle(), Instant::now());
    let metrics = call.server.app.metrics();
    let waits = throttle.wait(call.ip, now).is_some();
    // Guessing on during the wait gains nothing: it counts, too, and so the wait that is told is the one after it.
    throttle.refused(call.ip, now);
    if waits && let Some(wait) = throttle.wait(call.ip, now) {
        metrics.refused(Refused::Network);
        return Err(Failure::TooMany { wait });
    }
    metrics.refused(Refused::Proof);
    let line = match &verdict {
        Verdict::Refused { credential, .. } => throttle.line(*credential, call.ip, now),
        Verdict::Unknown | Verdict::Proved(_) => None,
    };
    let Some((Verdict::Refused { mut org, identity, credential, now: at }, line)) =
        line.map(|line| (verdict, line))
    else {
        // This costs a write as well, so that time does not tell the two apart.
        tx.count_unknown_login().await?;
        return Ok(tx.commit().await?);
    };
    let origin = Origin { actor: None, ip: call.ip };
    let event = Event::login_refused(identity, credential, line.untold);
    // A task of its own: the line is written, too, if the client hangs up.
    let written = tokio::spawn(async move {
        audit::append(&mut tx, &mut org, at, origin, &[event]).await?;
        tx.commit().await?;
        line.written();
        Ok::<_, StoreError>(())
    });
    Ok(written.await.map_err(|_| Failure::Internal("a refusal was not recorded"))??)
}

/// Answers 400 to a request with a token's secret in it. The token is revoked if its holder sent it, or somebody who may revoke
/// it. The server cannot tell a real secret from a made-up one, so nobody else's word counts.
async fn refuse_leaks(call: &Call, leaks: &BTreeSet<Leak>) -> Result<(), Failure> {
    if leaks.is_empty() {
        return Ok(());
    }
    // The sender is told the reason first of all. A failure to revoke is not for the sender to know.
    if let Ok(work) = known(call).await {
        revoke(work, leaks).await?;
    }
    Err(Failure::TokenInRequest)
}

fn leaked_in_head(uri: &Uri, headers: &HeaderMap) -> BTreeSet<Leak> {
    let uri = uri.to_string();
    auth::leaked([uri.as_bytes()].into_iter().chain(headers.values().map(HeaderValue::as_bytes)))
}

async fn revoke(mut work: Work, leaks: &BTreeSet<Leak>) -> Result<(), Failure> {
    let mut events = Vec::new();
    for leak in leaks {
        let Some(holder) = work.tx.credential_holder(work.org.id, leak.credential).await? else { continue };
        if leak.fits(holder.credential_kind)
            && may_revoke(&work.actor, holder.identity, holder.role, work.now)
            && work.tx.delete_credential(work.org.id, leak.credential).await?
        {
            events.push(Event::credential_revoked(holder.identity, leak.credential));
        }
    }
    work.commit(&events).await?;
    Ok(())
}

/// Records that a known caller was refused.
struct Refusals {
    server: Server,
    route: &'static Route,
    org: OrgId,
    origin: Origin,
}

impl Refusals {
    fn of(call: &Call, work: &Work) -> Self {
        let origin = Origin { actor: Some(work.actor.identity), ip: call.ip };
        Self { server: call.server.clone(), route: call.route, org: work.org.id, origin }
    }

    /// Passes `result` on, and records it if it is a refusal. The request's own transaction has ended without a trace by now.
    async fn audited<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &result
            && failure.is_refusal()
        {
            let mut tx = self.server.app.store().begin().await?;
            if let Some(mut org) = tx.lock_org(self.org).await? {
                let now = tx.now().await?;
                let code = failure.code().as_str();
                let event = Event::refused(self.route.method.as_str(), self.route.path, code);
                audit::append(&mut tx, &mut org, now, self.origin, &[event]).await?;
                tx.commit().await?;
            }
        }
        result
    }
}

/// Time within which a request's body must have arrived.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Time within which a request must have arrived and been answered.
const WHOLE_TIME: Duration = Duration::from_mins(1);
