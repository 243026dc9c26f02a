//! Gives the gateway what it needs (agents, rules and values out of verified state, its authority, its log), and programs what they
//! need to find it.

pub mod bypass;
pub mod child;
mod control;
pub mod keys;
pub mod listen;
mod options;
#[cfg(target_os = "linux")]
pub mod parent_death;
pub(crate) mod proxied_program;
pub mod requests;
pub mod running;
mod source;
mod state;
pub mod trial;
pub mod trust;
pub mod variables;

pub use control::Control;
pub use options::{GatewayOptions, host_and_port};
pub use source::{Sidecar, Source};
pub(crate) use state::now;
pub use state::{State, broken};

use std::path::Path;

use anyhow::Context as _;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::fault::Fault;
use crate::session::files;

/// Bytes of the largest file of authorities.
const CA_BYTES: usize = 1024 * 1024;

/// The authorities that vouch for upstreams: the built-in roots, and those of `--upstream-ca`. Not the system's store, which an
/// environment variable can replace.
///
/// # Errors
/// If the file holds no certificates.
pub fn upstream_roots(file: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = file {
        let pem = files::read_at_most(file, CA_BYTES).map_err(|error| {
            Fault::usage(format!("cannot read {}: {error}", file.display()))
                .next("name a file of certificates in PEM")
        })?;
        let certificates = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Fault::usage(format!("{}: not a file of certificates in PEM", file.display())))?;
        if certificates.is_empty() {
            return Err(Fault::usage(format!("{}: no certificate in it", file.display())).into());
        }
        for certificate in certificates {
            roots
                .add(certificate)
                .with_context(|| format!("{}: a certificate that is none", file.display()))?;
        }
    }
    Ok(roots)
}
