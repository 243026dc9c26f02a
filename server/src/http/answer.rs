//! Answers: JSON that no cache may keep.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use keyward_wire::api::bundle::AUDIT_HEADER;
use keyward_wire::api::org::AuditHead;
use serde::Serialize;

/// An answer with this status and `value` as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    bytes(status, encode(value))
}

/// An answer with status 200 and `value` as JSON.
pub(super) fn ok(value: &impl Serialize) -> Response {
    json(StatusCode::OK, value)
}

/// An answer with status 204 and no body.
pub(super) fn empty() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The JSON of `value` as bytes.
pub(super) fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("wire types are JSON")
}

/// An answer with a body that is JSON already.
pub(super) fn bytes(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Adds the audit header: for owners and admins the head of the chain, for others only the hash of this request's own entry,
/// which tells nothing of anybody else.
pub(super) fn audited(mut response: Response, administers: bool, head: AuditHead) -> Response {
    let head = if administers { format!("{}:{}", head.seq, head.hash) } else { head.hash.to_string() };
    let head = HeaderValue::from_str(&head).expect("digits, a colon and base64url");
    response.headers_mut().insert(HeaderName::from_static(AUDIT_HEADER), head);
    response
}

/// Adds what every answer has.
pub(super) fn finish(mut response: Response) -> Response {
    let busy = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    if busy {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECS));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The time after which a busy server has likely caught up.
const RETRY_AFTER_SECS: &str = "2";
