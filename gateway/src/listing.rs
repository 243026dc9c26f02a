//! `GET /-/`: what an agent may use, so that its programs can be told the variables and addresses. The answer has no value, no
//! rule, and nothing of keys that are not the agent's.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use serde::Serialize;

use crate::answer::Answer;
use crate::refuse::Code;
use crate::source::Grant;

#[derive(Serialize)]
struct Listing<'a> {
    keys: Vec<Key<'a>>,
}

#[derive(Serialize)]
struct Key<'a> {
    name: &'a str,
    provider: Option<&'a str>,
    /// The host that `/-/NAME/` leads to. `None` if there could be several.
    host: Option<String>,
}

/// Whether a request asks for the list.
pub(crate) fn is_asked(path: &str) -> bool {
    path == "/-/"
}

/// The list as an answer.
pub(crate) fn answer<B>(request: &Request<B>, grants: &[Grant]) -> Result<Response<Answer>, Code> {
    if *request.method() != Method::GET {
        return Err(Code::MethodNotAllowed);
    }
    let keys = grants.iter().map(|grant| Key {
        name: &grant.name,
        provider: grant.provider.as_deref(),
        host: grant.destination().map(|to| to.to_string()),
    });
    let body = serde_json::to_vec(&Listing { keys: keys.collect() }).expect("a list of texts is JSON");
    let mut answer = Response::new(Answer::own(Bytes::from(body)));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}
