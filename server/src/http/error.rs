//! Every failure → status and public body. The only place that picks the status of a refusal under `/v1`.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keyward_wire::error::{ErrorBody, ErrorCode, ErrorDetail};

use super::answer;
use crate::access::Refusal;
use crate::store::StoreError;

/// Why a request is refused or fails. Two failures of one kind have the same answer to the byte, whatever caused them: nobody
/// learns from a refusal what exists.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "as in ErrorCode")]
pub enum Failure {
    #[error("{message}")]
    Invalid { message: &'static str, field: Option<String> },
    #[error("a token's secret was in the request")]
    TokenInRequest,
    #[error("unauthenticated")]
    Unauthenticated,
    #[error(transparent)]
    Access(#[from] Refusal),
    #[error("sign-up is closed")]
    SignupClosed,
    #[error("no or wrong setup code")]
    SetupCode { sent: bool },
    #[error("not found")]
    NotFound,
    #[error("method not allowed")]
    MethodNotAllowed,
    #[error("too slow")]
    Timeout,
    #[error("body too large")]
    TooLarge,
    #[error("not JSON")]
    NotJson,
    #[error("too many refusals")]
    TooMany { wait: Duration },
    #[error("too many waiting")]
    TooManyWaiting,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Internal(&'static str),
}

impl Failure {
    /// The failure of a request that could not be read, with the field at fault.
    pub fn invalid(message: &'static str, field: impl Into<String>) -> Self {
        Self::Invalid { message, field: Some(field.into()) }
    }

    /// The error code of the failure's answer.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid { .. } => ErrorCode::InvalidRequest,
            Self::TokenInRequest => ErrorCode::TokenInRequest,
            Self::Unauthenticated => ErrorCode::Unauthenticated,
            Self::Access(Refusal::Forbidden) => ErrorCode::Forbidden,
            Self::Access(Refusal::PasswordNeeded) => ErrorCode::PasswordNeeded,
            Self::Access(Refusal::Conflict) | Self::Store(StoreError::Taken) => ErrorCode::Conflict,
            Self::Access(Refusal::Unprocessable { .. }) | Self::Store(StoreError::TooLarge) => {
                ErrorCode::Unprocessable
            }
            Self::SignupClosed => ErrorCode::SignupClosed,
            Self::SetupCode { .. } => ErrorCode::SetupCode,
            Self::NotFound => ErrorCode::NotFound,
            Self::MethodNotAllowed => ErrorCode::MethodNotAllowed,
            Self::Timeout => ErrorCode::Timeout,
            Self::TooLarge => ErrorCode::TooLarge,
            Self::NotJson => ErrorCode::NotJson,
            Self::TooMany { .. } | Self::TooManyWaiting => ErrorCode::TooMany,
            Self::Store(
                StoreError::Busy
                | StoreError::Unreachable(_)
                | StoreError::Full
                | StoreError::ReadOnly
                | StoreError::Gone,
            ) => ErrorCode::Unavailable,
            Self::Store(_) | Self::Internal(_) => ErrorCode::Internal,
        }
    }

    /// Whether this is a refusal of a known caller: such an answer is audited.
    pub fn is_refusal(&self) -> bool {
        use ErrorCode::{Forbidden, NotFound, PasswordNeeded, Unprocessable};
        matches!(self.code(), Forbidden | NotFound | PasswordNeeded | Unprocessable)
    }

    fn message(&self) -> String {
        let message = match self {
            Self::Invalid { message, .. } => message,
            Self::TokenInRequest => {
                "The request carries a token's secret, which a server must never see. Use keyward's own client, and \
                 replace this token."
            }
            Self::Unauthenticated => {
                "Not signed in, or the session or credential is wrong, expired or revoked."
            }
            Self::Access(Refusal::Forbidden) => "This identity may not do that.",
            Self::Access(Refusal::PasswordNeeded) => {
                "This needs a session made with the password within the last 10 minutes: sign in again."
            }
            Self::Access(Refusal::Conflict) => {
                "The organisation has changed since `base`: read it and try again."
            }
            Self::Access(Refusal::Unprocessable { reason, .. }) => reason,
            Self::Store(StoreError::Taken) => "An id or e-mail of the request is taken.",
            Self::Store(StoreError::TooLarge) => "A number of the request is too large.",
            Self::SignupClosed => "Sign-up is closed on this server: ask its operator to open it.",
            Self::SetupCode { sent: true } => "The setup code is wrong.",
            Self::SetupCode { sent: false } => {
                "The first sign-up needs the server's setup code. It is on the server's terminal and in the file \
                 setup-code of its data directory."
            }
            Self::NotFound => "There is no such thing, or it is not yours.",
            Self::MethodNotAllowed => "This address does not take this method.",
            Self::Timeout => "The request took too long to arrive.",
            Self::TooLarge => "The body is larger than this address takes.",
            Self::NotJson => "The body must be application/json.",
            Self::TooMany { wait } => {
                return format!("Too many refused sign-ins: try again in {} seconds.", whole_secs(*wait));
            }
            Self::TooManyWaiting => {
                "This identity waits for changes in as many requests as it may: let one of them end first."
            }
            Self::Store(StoreError::Busy) => "The server is busy: try again.",
            Self::Store(StoreError::Unreachable(_)) => "The database cannot be reached: try again.",
            Self::Store(StoreError::Full) => {
                "The server's disk is full, and nothing is answered that cannot be recorded. Its operator must make \
                 room."
            }
            Self::Store(StoreError::ReadOnly) => {
                "The server's database is read-only, and nothing is answered that cannot be recorded. Its operator must \
                 look at it."
            }
            Self::Store(StoreError::Gone) => {
                "The server's database was deleted or replaced under it, so nothing is written. Its operator must look at it."
            }
            Self::Store(_) | Self::Internal(_) => "The server failed. Its log says more.",
        };
        message.to_owned()
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Invalid { field, .. } => field.clone(),
            Self::Access(Refusal::Unprocessable { field, .. }) => Some(field.clone()),
            _ => None,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match &self {
            Self::Store(StoreError::Taken | StoreError::TooLarge | StoreError::Busy) => {}
            Self::Store(error) => tracing::error!(cause = error.cause(), "the store failed"),
            Self::Internal(cause) => tracing::error!(cause, "a fault of the server"),
            _ => {}
        }
        let code = self.code();
        let body = ErrorBody { error: ErrorDetail { code, message: self.message(), field: self.field() } };
        let mut response = answer::json(status(code), &body);
        if let Self::TooMany { wait } = self {
            response.headers_mut().insert(header::RETRY_AFTER, whole_secs(wait).into());
        }
        if matches!(self, Self::TooManyWaiting) {
            response.headers_mut().insert(header::RETRY_AFTER, keyward_wire::limits::WAIT_SECS.into());
        }
        if code == ErrorCode::Unauthenticated {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The wait in whole seconds, for `Retry-After`: rounded up.
fn whole_secs(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The status of a code.
pub(super) const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidRequest | ErrorCode::TokenInRequest => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden | ErrorCode::PasswordNeeded | ErrorCode::SignupClosed | ErrorCode::SetupCode => {
            StatusCode::FORBIDDEN
        }
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::Timeout => StatusCode::REQUEST_TIMEOUT,
        ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::TooMany => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_cannot_be_reached_is_a_passing_fault() {
        let failure = Failure::Store(StoreError::Unreachable("10.0.0.7 refused".to_owned()));
        assert_eq!(status(failure.code()), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(failure.message(), "The database cannot be reached: try again.");
    }
}
