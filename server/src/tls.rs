//! TLS 1.2 and 1.3 with ring's ciphers, HTTP/1.1 inside.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::ConfigError;

/// A server's configuration from a PEM chain and a PEM key.
pub(crate) fn load(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, ConfigError> {
    let bad = |path: &Path, what| ConfigError::Tls { path: path.to_owned(), what };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|_| bad(cert, "it cannot be read as PEM certificates"))?;
    if chain.is_empty() {
        return Err(bad(cert, "there is no certificate in it"));
    }
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|_| bad(key, "it cannot be read as a PEM private key"))?;
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
