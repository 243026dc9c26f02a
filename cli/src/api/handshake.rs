//! What a failed TLS handshake means to whoever wants to reach a server.

use rustls::{Error, InvalidMessage};

use crate::fault::printable;

/// Why there is no connection, and what the user can do.
pub(super) struct Failed {
    /// The reason, in a few words.
    pub(super) why: String,
    /// The certificate is not one that this client trusts for this name.
    pub(super) untrusted: bool,
    /// What to do, where it is more than to look at the address.
    pub(super) next: Option<&'static str>,
}

impl Failed {
    /// `has_ca`: certificate authorities were named with `--ca`.
    pub(super) fn of(error: &Error, has_ca: bool) -> Self {
        let text = error.to_string();
        if matches!(error, Error::InvalidMessage(InvalidMessage::InvalidContentType)) {
            return Self { why: NO_TLS.to_owned(), untrusted: false, next: Some(NO_TLS_NEXT) };
        }
        let untrusted = matches!(error, Error::InvalidCertificate(_));
        // rustls has no word of its own for it; that of its verifier stands in the text.
        if untrusted && text.contains("CaUsedAsEndEntity") {
            return Self { why: IS_CA.to_owned(), untrusted, next: Some(IS_CA_NEXT) };
        }
        let next = (untrusted && has_ca).then_some(OTHER_CA_NEXT);
        Self { why: format!("TLS: {}", printable(&text, 200)), untrusted, next }
    }
}

const NO_TLS: &str = "this port speaks no TLS";

const NO_TLS_NEXT: &str = "name the port that does; or write http://, if the server is on this machine";

const IS_CA: &str = "TLS: the server's certificate is that of an authority (CA:TRUE), as no server's may be";

const IS_CA_NEXT: &str = "its operator makes another: openssl req -x509 … -addext basicConstraints=critical,CA:FALSE \
                          (docs/OPERATING.md)";

const OTHER_CA_NEXT: &str =
    "the file of --ca is not the one that signed it; or the certificate has ended, or names another host";

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn each_failure_has_an_advice_that_fits() {
        for (error, has_ca, untrusted, next) in [
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), true, false, Some(NO_TLS_NEXT)),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), false, true, None),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), true, true, Some(OTHER_CA_NEXT)),
            (Error::HandshakeNotComplete, true, false, None),
        ] {
            let failed = Failed::of(&error, has_ca);
            assert_eq!((failed.untrusted, failed.next), (untrusted, next), "{error}");
        }
    }
}
