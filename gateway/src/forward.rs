//! One request: judged, given its key, sent on, answered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, IF_RANGE,
    MAX_FORWARDS, RANGE, UPGRADE,
};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use keyward_wire::rule::Authority;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::activity::Busy;
use crate::answer::{Answer, Relayed};
use crate::entry::Entry;
use crate::guard::gate::Gate;
use crate::guard::head::{self, HEAD_LINES, is_target};
use crate::guard::request::REFUSED;
use crate::headers::{clean_answer, clean_request};
use crate::inject;
use crate::policy::{self, Meant};
use crate::pulse::Pulse;
use crate::redact::coding;
use crate::refuse::{Code, Refusal};
use crate::request_body::RequestBody;
use crate::scrub;
use crate::skipped_placeholders::SkippedPlaceholders;
use crate::source::{Closed, Grant};
use crate::tunnel::{Tunnel, Way};
use crate::upstream::Lease;
use crate::websocket;

/// Answers a request that came through `tunnel`. `busy` marks the request as under way since it was read.
pub(crate) async fn answer(
    tunnel: &Arc<Tunnel>,
    request: Request<Incoming>,
    gate: &Gate,
    busy: Busy,
) -> Response<Answer> {
    let mut entry = Entry::new(tunnel, request.method(), request.uri().path());
    let answered = relay(tunnel, request, busy, &mut entry).await;
    match answered {
        Ok(answer) => match entry.tell(entry.decision, entry.remark, answer.status()) {
            Ok(()) => {
                if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                    gate.open();
                }
                answer
            }
            // What cannot be recorded does not happen: the answer is not given.
            Err(_) => refused(tunnel, &Code::LogFailed.into()),
        },
        Err(mut refusal) => {
            tunnel.gateway.add_links(&mut refusal, &tunnel.session, Some(&tunnel.to));
            entry.unreached = refusal.code.is_before_the_upstream();
            let answer = refused(tunnel, &refusal);
            let _ = entry.tell("refuse", refusal.code.word(), answer.status());
            answer
        }
    }
}

fn refused(tunnel: &Tunnel, refusal: &Refusal) -> Response<Answer> {
    refusal.answer(tunnel.way == Way::Server).map(Answer::own)
}

async fn relay(
    tunnel: &Arc<Tunnel>,
    mut request: Request<Incoming>,
    busy: Busy,
    entry: &mut Entry,
) -> Result<Response<Answer>, Refusal> {
    shape(&request)?;
    let mut target = target(&request, tunnel)?;
    let upgrades = wants_websocket(&request)?;
    let account = account(request.headers())?;
    // Read the revision first: if the grants change after this, the cached value is looked up again.
    let revision = tunnel.gateway.source.revision();
    if !tunnel.gateway.source.is_current() {
        return Err(Code::GrantsStale.into());
    }
    if !tunnel.gateway.source.stands(&tunnel.session.agent) {
        return Err(Code::AccessRestricted.into());
    }
    let on_upgrade = upgrades.then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let (method, mut headers) = (parts.method, parts.headers);
    clean_request(&mut headers);
    let mut body = if has_no_body(&method) { nothing(body).await? } else { Carried::Agent(body) };
    let is_bare = tunnel.way == Way::Plain && is_surely_bare(&method, &target, &headers);
    // Held until the answer is there: room for a body that is collected.
    let mut _room = None;
    if tunnel.way == Way::Plain {
        entry.decision = "pass";
    } else {
        let head = inject::Head { method: &method, target: &mut target, headers: &mut headers };
        _room = put_key(tunnel, head, &mut body, account.as_deref(), revision, &busy, entry).await?;
        entry.decision = "inject";
    }
    let mut skipped = SkippedPlaceholders::of(entry, &target, &headers);
    ask_readable(&mut headers)?;
    headers.insert(HOST, tunnel.host.clone().ok_or(Code::Malformed)?);
    let mut outgoing = Request::new(RequestBody::from(body));
    *outgoing.method_mut() = method;
    *outgoing.uri_mut() = raw(target)?;
    *outgoing.headers_mut() = headers;
    let accept = if upgrades { websocket::ask(outgoing.headers_mut())? } else { String::new() };
    entry.send()?;
    skipped.sent(entry.sent);
    outgoing.body_mut().watch(skipped);
    if let Some(on_upgrade) = on_upgrade {
        let (answer, lease) = Box::pin(tunnel.upstreams.send_alone(outgoing)).await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return websocket::relay(tunnel, answer, &accept, on_upgrade, busy, entry.sent);
        }
        return relayed(tunnel, answer, lease, busy, entry.sent).await;
    }
    let (mut answer, lease) = tunnel.upstreams.send(outgoing).await?;
    let wants_key = matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let to_connect = (is_bare && wants_key).then(|| tunnel.gateway.to_connect(&tunnel.to)).flatten();
    let Some(refusal) = to_connect else { return relayed(tunnel, answer, lease, busy, entry.sent).await };
    entry.remark = refusal.code.word();
    scrub::unsay_coding(answer.headers_mut());
    let mut answer = relayed(tunnel, answer, lease, busy, entry.sent).await?;
    let body = refusal.instead_of_body(answer.headers_mut());
    Ok(answer.map(|_| Answer::own(body)))
}

