//! The body of every refusal, and the only list of its codes.

use serde::{Deserialize, Serialize};

/// `{"error": {"code", "message", "field"?}}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// An error: why the request was refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorDetail {
    /// The code, for programs.
    pub code: ErrorCode,
    /// The message, for people: what happened and what to do. It names no id, name, value or token.
    pub message: String,
    /// The field of the request at fault, as `secrets[3].env`, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 400: not the JSON, query or header that this address takes.
    InvalidRequest,
    /// 400: the request carries a token's secret half, which the server must never see.
    TokenInRequest,
    /// 401: no credential or session, or one that is unknown, wrong, expired or revoked.
    Unauthenticated,
    /// 403: signed in, but this role may not.
    Forbidden,
    /// 403: this needs a session made with the password within the last 10 minutes.
    PasswordNeeded,
    /// 403: sign-up is closed on this server.
    SignupClosed,
    /// 403: sign-up needs the setup code.
    SetupCode,
    /// 404: no such thing, or not the caller's; the server does not say which.
    NotFound,
    /// 405: the address has no such method.
    MethodNotAllowed,
    /// 408: the request took too long to arrive.
    Timeout,
    /// 409: the organisation has changed since `base`, or the id or e-mail is taken.
    Conflict,
    /// 413: the body is larger than this address takes.
    TooLarge,
    /// 415: the body is not `application/json`.
    NotJson,
    /// 422: understood, but it would break a rule of the organisation's state.
    Unprocessable,
    /// 429: too many refused log-ins from this network, or of this credential from networks where its holder never signed in; or
    /// too many requests of this identity that wait. Wait a little.
    TooMany,
    /// 503: the server has no room for this now.
    Unavailable,
    /// 500: a fault of the server.
    Internal,
}

impl ErrorCode {
    /// The code as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::TokenInRequest => "token_in_request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::PasswordNeeded => "password_needed",
            Self::SignupClosed => "signup_closed",
            Self::SetupCode => "setup_code",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Timeout => "timeout",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::Unprocessable => "unprocessable",
            Self::TooMany => "too_many",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}
