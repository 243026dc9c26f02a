//! A request that has wholly arrived: its parts, read strictly.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use keyward_wire::json::{JsonError, check_depth};
use serde::de::DeserializeOwned;

use super::{Failure, Route, Server};
use crate::auth::Proof;

/// A request as its handler sees it.
pub(super) struct Call {
    /// The server's configuration and database.
    pub server: Server,
    /// The route that was asked for.
    pub route: &'static Route,
    /// Path and query as they were sent.
    pub uri: Uri,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The client's address, as far as trusted proxies tell it.
    pub ip: Option<IpAddr>,
}

impl Call {
    /// The id that ends the path. A misspelt id is no id, and so not found.
    pub(super) fn id<T: std::str::FromStr>(&self) -> Result<T, Failure> {
        // Not axum's parameter, which is percent-decoded: a percent sign is not part of an id.
        let (_, last) = self.uri.path().rsplit_once('/').ok_or(Failure::NotFound)?;
        last.parse().map_err(|_| Failure::NotFound)
    }

    /// The query, read as `T`.
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let query = Query::try_from_uri(&self.uri);
        query
            .map(|Query(query)| query)
            .map_err(|_| Failure::invalid("Not a query that this address takes.", "query"))
    }

    /// The body, read as `T` from JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if !self.headers.get(header::CONTENT_TYPE).is_some_and(|value| is_json(value.as_bytes())) {
            return Err(Failure::NotJson);
        }
        read(&self.body)
    }

    /// The claim of the `Authorization` header. No header, two, or another form are all the same: unauthenticated.
    pub(super) fn proof(&self) -> Result<Proof, Failure> {
        let mut headers = self.headers.get_all(header::AUTHORIZATION).iter();
        match (headers.next(), headers.next()) {
            (Some(value), None) => value.to_str().ok().and_then(Proof::from_authorization),
            _ => None,
        }
        .ok_or(Failure::Unauthenticated)
    }

    /// Whether the client says that it has the body of this `ETag`. `*` does not count: it would match what was never read.
    pub(super) fn has(&self, etag: &HeaderValue) -> bool {
        let tags = self.headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        tags.flat_map(|line| line.split(',')).any(|tag| tag.trim().trim_start_matches("W/") == etag)
    }

    /// Whether the client meant this machine: `Host` is localhost or a loopback address.
    pub(super) fn names_loopback(&self) -> bool {
        let host = self.headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether a header says that a proxy passed the request on.
    pub(super) fn is_forwarded(&self) -> bool {
        self.headers.keys().any(|name| name == "forwarded" || name.as_str().starts_with("x-forwarded-"))
    }
}

fn is_json(content_type: &[u8]) -> bool {
    let end = content_type.iter().position(|byte| *byte == b';').unwrap_or(content_type.len());
    content_type[..end].trim_ascii().eq_ignore_ascii_case(b"application/json")
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    if let Err(JsonError::TooDeep) = check_depth(body) {
        return Err(Failure::Invalid { message: "The JSON is nested too deeply.", field: None });
    }
    let json = &mut serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut *json).map_err(|error| unreadable(&error))?;
    match json.end() {
        Ok(()) => Ok(value),
        Err(_) => Err(Failure::Invalid { message: "The body goes on after its JSON.", field: None }),
    }
}

/// The refusal of a body that cannot be read: it names the field. The parser's own text is not passed on, since it quotes values.
fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> Failure {
    if !error.inner().is_data() {
        return Failure::Invalid { message: "The body is not JSON.", field: None };
    }
    let path: String = error.path().to_string().chars().filter(|c| is_path(*c)).take(200).collect();
    let path = if path == "." { String::new() } else { path };
    let text = error.inner().to_string();
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    let (message, field) = match missing {
        Some((name, _)) if path.is_empty() => ("This field is missing.", name.to_owned()),
        Some((name, _)) => ("This field is missing.", format!("{path}.{name}")),
        None => ("This field is unknown, double, or not of the expected form.", path),
    };
    Failure::Invalid { message, field: (!field.is_empty()).then_some(field) }
}

fn is_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']')
}

#[cfg(test)]
mod tests {
    use keyward_wire::api::auth::LoginRequest;
    use keyward_wire::api::write::WriteRequest;

    use super::*;

    fn field<T: DeserializeOwned>(body: &str) -> Option<String> {
        match read::<T>(body.as_bytes()) {
            Err(Failure::Invalid { field, .. }) => field,
            _ => panic!("{body} was read"),
        }
    }

    #[test]
    fn an_unreadable_body_names_the_field_and_no_value() {
        let cred = "482bd7d9-38e0-4568-99be-6ae3a44d48a2";
        assert_eq!(field::<LoginRequest>(&format!(r#"{{"cred":"{cred}"}}"#)).unwrap(), "auth");
        assert_eq!(field::<LoginRequest>(r#"{"cred":"hunter2","auth":"x"}"#).unwrap(), "cred");
        assert_eq!(field::<LoginRequest>("nonsense"), None);
        let base = r#""base":{"seq":1,"sha256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
        let env = keyward_env();
        let write = format!(r#"{{{base},"org":"{env}","views":[{{"id":"x"}}]}}"#);
        assert_eq!(field::<WriteRequest>(&write).unwrap(), "views[0].id");
        let double = format!(r#"{{{base},{base},"org":"{env}"}}"#);
        assert!(matches!(read::<WriteRequest>(double.as_bytes()), Err(Failure::Invalid { .. })));
        let after = format!(r#"{{{base},"org":"{env}"}} true"#);
        assert!(matches!(read::<WriteRequest>(after.as_bytes()), Err(Failure::Invalid { .. })));
    }

    #[test]
    fn only_json_is_json() {
        for good in ["application/json", "application/json; charset=utf-8", "Application/JSON ;x"] {
            assert!(is_json(good.as_bytes()), "{good}");
        }
        for bad in ["", "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "json"] {
            assert!(!is_json(bad.as_bytes()), "{bad}");
        }
    }

    fn keyward_env() -> String {
        let mut bytes = vec![0; 600];
        bytes[..8].copy_from_slice(b"KWE1\x26\x01\0\0");
        let env = keyward_wire::Envelope::from_bytes(bytes).unwrap();
        serde_json::to_value(env).unwrap().as_str().unwrap().to_owned()
    }
}
