//! The files by which programs trust the gateway: the system's authorities and its own, in the two forms that are read.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use keyward_gateway::Ca;
use keyward_gateway::ca::pem;
use ring::digest;
use rustls::pki_types::CertificateDer;

use super::now;
use crate::session::files;

/// The paths of these files.
pub struct Trust {
    /// The PEM file, for nearly every program.
    pub pem: PathBuf,
    /// The key store for Java, which reads no PEM.
    pub java: PathBuf,
}

impl Trust {
    /// Writes both into a folder.
    ///
    /// # Errors
    /// If that cannot be done.
    pub fn write(folder: &Path, ca: &Ca) -> anyhow::Result<Self> {
        let trust = Self { pem: folder.join("authorities.pem"), java: folder.join("authorities.jks") };
        files::write_public(&trust.pem, bundle(ca.certificate()).as_bytes())?;
        files::write_public(&trust.java, &java(ca.certificate()))?;
        Ok(trust)
    }
}

/// The system's authorities and the gateway's, in PEM.
pub fn bundle(gateway: &CertificateDer<'_>) -> String {
    let mut all: String = system(gateway).iter().map(pem).collect();
    all.push_str(&pem(gateway));
    all
}

/// The system's. A variable may name our own bundle as theirs, in which the gateway's would be found once more.
fn system(gateway: &CertificateDer<'_>) -> Vec<CertificateDer<'static>> {
    let all = rustls_native_certs::load_native_certs().certs;
    all.into_iter().filter(|certificate| certificate != gateway).collect()
}

/// The certificates as a key store of Java (JKS): the only form that every Java reads without a password.
pub fn java(gateway: &CertificateDer<'_>) -> Vec<u8> {
    let system = system(gateway);
    let names = (1..=system.len()).map(|number| format!("system-{number}"));
    let mut all: Vec<(String, &[u8])> = names.zip(system.iter().map(AsRef::as_ref)).collect();
    all.push(("keyward-gateway".to_owned(), gateway));
    let time = now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    java_store(&all, u64::try_from(time.as_millis()).unwrap_or_default())
}

/// Certificates that are trusted, each under its name, and since when.
fn java_store(certificates: &[(String, &[u8])], since_ms: u64) -> Vec<u8> {
    let mut store = Vec::new();
    store.extend(0xfeed_feed_u32.to_be_bytes());
    store.extend(VERSION.to_be_bytes());
    store.extend(length(certificates.len()));
    for (name, certificate) in certificates {
        store.extend(TRUSTED.to_be_bytes());
        text(&mut store, name);
        store.extend(since_ms.to_be_bytes());
        text(&mut store, "X.509");
        store.extend(length(certificate.len()));
        store.extend_from_slice(certificate);
    }
    // Who changes it can compute this as well; it says that the file is whole.
    let mut whole = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for unit in PASSWORD.encode_utf16() {
        whole.update(&unit.to_be_bytes());
    }
    whole.update(b"Mighty Aphrodite");
    whole.update(&store);
    store.extend_from_slice(whole.finish().as_ref());
    store
}

fn text(store: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    store.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    store.extend_from_slice(bytes);
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

const VERSION: u32 = 2;
const TRUSTED: u32 = 2;
/// What Java's own store has: everybody knows it, and it protects nothing.
const PASSWORD: &str = "changeit";

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `keytool -importcert -storetype JKS`, but for the certificate.
    #[test]
    fn a_store_is_laid_out_as_java_reads_it() {
        let store = java_store(&[("a".to_owned(), b"\x30\x00")], 1);
        let (entries, digest) = store.split_at(store.len() - 20);
        let expected = b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\x01a\0\0\0\0\0\0\0\x01\0\x05X.509\0\0\0\x02\x30\0";
        assert_eq!(entries, expected);
        let again = java_store(&[("a".to_owned(), b"\x30\x00")], 2);
        assert_ne!(again[again.len() - 20..], *digest);
    }
}
