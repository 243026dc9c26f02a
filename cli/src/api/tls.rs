//! Which certificates are trusted: `--ca`, else the built-in roots, else the system's store.
//!
//! Loading the system's store costs more than the whole rest of a request, so it is tried only when a server's
//! certificate does not chain to a built-in root.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
    WantsVerifier,
};

use crate::fault::Fault;
use crate::session::files;

/// The certificate authorities that are trusted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Roots<'a> {
    /// The authorities of a PEM file, and no others.
    File(&'a Path),
    /// Mozilla's, built in.
    BuiltIn,
    /// The authorities of the operating system.
    System,
}

/// TLS 1.2 and 1.3 with ring.
pub(super) fn config(roots: Roots<'_>) -> anyhow::Result<ClientConfig> {
    Ok(builder()?.with_root_certificates(store(roots)?).with_no_client_auth())
}

/// Verifies as [`config`] does, and notes when the certificate ends.
#[derive(Debug)]
pub(super) struct Observer {
    verifier: Arc<WebPkiServerVerifier>,
    not_after_secs: OnceLock<u64>,
}

impl Observer {
    /// A configuration that verifies by these roots, and who observes it.
    pub(super) fn config(roots: Roots<'_>) -> anyhow::Result<(ClientConfig, Arc<Self>)> {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store(roots)?), provider())
            .build()
            .context("TLS cannot be set up")?;
        let observer = Arc::new(Self { verifier, not_after_secs: OnceLock::new() });
        // Called dangerous since a verifier may trust anybody. This one asks rustls's own.
        let config = builder()?.dangerous().with_custom_certificate_verifier(Arc::<Self>::clone(&observer));
        Ok((config.with_no_client_auth(), observer))
    }

    /// When the last certificate that was seen ends, in seconds since 1970.
    pub(super) fn not_after_secs(&self) -> Option<u64> {
        self.not_after_secs.get().copied()
    }
}

impl ServerCertVerifier for Observer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // At the end of time every certificate has ended, and the verifier says when.
        let end = self.verifier.verify_server_cert(end_entity, intermediates, name, ocsp, END_OF_TIME);
        if let Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
            not_after, ..
        })) = end
        {
            let _ = self.not_after_secs.set(not_after.as_secs());
        }
        self.verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn builder() -> anyhow::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn store(roots: Roots<'_>) -> anyhow::Result<RootCertStore> {
    Ok(match roots {
        Roots::File(path) => from_file(path)?,
        Roots::BuiltIn => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        Roots::System => {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            store
        }
    })
}

/// The last second of the year 9999, the latest that a certificate can name.
const END_OF_TIME: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(253_402_300_799));

/// Bytes of the largest file of authorities: several times those that browsers trust.
const CA_BYTES: usize = 1024 * 1024;

fn from_file(path: &Path) -> anyhow::Result<RootCertStore> {
    let pem = files::read_at_most(path, CA_BYTES)
        .with_context(|| format!("cannot read the CA file {}", path.display()))?;
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
