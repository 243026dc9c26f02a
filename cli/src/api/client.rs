//! The one HTTP client: keyward's TLS settings, no redirects, no proxies, bounded answers, no text of the server shown unchecked.

use std::time::Duration;

use keyward_wire::api::agents::AgentsAnswer;
use keyward_wire::api::bundle::AUDIT_HEADER;
use keyward_wire::error::{ErrorBody, ErrorDetail};
use keyward_wire::limits::{ANSWER_BYTES, WRITE_BYTES};
use keyward_wire::{DeploymentId, Sha256};
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use rustls::ClientConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::ApiError;
use super::handshake::Failed;
use super::tls::{Roots, config};
use crate::fault::{Code, Fault, holds_token, printable, typed};
use crate::session::credential::Server;

/// Answer of a bundle request.
pub enum Answer {
    /// A new body.
    Body {
        /// The JSON, as it came.
        body: Vec<u8>,
        /// The audit header, if there was a readable one.
        audit: Option<String>,
    },
    /// 304: it still is the one the client has.
    Unchanged {
        /// The audit header, if there was a readable one.
        audit: Option<String>,
    },
}

/// The tag of the answer of `GET /v1/me/agents` that a gateway has.
pub struct AgentsTag(Sha256);

/// A server, and a session with it once there is one.
pub struct Api {
    server: Server,
    base: Url,
    client: Client,
    pub(super) authorization: Option<Zeroizing<String>>,
}

impl Api {
    /// A client of this server. Nothing is sent yet.
    ///
    /// # Errors
    /// If the address is none, or would send credentials in the clear.
    pub fn new(server: &Server) -> anyhow::Result<Self> {
        let base = check_url(server)?;
        let roots = server.ca_file.as_deref().map_or(Roots::BuiltIn, Roots::File);
        Ok(Self { server: server.clone(), base, client: client(roots)?, authorization: None })
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, ApiError> {
        let url = self.url_with(path, query);
        let response = self.send(|client| client.get(url.clone())).await?;
        self.json(response).await
    }

    pub(super) async fn post<T: DeserializeOwned, B: Serialize>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ApiError> {
        let response = self.send_json(path, body).await?;
        self.json(response).await
    }

    pub(super) async fn post_no_answer<B: Serialize>(&self, path: &str, body: &B) -> Result<(), ApiError> {
        self.send_json(path, body).await.map(drop)
    }

    pub(super) async fn post_empty(&self, path: &str, query: &[(&str, String)]) -> Result<(), ApiError> {
        let url = self.url_with(path, query);
        self.send(|client| client.request(Method::POST, url.clone())).await.map(drop)
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), ApiError> {
        self.send(|client| client.delete(self.url(path))).await.map(drop)
    }

    pub(super) async fn bundle_request(
        &self,
        authorization: &str,
        deployment: Option<DeploymentId>,
        known: Option<Sha256>,
    ) -> Result<Answer, ApiError> {
        let mut url = self.url("/v1/me/bundle");
        if let Some(deployment) = deployment {
            url.query_pairs_mut().append_pair("deployment", &deployment.to_string());
        }
        let request = |client: &Client| {
            let request = client.get(url.clone()).header(AUTHORIZATION, sensitive(authorization));
            match known {
                Some(known) => request.header(IF_NONE_MATCH, format!("\"{known}\"")),
                None => request,
            }
        };
        let response = self.send(request).await?;
        let audit = response.headers().get(AUDIT_HEADER).and_then(|value| value.to_str().ok());
        let audit = audit.map(|value| printable(value, 100));
        match (response.status(), known) {
            (StatusCode::NOT_MODIFIED, Some(_)) => Ok(Answer::Unchanged { audit }),
            (StatusCode::OK, _) => Ok(Answer::Body { body: self.body(response).await?, audit }),
            (status, _) => Err(ApiError::Refused { status: status.as_u16(), detail: None }),
        }
    }

    pub(super) async fn agents_request(
        &self,
        known: Option<&AgentsTag>,
        wait_secs: u64,
    ) -> Result<Option<(AgentsAnswer, AgentsTag)>, ApiError> {
        let mut url = self.url("/v1/me/agents");
        url.query_pairs_mut().append_pair("wait_secs", &wait_secs.to_string());
        let request = |client: &Client| match known {
            Some(AgentsTag(known)) => client.get(url.clone()).header(IF_NONE_MATCH, format!("\"{known}\"")),
            None => client.get(url.clone()),
        };
        let response = self.send(request).await?;
        match (response.status(), known) {
            (StatusCode::NOT_MODIFIED, Some(_)) => Ok(None),
            (StatusCode::OK, _) => {
                let body = self.body(response).await?;
                let answer = keyward_wire::json::from_slice(&body).map_err(|_| ApiError::Malformed)?;
                // As the server makes it, but out of what arrived: no text of the server's is sent back.
                Ok(Some((answer, AgentsTag(Sha256::of(&body)))))
            }
            (status, _) => Err(ApiError::Refused { status: status.as_u16(), detail: None }),
        }
    }

    async fn send_json<B: Serialize>(&self, path: &str, body: &B) -> Result<Response, ApiError> {
        let json = serde_json::to_vec(body).expect("requests have string keys and no failing parts");
        if json.len() > WRITE_BYTES {
            return Err(ApiError::RequestTooLarge);
        }
        let request = |client: &Client| {
            client.post(self.url(path)).header(CONTENT_TYPE, "application/json").body(json.clone())
        };
        self.send(request).await
    }

    async fn send(&self, request: impl Fn(&Client) -> RequestBuilder) -> Result<Response, ApiError> {
        let authorized = |client: &Client| match &self.authorization {
            Some(authorization) => request(client).header(AUTHORIZATION, sensitive(authorization)),
            None => request(client),
        };
        let first = authorized(&self.client).send().await.map_err(|error| self.network(&error));
        let response = match first {
            // The handshake failed, so nothing was sent: once more with the system's roots.
            Err(ApiError::Network { untrusted: true, .. }) if self.server.ca_file.is_none() => {
                let client =
                    client(Roots::System).map_err(|_| self.broken("the system's roots cannot be used"))?;
                authorized(&client).send().await.map_err(|error| self.network(&error))?
            }
            other => other?,
        };
        let status = response.status();
        if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            return Err(ApiError::Redirect);
        }
        if status.is_client_error() || status.is_server_error() {
            let body = self.body(response).await.unwrap_or_default();
            return Err(ApiError::Refused { status: status.as_u16(), detail: reason(&body) });
        }
        Ok(response)
    }