/// Chooses the key that the request means, and puts its value in. Returns the room that a collected body takes.
async fn put_key(
    tunnel: &Tunnel,
    head: inject::Head<'_>,
    body: &mut Carried,
    account: Option<&str>,
    revision: u64,
    busy: &Busy,
    entry: &mut Entry,
) -> Result<Option<[OwnedSemaphorePermit; 2]>, Refusal> {
    let grants = tunnel.gateway.source.grants(&tunnel.session.agent);
    let mine = &tunnel.session.placeholders;
    let inject::Head { method, target, headers } = head;
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let meant = Meant {
        key: tunnel.base.as_ref().map(|base| base.key),
        account,
        shows: |grant: &Grant| inject::shows(grant, mine, target, headers),
    };
    let grant = policy::judge(&grants, &tunnel.to, method, path, &meant)?;
    entry.key = Some((grant.key, Arc::clone(&grant.name)));
    busy.uses(grant);
    let value = open(tunnel, grant, revision, busy)?;
    let mut wrong = |wrong| entry.note(wrong, &grants);
    let head = inject::Head { method, target, headers: &mut *headers };
    let rewrite = inject::inject(&grant.rule, &value, mine, head).map_err(&mut wrong)?;
    if rewrite != inject::Body::Rewrite {
        return Ok(None);
    }
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let room = room(tunnel, headers).await?;
    let whole = body.collect().await?;
    let written = inject::inject_body(&grant.rule, &value, mine, kind, whole).map_err(&mut wrong)?;
    headers.insert(CONTENT_LENGTH, HeaderValue::from(written.len()));
    *body = Carried::Written(inject::wiped(written));
    Ok(Some(room))
}

/// Whether the request certainly carries no proof of who sends it. Only to such a request does the answer say that a credential
/// is missing: a request with a credential, wherever that is, is told by the service what is wrong with it.
fn is_surely_bare(method: &Method, target: &[u8], headers: &HeaderMap) -> bool {
    let may_prove = |name: &HeaderName| PROOFS.iter().any(|word| name.as_str().contains(word));
    has_no_body(method) && !target.contains(&b'?') && !headers.keys().any(may_prove)
}

/// Has the upstream send a whole answer in a coding that can be decoded: every answer is looked through.
fn ask_readable(headers: &mut HeaderMap) -> Result<(), Code> {
    headers.remove(RANGE);
    headers.remove(IF_RANGE);
    let accepted = coding::accepted(headers.get_all(ACCEPT_ENCODING).iter().map(HeaderValue::as_bytes));
    headers.insert(ACCEPT_ENCODING, HeaderValue::try_from(accepted).map_err(|_| Code::Malformed)?);
    // The messages of gRPC and Connect must be readable, too: without these headers, none may be compressed.
    headers.remove("grpc-accept-encoding");
    headers.remove("connect-accept-encoding");
    Ok(())
}

