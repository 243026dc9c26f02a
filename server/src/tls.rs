//! TLS 1.2 and 1.3 with ring's ciphers, HTTP/1.1 inside.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{ConfigError, TlsFiles};

/// Certificate and key, and where they are from.
pub(crate) struct Tls {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads them.
    pub(crate) fn load(files: TlsFiles) -> Result<Self, ConfigError> {
        let current = RwLock::new(load(&files.cert, &files.key)?);
        Ok(Self { files, current })
    }

    /// Reads them anew. Only a pair that belongs together takes the place of the former; connections keep what they began
    /// with.
    pub(crate) fn reload(&self) -> Result<(), ConfigError> {
        let new = load(&self.files.cert, &self.files.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The settings for a connection that begins now.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A server's configuration from a PEM chain and a PEM key.
fn load(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, ConfigError> {
    let bad = |path: &Path, what| ConfigError::Tls { path: path.to_owned(), what };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(cert, unreadable(&error, "it cannot be read as PEM certificates")))?;
    if chain.is_empty() {
        return Err(bad(cert, "there is no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| bad(key, unreadable(&error, "it cannot be read as a PEM private key")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| bad(cert, "this TLS library has no usable protocol version"))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|_| {
            bad(cert, "certificate and key do not belong together, or are of a kind that is not supported")
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Why a file cannot be used: `form` if the file is there and does not have the form that it must have.
fn unreadable(error: &pem::Error, form: &'static str) -> &'static str {
    use std::io::ErrorKind::{IsADirectory, NotFound, PermissionDenied};
    let pem::Error::Io(error) = error else { return form };
    match error.kind() {
        NotFound => "there is no such file",
        PermissionDenied => "permission denied: the user that the server runs as must be able to read it",
        IsADirectory => "it is a directory",
        // Also what is not text: the reader says so with an error of its own.
        _ => form,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_opened_is_not_said_to_have_a_wrong_form() {
        let why = |kind: std::io::ErrorKind| unreadable(&pem::Error::Io(kind.into()), "form");
        assert_eq!(why(std::io::ErrorKind::NotFound), "there is no such file");
        assert!(why(std::io::ErrorKind::PermissionDenied).starts_with("permission denied: "));
        assert_eq!(why(std::io::ErrorKind::InvalidData), "form");
        assert_eq!(unreadable(&pem::Error::NoItemsFound, "form"), "form");
    }
}
