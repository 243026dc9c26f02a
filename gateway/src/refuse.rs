//! Every answer that the gateway gives itself: what happened, and what to do about it.
//!
//! No answer repeats anything of a request: no query, header or body. No answer repeats the text of another program's error: what
//! an upstream or a resolver said may contain the secret.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use serde::Serialize;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// No credential, or none that counts. One answer for all of these.
    ProxyAuthRequired,
    /// The request can be read in more than one way, or not at all.
    Malformed,
    /// Head or headers beyond what the gateway takes.
    HeadTooLarge,
    /// `TRACE`, `TRACK`, `CONNECT` inside a tunnel: methods that would show what was put in, or lead elsewhere.
    MethodNotAllowed,
    /// `Host`, `:authority` or SNI is not what the tunnel was made for.
    Misdirected,
    /// A host that has a key, over a connection that others can read.
    CleartextRefused,
    /// A host that the gateway knows how to serve, and this agent has no key for it.
    AppNotConnected,
    /// A host of which nothing is known.
    CredentialNotFound,
    /// The agent was there and may act no more, or this key is no longer its own.
    AccessRestricted,
    /// More than one key fits.
    MultipleConnections,
    /// The key's rule names neither this method, this path, nor this port.
    BlockedByPolicy,
    /// An address that no agent may reach through the gateway.
    AddressRefused,
    /// The key's rule asks for an approval, and there is nobody to ask.
    ApprovalUnavailable,
    /// A path that makes or shows credentials, which the key's rule does not name.
    CredentialPath,
    /// More requests than the rule or the gateway allows.
    RateLimited,
    /// A placeholder of another key stands where this one belongs.
    WrongDestination,
    /// A placeholder that belongs to no session of this agent.
    UnknownPlaceholder,
    /// The place of the key is filled twice.
    RepeatedPlaceholder,
    /// The key's value cannot stand where its rule puts it.
    ValueUnusable,
    /// The request's body is not what the key's rule writes into.
    BodyUnreadable,
    /// The request's body is larger than what the key's rule can be applied to.
    BodyTooLarge,
    /// The answer is in a form in which the secret cannot be looked for.
    ScrubUnreadable,
    /// Grants were not confirmed for so long that they no longer count.
    GrantsStale,
    /// The host has no address, or one that is refused beside others.
    DnsFailed,
    /// The upstream's certificate is not one for this host.
    TlsFailed,
    /// No connection.
    ConnectRefused,
    /// The proxy that the gateway itself must use does not let it through.
    ProxyRefused,
    /// Nothing came in time.
    UpstreamTimeout,
    /// What came is not HTTP, or can be read in more than one way.
    UpstreamProtocol,
    /// The log cannot be written.
    LogFailed,
    /// No such address on the gateway itself.
    NotFound,
    /// A web page asks, or somebody by a name that is not the gateway's own.
    ForeignOrigin,
}