/// The value: opened for this request, or for an earlier one if nothing has changed since.
fn open(
    tunnel: &Tunnel,
    grant: &Grant,
    revision: u64,
    busy: &Busy,
) -> Result<Arc<crate::source::Value>, Refusal> {
    if let Err(wait) = tunnel.session.count(grant) {
        let mut refusal = Refusal::from(Code::RateLimited);
        refusal.retry_after_secs = Some(wait.as_secs() + 1);
        return Err(refusal);
    }
    if let Some((value, used)) = tunnel.gateway.opened.again(&tunnel.session.agent, grant, revision) {
        busy.keeps(used);
        return Ok(value);
    }
    let value =
        tunnel.gateway.source.open(&tunnel.session.agent, grant.key).map_err(|closed| match closed {
            Closed::NotGranted => Code::AppNotConnected,
            Closed::Stale => Code::GrantsStale,
            Closed::Broken => Code::ValueUnusable,
        })?;
    if value.version() != grant.version {
        // A new version came since the request was judged, and its rule may be another one. The next request is judged by it.
        return Err(Code::GrantsStale.into());
    }
    let used = tunnel.gateway.opened.note(&tunnel.session.agent, grant, &value, revision);
    busy.keeps(used.map_err(|_| Code::ValueUnusable)?);
    Ok(value)
}

/// An upstream's answer, with what must not be told kept out of it.
async fn relayed(
    tunnel: &Arc<Tunnel>,
    answer: Response<Incoming>,
    lease: Lease,
    busy: Busy,
    of: u64,
) -> Result<Response<Answer>, Refusal> {
    let (mut parts, body) = answer.into_parts();
    if parts.status.is_informational() {
        return Err(Code::UpstreamProtocol.into());
    }
    // No range was asked for, and a partial body might begin in the middle of a value.
    if parts.status == StatusCode::PARTIAL_CONTENT {
        return Err(Code::ScrubUnreadable.into());
    }
    // The reason phrase of an HTTP/1.1 answer may say whatever the upstream likes.
    parts.extensions.clear();
    let version = std::mem::replace(&mut parts.version, Version::HTTP_11);
    clean_answer(&mut parts.headers);
    if parts.status == StatusCode::NO_CONTENT {
        // No body follows, and a client that believed the length would take the next answer for the body.
        parts.headers.remove(CONTENT_LENGTH);
    }
    let scrubber = tunnel.scrubber().ok_or(Code::AccessRestricted)?;
    let mut scrub = scrub::body(&scrubber, &mut parts.headers, version).map_err(|_| Code::ScrubUnreadable)?;
    if scrub.has_a_window() {
        let window = tunnel.session.share.window(&tunnel.gateway.share);
        scrub.keep_window(window.ok_or(Code::ScrubUnreadable)?);
    }
    let mut body = Relayed::new(body, lease, scrub, Arc::clone(tunnel), busy, of);
    body.begin().await?;
    Ok(Response::from_parts(parts, Answer::Relayed(Box::new(body))))
}

/// Checks what must hold of every request, wherever it goes.
pub(crate) fn shape(request: &Request<Incoming>) -> Result<(), Refusal> {
    if let Some(why) = request.headers().get(REFUSED) {
        return Err(if why == "large" { Code::HeadTooLarge } else { Code::Malformed }.into());
    }
    let asks_the_gateway = request.method() == Method::OPTIONS
        && request.headers().get(MAX_FORWARDS).is_some_and(|value| value.as_bytes().trim_ascii() == b"0");
    if request.headers().len() > HEAD_LINES {
        return Err(Code::HeadTooLarge.into());
    }
    // HTTP/1.1 has passed a guard that asks for more. HTTP/2 must satisfy the same, since the request may go on as HTTP/1.1.
    let target = request.uri().path_and_query().map(PathAndQuery::as_str).unwrap_or_default();
    let length = length(request.headers())?;
    let has_two_meanings = !target.bytes().all(is_target)
        || request.headers().contains_key("http2-settings")
        || (has_no_body(request.method()) && length.is_some_and(|length| length > 0));
    if has_two_meanings {
        return Err(Code::Malformed.into());
    }
    if asks_the_gateway || (policy::is_never(request.method()) && request.method() != Method::CONNECT) {
        return Err(Code::MethodNotAllowed.into());
    }
    Ok(())
}

