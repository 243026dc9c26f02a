//! Why a request has no usable answer, and what a person is told of it.

use keyward_wire::error::{ErrorCode, ErrorDetail};
use keyward_wire::limits::{ANSWER_BYTES, WRITE_BYTES};

use crate::fault::{Code, Fault};

/// Why a request has no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No connection, no TLS, a stall, or an answer that was cut off.
    #[error("cannot reach {host}: {why}")]
    Network {
        /// Host and port.
        host: String,
        /// The reason, in a few words.
        why: String,
        /// The certificate is not one that this client trusts for this name.
        untrusted: bool,
        /// Whether there was a connection: then the request may have arrived.
        sent: bool,
        /// What the user can do, if more is known than usual.
        next: Option<&'static str>,
    },
    /// The server refused.
    #[error("{}", refusal(*status, detail.as_ref()))]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's reason, if it gave one that can be read; made inert and cut.
        detail: Option<ErrorDetail>,
    },
    /// The server wants the client to go elsewhere.
    #[error("the server answered with a redirect, which keyward never follows")]
    Redirect,
    /// The answer is not of the form that was asked for.
    #[error("the server's answer cannot be understood")]
    Malformed,
    /// The answer is compressed. Somebody answered, so the server is not out of reach.
    #[error("the server's answer is compressed, which was not asked for")]
    Compressed,
    /// The answer is larger than any may be.
    #[error("the server's answer is larger than {ANSWER_BYTES} bytes")]
    TooLarge,
    /// No server takes such a large request; it was not sent.
    #[error("this is more than one request can carry ({} MiB); nothing was sent", WRITE_BYTES / 1024 / 1024)]
    RequestTooLarge,
}

impl ApiError {
    /// Whether the write may or may not have happened: only a re-read can tell.
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status >= 500,
            Self::Redirect | Self::RequestTooLarge => false,
            Self::Network { sent, .. } => *sent,
            Self::Malformed | Self::Compressed | Self::TooLarge => true,
        }
    }

    /// Whether nobody who could have said no was reached: no connection, no name, a stall, an answer cut off; or what stands
    /// before the server says that it is gone (502, 503, 504). A certificate that is not trusted is none of these.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Network { untrusted, .. } => !untrusted,
            Self::Refused { status, .. } => matches!(status, 502..=504),
            Self::Redirect | Self::Malformed | Self::Compressed | Self::TooLarge | Self::RequestTooLarge => {
                false
            }
        }
    }

    /// Whether the server does not know this credential, or not for this: what is kept for it must not be used any more.
    pub fn ends_access(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403 | 404, .. })
    }

    /// Whether the server refused for this reason.
    pub fn is_code(&self, wanted: ErrorCode) -> bool {
        matches!(self, Self::Refused { detail: Some(detail), .. } if detail.code == wanted)
    }

    /// Whether the server refused with this status.
    pub fn is_status(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == wanted)
    }
}

fn refusal(status: u16, detail: Option<&ErrorDetail>) -> String {
    match (detail, status) {
        (Some(detail), _) => format!("the server refused ({status}): {}", detail.message),
        // A server of keyward's gives a reason: these are the words of what stands in front of it.
        (None, 413) => "something in front of the server refuses large requests (413)".to_owned(),
        (None, 502..=504) => format!("what stands in front of the server cannot reach it ({status})"),
        (None, _) => format!("the server refused ({status}): no reason given"),
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        let text = error.to_string();
        let code = |detail: &Option<ErrorDetail>| detail.as_ref().map(|detail| detail.code);
        match &error {
            ApiError::Network { next: Some(next), .. } => Self::new(Code::Network, text).next(*next),
            ApiError::Network { untrusted: true, .. } => Self::new(Code::Network, text)
                .next("if the server has a private certificate authority, name its file with --ca"),
            ApiError::Network { .. } => Self::new(Code::Network, text)
                .next("check the address (--url, KEYWARD_URL) and that the server runs"),
            ApiError::Redirect => {
                Self::new(Code::Policy, text).next("use the server's own address, https:// if it has TLS")
            }
            ApiError::Malformed => Self::new(Code::Integrity, text)
                .next("is this the address of a keyward server? if it is, somebody may be tampering with it"),
            // How long to wait is in the server's words.
            ApiError::TooLarge | ApiError::Refused { status: 429, .. } => Self::new(Code::Network, text),
            ApiError::Compressed => Self::new(Code::Network, text)
                .next("what stands before the server must not compress: ask its operator"),
            ApiError::RequestTooLarge => Self::new(Code::Policy, text).next("do it in parts"),
            ApiError::Refused { status: 401, .. } => {
                Self::new(Code::SignIn, "the server refused the sign-in")
                    .next("the password or token is wrong, or it has ended or was revoked")
            }
            ApiError::Refused { detail, .. } if code(detail) == Some(ErrorCode::PasswordNeeded) => {
                Self::new(Code::Policy, text).next("sign in with your password: `keyward login`")
            }
            ApiError::Refused { detail, .. } if code(detail) == Some(ErrorCode::SetupCode) => {
                Self::new(Code::Policy, text).next(
                    "read it on the server's terminal or in its data folder, and give it when asked: --setup-code -",
                )
            }
            ApiError::Refused { status: 403, .. } => Self::new(Code::Policy, text),
            ApiError::Refused { status: 404, .. } => Self::new(Code::NotFound, text),
            ApiError::Refused { status: 409, .. } => Self::new(Code::Conflict, text),
            ApiError::Refused { status: 413, detail: None } => Self::new(Code::Policy, text).next(
                "its operator lets larger ones through, in nginx with client_max_body_size (docs/OPERATING.md)",
            ),
            ApiError::Refused { status: 502..=504, detail: None } => Self::new(Code::Network, text)
                .next("try again in a while; its operator sees whether the server runs"),
            ApiError::Refused { status: 400 | 413 | 415 | 422, detail } => {
                let field = detail.as_ref().and_then(|detail| detail.field.as_ref());
                let fault = Self::new(Code::Policy, text);
                match field {
                    Some(field) => {
                        fault.next(format!("it is about {field}; are client and server of one version?"))
                    }
                    None => fault,
                }
            }
            ApiError::Refused { .. } => Self::new(Code::Network, text).next("try again in a while"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_front_of_the_server_is_told_from_it() {
        for (status, code, what, next) in [
            (413, Code::Policy, "refuses large requests", "client_max_body_size"),
            (502, Code::Network, "cannot reach it", "operator"),
            (504, Code::Network, "cannot reach it", "operator"),
        ] {
            let fault = Fault::from(ApiError::Refused { status, detail: None });
            assert_eq!(fault.code, code);
            assert!(fault.what().contains(what) && fault.what().contains(&status.to_string()), "{fault}");
            assert!(fault.advice().unwrap().contains(next), "{fault}");
        }
        let detail = ErrorDetail { code: ErrorCode::TooLarge, message: "too large".to_owned(), field: None };
        let fault = Fault::from(ApiError::Refused { status: 413, detail: Some(detail) });
        assert!(fault.what().contains("the server refused (413): too large"), "{fault}");
    }
}