    async fn json<T: DeserializeOwned>(&self, response: Response) -> Result<T, ApiError> {
        let body = self.body(response).await?;
        keyward_wire::json::from_slice(&body).map_err(|_| ApiError::Malformed)
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, ApiError> {
        // We never ask for compression, so nobody can make us inflate anything.
        if response.headers().contains_key(CONTENT_ENCODING) {
            return Err(ApiError::Compressed);
        }
        let announced = response.content_length().unwrap_or(0);
        if announced > ANSWER_BYTES as u64 {
            return Err(ApiError::TooLarge);
        }
        let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0).min(ANSWER_BYTES));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.network(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(ApiError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let prefix = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{prefix}{path}"));
        url
    }

    fn url_with(&self, path: &str, query: &[(&str, String)]) -> Url {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// What went wrong, in a few words of our own: a foreign error's text might hold the URL.
    pub(super) fn network(&self, error: &reqwest::Error) -> ApiError {
        let io = source_of::<std::io::Error>(error);
        let tls = source_of::<rustls::Error>(error).or_else(|| io.and_then(within));
        let is_unknown = io.is_some_and(|io| io.to_string().starts_with(LOOKUP_FAILED));
        let failed = tls.map(|tls| Failed::of(tls, self.server.ca_file.is_some()));
        let Failed { why, untrusted, next } = failed.unwrap_or_else(|| Failed {
            why: match io {
                _ if is_unknown => "there is no such name, as far as this machine can find out".to_owned(),
                _ if error.is_timeout() => "it did not answer in time".to_owned(),
                Some(io) => io.kind().to_string(),
                None if error.is_connect() => "no connection".to_owned(),
                None => "the connection broke".to_owned(),
            },
            untrusted: false,
            next: if is_unknown { Some(UNKNOWN_NEXT) } else { (!self.server.named).then_some(UNNAMED) },
        });
        ApiError::Network { host: self.host(), why, untrusted, sent: !error.is_connect(), next }
    }

    fn broken(&self, why: &str) -> ApiError {
        ApiError::Network { host: self.host(), why: why.to_owned(), untrusted: false, sent: true, next: None }
    }

    /// Host and port.
    pub(super) fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        match self.base.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

/// The first cause of this type.
fn source_of<'a, T: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a T> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// rustls stands in the payload of an io::Error, perhaps of one in another, which `source` skips.
fn within(error: &std::io::Error) -> Option<&rustls::Error> {
    let payload = error.get_ref()?;
    payload.downcast_ref().or_else(|| payload.downcast_ref().and_then(within))
}

fn client(roots: Roots<'_>) -> anyhow::Result<Client> {
    configured(config(roots)?)
}

/// A client of our manners with this view of certificates.
pub(super) fn configured(tls: ClientConfig) -> anyhow::Result<Client> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(20))
        .timeout(Duration::from_secs(90))
        .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

/// Credentials go over TLS, or stay on this machine, unless the user says otherwise.
fn check_url(server: &Server) -> anyhow::Result<Url> {
    let not_an_address = || {
        Fault::usage(format!("not a server's address: {}", typed(&server.url, 100)))
            .next("write it as https://keyward.example")
    };
    // Not shown: what stands before the @ may be a password. No address has one anywhere else.
    if server.url.contains('@') {
        return Err(Fault::usage(
            "the server's address holds a user name or password, which keyward has no use for",
        )
        .next("write it as https://keyward.example (--url, KEYWARD_URL), without what stands before the @")
        .into());
    }
    // As a host it would be asked of a name server, and as a path it would stand in logs.
    if holds_token(&server.url) {
        return Err(not_an_address().into());
    }
    let url = Url::parse(&server.url).map_err(|_| not_an_address())?;
    let host = url.host_str().ok_or_else(not_an_address)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(not_an_address().into());
    }
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback || server.allow_http => Ok(url),
        "http" => Err(Fault::new(
            Code::Policy,
            format!("http:// would send your credential in the clear to {host}"),
        )
        .next("use https://, or --allow-http if the way there is protected otherwise")
        .into()),
        _ => Err(not_an_address().into()),
    }
}