/// The body's length as the head states it: once, in digits.
fn length(headers: &HeaderMap) -> Result<Option<u64>, Code> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(None),
        (Some(length), None) => head::length(length.as_bytes()).map(Some).ok_or(Code::Malformed),
        (Some(_), Some(_)) => Err(Code::Malformed),
    }
}

/// Whether a request with this method is sent without a body: a server that does not expect one would take it for the next
/// request.
fn has_no_body(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::CONNECT)
}

/// Waits until it is certain that the body is empty. In HTTP/2 an empty body may have its end in a frame of its own.
async fn nothing(mut body: Incoming) -> Result<Carried, Refusal> {
    if body.is_end_stream() {
        return Ok(Carried::Nothing);
    }
    let empty = async {
        while let Some(frame) = body.frame().await {
            if !frame.is_ok_and(|frame| frame.data_ref().is_none_or(Bytes::is_empty)) {
                return false;
            }
        }
        true
    };
    match timeout(EMPTY_TIME, empty).await {
        Ok(true) => Ok(Carried::Nothing),
        Ok(false) | Err(_) => Err(Code::Malformed.into()),
    }
}

/// The request's target in origin form, byte for byte as it came. Refused if the request names another host than the tunnel's.
fn target(request: &Request<Incoming>, tunnel: &Tunnel) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Code::MethodNotAllowed.into());
    }
    let uri = request.uri();
    let mut named = None;
    // The host in the target of a plain HTTP request was judged when the tunnel was made for it.
    if tunnel.way == Way::Tls {
        if request.version() == Version::HTTP_2 {
            if uri.scheme_str() != Some("https") {
                return Err(Code::Misdirected.into());
            }
            named = Some(uri.authority().ok_or(Code::Malformed)?.as_str());
        } else if uri.scheme().is_some() || uri.authority().is_some() {
            return Err(Code::Malformed.into());
        }
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().map(|value| value.to_str().map_err(|_| Code::Malformed)).transpose()?;
    if hosts.next().is_some() {
        return Err(Code::Malformed.into());
    }
    if tunnel.way == Way::Tls {
        if named.is_none() && host.is_none() {
            return Err(Code::Malformed.into());
        }
        for name in named.into_iter().chain(host).filter(|name| **name != *tunnel.name) {
            same_host(name, &tunnel.to)?;
        }
    }
    let target = match (&tunnel.base, uri.path_and_query()) {
        (Some(base), Some(target)) => {
            // In base-URL mode what follows the key's name is the path.
            target
                .as_str()
                .strip_prefix(&*base.prefix)
                .filter(|rest| rest.starts_with(['/', '?']) || rest.is_empty())
        }
        (None, target) => target.map(PathAndQuery::as_str),
        (Some(_), None) => None,
    };
    let target = target.ok_or(Code::Malformed)?;
    let slash = if target.starts_with('/') { "" } else { "/" };
    if target == "*" || target.contains('#') {
        return Err(Code::Malformed.into());
    }
    Ok(Zeroizing::new([slash.as_bytes(), target.as_bytes()].concat()))
}

/// Whether `name` is where the tunnel leads.
pub(crate) fn same_host(name: &str, to: &Authority) -> Result<(), Code> {
    match Authority::parse(name, to.port) {
        Ok(named) if named == *to => Ok(()),
        Ok(_) => Err(Code::Misdirected),
        Err(_) => Err(Code::Malformed),
    }
}