impl Code {
    /// The word in the body and in the log.
    pub fn word(self) -> &'static str {
        self.row().0
    }

    /// The status of its answer.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).expect("the table has statuses only")
    }

    fn row(self) -> (&'static str, u16, &'static str, &'static str) {
        match self {
            Self::ProxyAuthRequired => (
                "proxy_auth_required",
                407,
                "The gateway does not know this agent.",
                "Use the agent's current proxy credential as the password of HTTPS_PROXY.",
            ),
            Self::Malformed => (
                "malformed_request",
                400,
                "The request can be read in more than one way.",
                "Send plain HTTP: one Host, one length, no folded lines, no path that needs normalising.",
            ),
            Self::HeadTooLarge => (
                "head_too_large",
                431,
                "The head of the request is larger than the gateway takes.",
                "Send less than 64 KiB in at most 100 header lines.",
            ),
            Self::MethodNotAllowed => (
                "method_not_allowed",
                405,
                "The gateway does not pass this method on.",
                "Use another method.",
            ),
            Self::Misdirected => (
                "misdirected_request",
                421,
                "The request names another host than the one the connection was made for.",
                "Open a connection of its own for each host.",
            ),
            Self::CleartextRefused => (
                "cleartext_refused",
                403,
                "This host has a key, and keys travel over https only.",
                "Use https:// instead of http://.",
            ),
            Self::AppNotConnected => (
                "app_not_connected",
                403,
                "No key of this agent is for this host.",
                "Ask an administrator to add a key for it and to grant it to this agent.",
            ),
            Self::CredentialNotFound => (
                "credential_not_found",
                403,
                "No key of this agent is for this host.",
                "Ask an administrator to add a key for it. Hosts that need none are reached if the gateway is started with --egress allow.",
            ),
            Self::AccessRestricted => {
                ("access_restricted", 403, "This agent may not use this key.", "Ask an administrator.")
            }
            Self::MultipleConnections => (
                "multiple_connections",
                409,
                "More than one key fits this request.",
                "Send X-Keyward-Account with one of the choices. The gateway removes it.",
            ),
            Self::BlockedByPolicy => (
                "blocked_by_policy",
                403,
                "The key's rule does not allow this request.",
                "Ask an administrator to widen the rule, if it should be allowed.",
            ),
            Self::AddressRefused => (
                "address_refused",
                403,
                "The gateway does not connect to this address.",
                "The gateway's operator can allow a private host and port with --allow-private HOST:PORT.",
            ),
            Self::ApprovalUnavailable => (
                "approval_unavailable",
                403,
                "The key's rule asks for an approval, and this gateway has nobody to ask.",
                "Ask an administrator to do it, or to change the key's rule.",
            ),
            Self::CredentialPath => (
                "credential_path",
                403,
                "This path makes or shows credentials, and the key's rule does not name it.",
                "Ask an administrator to do it, or to name the path in the key's rule.",
            ),
            Self::RateLimited => (
                "rate_limited",
                429,
                "This agent made more requests than it may.",
                "Wait as long as retry-after says.",
            ),
            Self::WrongDestination => (
                "wrong_destination",
                403,
                "The placeholder in the request belongs to a key for another host.",
                "Send each placeholder to the host that its key is for.",
            ),
            Self::UnknownPlaceholder => (
                "unknown_placeholder",
                403,
                "The placeholder in the request belongs to nothing that is here.",
                "Take the placeholders of this session, or send keyward-managed instead.",
            ),
            Self::RepeatedPlaceholder => (
                "repeated_placeholder",
                403,
                "The placeholder stands in the request more than once.",
                "Send it once, in the place that the key's rule names.",
            ),
            Self::ValueUnusable => (
                "value_unusable",
                502,
                "The key's value cannot stand where its rule puts it.",
                "Ask an administrator to look at the key's value and rule.",
            ),
            Self::BodyUnreadable => (
                "body_unreadable",
                400,
                "The body of the request is not of the kind that the key's rule writes into.",
                "Send it as the service documents it, not compressed.",
            ),
            Self::BodyTooLarge => (
                "body_too_large",
                413,
                "The key's rule writes into the body, and this body is too large for that.",
                "Send at most 10 MiB.",
            ),
            Self::ScrubUnreadable => (
                "scrub_unreadable",
                502,
                "The answer was withheld: it is in a form in which the key cannot be looked for.",
                "Ask the service for a whole answer, and one that is not compressed.",
            ),
            Self::GrantsStale => (
                "grants_stale",
                503,
                "The gateway has not heard from its server for too long to go on.",
                "Try again when the gateway's server can be reached.",
            ),
            Self::DnsFailed => (
                "dns_failed",
                502,
                "The host has no address that can be used.",
                "Check the host's name, and the resolver of the machine that the gateway runs on.",
            ),
            Self::TlsFailed => (
                "tls_failed",
                502,
                "The host did not prove that it is the one that was asked for.",
                "The gateway's operator can trust a private authority with --upstream-ca FILE.",
            ),
            Self::ConnectRefused => (
                "connect_refused",
                502,
                "The host did not take the connection.",
                "Check that it is up, and that the gateway may reach it.",
            ),
            Self::ProxyRefused => (
                "proxy_refused",
                502,
                "The proxy that the gateway goes through did not let it pass.",
                "The gateway's operator looks at --upstream-proxy: its name, its password, and what it allows.",
            ),
            Self::UpstreamTimeout => {
                ("upstream_timeout", 504, "The host did not answer in time.", "Try again later.")
            }
            Self::UpstreamProtocol => (
                "upstream_protocol",
                502,
                "The host's answer is not HTTP that can be read in one way.",
                "Tell those who run it.",
            ),
            Self::LogFailed => (
                "log_failed",
                503,
                "The gateway cannot write its log, and answers nothing that it cannot record.",
                "Its operator finds out why: a full disk, say, or the file was removed.",
            ),
            Self::NotFound => (
                "not_found",
                404,
                "The gateway has nothing at this address.",
                "Use it as a proxy, or under /-/KEY/ as the address of the service that the key is for.",
            ),
            Self::ForeignOrigin => (
                "foreign_origin",
                403,
                "The gateway tells this to no web page, and under its own names only.",
                "Ask by its address, or start it with --control-name and the name that was used.",
            ),
        }
    }

    /// Whether the same request may get another answer soon.
    fn retry_helps(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::GrantsStale
                | Self::ConnectRefused
                | Self::UpstreamTimeout
                | Self::DnsFailed
        )
    }

    /// Whether there was no connection to the upstream on which anything could have been sent.
    pub(crate) fn is_before_the_upstream(self) -> bool {
        matches!(
            self,
            Self::DnsFailed
                | Self::AddressRefused
                | Self::ConnectRefused
                | Self::ProxyRefused
                | Self::TlsFailed
        )
    }

    /// Whether the bytes that follow on the connection cannot be trusted to be a request.
    fn ends_connection(self) -> bool {
        matches!(self, Self::Malformed | Self::HeadTooLarge)
    }
}