fn sensitive(value: &str) -> reqwest::header::HeaderValue {
    let mut value =
        reqwest::header::HeaderValue::from_str(value).expect("base64url and spaces are header text");
    value.set_sensitive(true);
    value
}

/// The server's reason, inert and cut; `None` if it is no reason at all.
fn reason(body: &[u8]) -> Option<ErrorDetail> {
    let body: ErrorBody = keyward_wire::json::from_slice(body).ok()?;
    let ErrorDetail { code, message, field } = body.error;
    Some(ErrorDetail {
        code,
        message: printable(&message, 300),
        field: field.map(|field| printable(&field, 100)),
    })
}

const UNNAMED: &str =
    "no address was given, so this machine's usual one was tried: name the server with --url or KEYWARD_URL";

/// How the standard library begins what the resolver of names says; it has no kind of its own for that.
const LOOKUP_FAILED: &str = "failed to lookup address information";

const UNKNOWN_NEXT: &str =
    "check the spelling of the address (--url, KEYWARD_URL), and that this machine can look up names";

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str, allow_http: bool) -> Server {
        Server { allow_http, ..Server::at(url.to_owned()) }
    }

    #[test]
    fn credentials_never_leave_the_machine_in_the_clear_unasked() {
        for good in
            ["https://keyward.example", "http://127.0.0.1:8420", "http://localhost:1", "http://[::1]:8420"]
        {
            assert!(check_url(&server(good, false)).is_ok(), "{good}");
        }
        for bad in [
            "http://keyward.example",
            "http://127.0.0.1.evil.test",
            "http://10.0.0.1",
            "http://localhost.evil",
        ] {
            assert_eq!(
                crate::fault::code_of(&check_url(&server(bad, false)).unwrap_err()),
                Code::Policy,
                "{bad}"
            );
            assert!(check_url(&server(bad, true)).is_ok(), "{bad}");
        }
        for none in ["keyward.example", "ftp://x", "https://user:pw@x", "https://x?token=1", ""] {
            assert_eq!(
                crate::fault::code_of(&check_url(&server(none, true)).unwrap_err()),
                Code::Usage,
                "{none}"
            );
        }
    }

    #[test]
    fn a_token_in_the_place_of_an_address_is_refused_and_not_repeated() {
        for url in ["kwt1_hunter2", "https://kwt1_hunter2", "https://keyward.example/kwd1_hunter2"] {
            let error = check_url(&server(url, true)).unwrap_err();
            assert_eq!(crate::fault::code_of(&error), Code::Usage, "{url}");
            assert!(!format!("{error:#}").contains("hunter2"), "{url}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        for url in [
            "https://bob:hunter2@host",
            "http://hunter2@127.0.0.1",
            "bob:hunter2@host",
            "https://h/#bob:hunter2@",
        ] {
            let error = check_url(&server(url, true)).unwrap_err();
            assert_eq!(crate::fault::code_of(&error), Code::Usage, "{url}");
            let said = format!("{error:#}");
            assert!(!said.contains("hunter2") && said.contains("before the @"), "{url}: {said}");
        }
    }

    #[test]
    fn a_servers_reason_is_shown_inert() {
        let body = "{\"error\":{\"code\":\"forbidden\",\"message\":\"a\\u001b[2Jb\"}}";
        assert_eq!(reason(body.as_bytes()).unwrap().message, "a\u{fffd}[2Jb");
        assert!(reason(b"<html>$(touch /tmp/pwn)</html>").is_none());
    }
}