/// Whether the request asks for WebSocket. Any other change of protocol is refused: what follows it could not be looked at.
fn wants_websocket(request: &Request<Incoming>) -> Result<bool, Refusal> {
    let mut upgrades = request.headers().get_all(UPGRADE).iter();
    let Some(upgrade) = upgrades.next() else { return Ok(false) };
    let asks = upgrade.as_bytes().eq_ignore_ascii_case(b"websocket")
        && upgrades.next().is_none()
        && request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && crate::headers::connection_has(request.headers(), "upgrade");
    if asks { Ok(true) } else { Err(Code::Malformed.into()) }
}

fn account(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all("x-keyward-account").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| Code::Malformed)?;
            Ok(Some(text.to_owned()))
        }
        (Some(_), Some(_)) => Err(Code::Malformed.into()),
    }
}

/// The target as a URI with exactly the same bytes, or refused.
fn raw(target: Zeroizing<Vec<u8>>) -> Result<Uri, Refusal> {
    let target = inject::wiped(target);
    let parsed = PathAndQuery::from_maybe_shared(target.clone()).map_err(|_| Code::Malformed)?;
    if parsed.as_str().as_bytes() != target {
        return Err(Code::Malformed.into());
    }
    Ok(Uri::from(parsed))
}

/// The request's body on its way.
enum Carried {
    Nothing,
    Agent(Incoming),
    Written(Bytes),
}

impl Carried {
    /// The whole body, because a rule writes something into it.
    async fn collect(&mut self) -> Result<Vec<u8>, Refusal> {
        let Self::Agent(body) = self else { return Err(Code::BodyUnreadable.into()) };
        match timeout(COLLECT_TIME, Limited::new(body, MOST_WRITTEN).collect()).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes().into()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Code::BodyTooLarge.into()),
            Err(_) | Ok(Err(_)) => Err(Code::Malformed.into()),
        }
    }
}

/// Reserves memory for a body that a rule writes into, from the agent's share and from the gateway's. A body of unknown length
/// takes as much as the largest one.
async fn room(tunnel: &Tunnel, headers: &HeaderMap) -> Result<[OwnedSemaphorePermit; 2], Code> {
    let length = length(headers)?.and_then(|length| usize::try_from(length).ok()).unwrap_or(MOST_WRITTEN);
    let kib = u32::try_from(length.min(MOST_WRITTEN) / 1024 + 1).unwrap_or(u32::MAX);
    let take = |from: &Arc<Semaphore>| timeout(ROOM_TIME, Arc::clone(from).acquire_many_owned(kib));
    let own = take(&tunnel.session.share.collected).await;
    let all = take(&tunnel.gateway.share.collected).await;
    match (own, all) {
        (Ok(Ok(own)), Ok(Ok(all))) => Ok([own, all]),
        _ => Err(Code::RateLimited),
    }
}

impl From<Carried> for RequestBody {
    fn from(body: Carried) -> Self {
        match body {
            Carried::Nothing => Self::Empty,
            Carried::Agent(body) if body.is_end_stream() => Self::Empty,
            Carried::Agent(body) => Self::Stream(body, Pulse::default(), None),
            Carried::Written(body) => Self::Whole(Some(body)),
        }
    }
}

/// Words in the names of headers by which a request may prove who sends it.
const PROOFS: [&str; 10] =
    ["auth", "token", "key", "secret", "session", "signature", "cookie", "pass", "cred", "jwt"];
/// Largest body that a rule can write into.
const MOST_WRITTEN: usize = 10 * 1024 * 1024;
/// How long the end of a body that must be empty is waited for.
const EMPTY_TIME: Duration = Duration::from_secs(10);
/// How long a body that is collected may take to arrive.
const COLLECT_TIME: Duration = Duration::from_mins(5);
/// How long a request waits for memory that earlier ones hold.
const ROOM_TIME: Duration = Duration::from_secs(30);