/// A refusal, with hints on what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub code: Code,
    /// The service at this host, if the gateway knows one.
    pub provider: Option<&'static str>,
    /// Where a person connects the service: the configured console's address and a fragment.
    pub connect_url: Option<String>,
    /// Where a person sees what this agent may do: likewise an address of the console.
    pub manage_url: Option<String>,
    /// The account names among which `X-Keyward-Account` chooses.
    pub choices: Vec<String>,
    /// Seconds after which trying again may help.
    pub retry_after_secs: Option<u64>,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        let (provider, connect_url, manage_url, choices) = (None, None, None, Vec::new());
        Self { code, provider, connect_url, manage_url, choices, retry_after_secs: None }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    message: &'static str,
    hint: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manage_url: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    choices: &'a [String],
}

impl Refusal {
    /// The refusal as an answer. `as_server`: status 401 in the place of 407, for a client that takes the gateway for the
    /// service.
    pub(crate) fn answer(&self, as_server: bool) -> Response<Bytes> {
        let mut answer = Response::new(self.body());
        *answer.status_mut() = self.code.status();
        let headers = answer.headers_mut();
        self.describe(headers);
        if let Some(seconds) = self.retry_after_secs {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code.ends_connection() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self.code == Code::ProxyAuthRequired {
            let challenge = HeaderValue::from_static("Basic realm=\"keyward\"");
            if as_server {
                headers.insert(WWW_AUTHENTICATE, challenge);
                *answer.status_mut() = StatusCode::UNAUTHORIZED;
            } else {
                headers.insert(PROXY_AUTHENTICATE, challenge);
            }
        }
        answer
    }

    /// A body that takes the place of the body of an upstream's answer. The upstream's status stays: some clients look at what
    /// the head asks for.
    pub(crate) fn instead_of_body(&self, headers: &mut HeaderMap) -> Bytes {
        let of_body = |name: &HeaderName| name.as_str().starts_with("content-") || *name == ETAG;
        let of_body: Vec<HeaderName> = headers.keys().filter(|name| of_body(name)).cloned().collect();
        for name in of_body {
            headers.remove(name);
        }
        self.describe(headers);
        self.body()
    }

    fn body(&self) -> Bytes {
        let (error, _, message, hint) = self.code.row();
        let (connect_url, manage_url) = (self.connect_url.as_deref(), self.manage_url.as_deref());
        let (provider, choices) = (self.provider, &*self.choices);
        let body = Body { error, message, hint, provider, connect_url, manage_url, choices };
        serde_json::to_vec(&body).expect("a body of texts is JSON").into()
    }

    fn describe(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !self.code.retry_helps() {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
    }
}

/// The header that the SDKs of OpenAI and Anthropic read before they retry by themselves.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Code] = &[
        Code::ProxyAuthRequired,
        Code::Malformed,
        Code::HeadTooLarge,
        Code::MethodNotAllowed,
        Code::Misdirected,
        Code::CleartextRefused,
        Code::AppNotConnected,
        Code::CredentialNotFound,
        Code::AccessRestricted,
        Code::MultipleConnections,
        Code::BlockedByPolicy,
        Code::AddressRefused,
        Code::ApprovalUnavailable,
        Code::CredentialPath,
        Code::RateLimited,
        Code::WrongDestination,
        Code::UnknownPlaceholder,
        Code::RepeatedPlaceholder,
        Code::ValueUnusable,
        Code::BodyUnreadable,
        Code::BodyTooLarge,
        Code::ScrubUnreadable,
        Code::GrantsStale,
        Code::DnsFailed,
        Code::TlsFailed,
        Code::ConnectRefused,
        Code::ProxyRefused,
        Code::UpstreamTimeout,
        Code::UpstreamProtocol,
        Code::LogFailed,
        Code::NotFound,
        Code::ForeignOrigin,
    ];

    #[test]
    fn every_refusal_says_what_happened_and_what_to_do() {
        let mut words = std::collections::HashSet::new();
        for code in ALL {
            let answer = Refusal::from(*code).answer(false);
            let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(body["error"], code.word());
            assert!(words.insert(code.word()), "{code:?} has a word of its own");
            for field in ["message", "hint"] {
                assert!(body[field].as_str().unwrap().ends_with('.'), "{code:?} {field}");
            }
            assert!(answer.status().is_client_error() || answer.status().is_server_error());
            assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
            assert_eq!(answer.headers().contains_key(SHOULD_RETRY), !code.retry_helps());
        }
    }

    #[test]
    fn a_proxy_asks_with_407_and_a_server_with_401() {
        let refusal = Refusal::from(Code::ProxyAuthRequired);
        assert_eq!(refusal.answer(false).status(), 407);
        assert!(refusal.answer(false).headers().contains_key(PROXY_AUTHENTICATE));
        assert_eq!(refusal.answer(true).status(), 401);
        assert!(refusal.answer(true).headers().contains_key(WWW_AUTHENTICATE));
    }
}
