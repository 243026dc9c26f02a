//! Which certificates are trusted: `--ca`, else the built-in roots, else the system's store.
//!
//! Loading the system's store costs more than the whole rest of a request, so it is tried only when a server's
//! certificate does not chain to a built-in root.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::fault::Fault;

/// Which roots.
#[derive(Debug, Clone, Copy)]
pub(super) enum Roots<'a> {
    /// Those of a PEM file, and no others.
    File(&'a Path),
    /// Mozilla's, built in.
    BuiltIn,
    /// Those of the operating system.
    System,
}

/// TLS 1.2 and 1.3 with ring.
pub(super) fn config(roots: Roots<'_>) -> anyhow::Result<ClientConfig> {
    let store = match roots {
        Roots::File(path) => from_file(path)?,
        Roots::BuiltIn => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        Roots::System => {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            store
        }
    };
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(config)
}

fn from_file(path: &Path) -> anyhow::Result<RootCertStore> {
    let pem = std::fs::read(path).with_context(|| format!("cannot read the CA file {}", path.display()))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate.ok().map(|certificate| store.add(certificate));
        if !matches!(added, Some(Ok(()))) {
            return Err(Fault::usage(format!("{} is not a PEM file of certificates", path.display())).into());
        }
    }
    if store.is_empty() {
        return Err(Fault::usage(format!("{} holds no certificate", path.display())).into());
    }
    Ok(store)
}
