//! The gateway's own certificate authority. Agents trust it, and it vouches for the hosts that have a key, and for no other.
//!
//! There is one per gateway, P-256. Its key is in the gateway's memory and in one private file. Certificates for hosts live less
//! than a day and are made when they are needed; those of one process share one key, which never leaves the process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use keyward_wire::rule::Host;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType, SerialNumber,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::random;

/// Why a certificate authority cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaError {
    /// The text is not one key and one certificate in PEM.
    #[error("not a private key and a certificate in PEM")]
    Unreadable,
    /// Key and certificate are not of this kind of authority, or do not belong together.
    #[error("not the key and the certificate of a gateway")]
    Foreign,
    /// The certificate is no longer valid, or not yet.
    #[error("the certificate is not valid at this time")]
    Expired,
    /// A certificate could not be made.
    #[error("a certificate could not be made")]
    Make,
}

/// An authority, and the certificates that it made.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    leaf_key: KeyPair,
    cache: Mutex<HashMap<Host, Leaf>>,
}

struct Leaf {
    config: Arc<ServerConfig>,
    made: SystemTime,
}

impl Ca {
    /// Makes an authority that is valid for ten years from `now`.
    ///
    /// # Errors
    /// [`CaError::Make`], which would be an error in this program.
    pub fn generate(now: SystemTime) -> Result<Self, CaError> {
        Self::made(now, CA_LIFE)
    }

    /// Makes an authority for one run of a program, valid for 90 days from `now`. Only that program is told to trust it.
    ///
    /// # Errors
    /// [`CaError::Make`], which would be an error in this program.
    pub fn for_one_run(now: SystemTime) -> Result<Self, CaError> {
        Self::made(now, RUN_LIFE)
    }

    fn made(now: SystemTime, life: Duration) -> Result<Self, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| CaError::Make)?;
        let mut params = authority(&key);
        params.not_before = (now - SKEW).into();
        params.not_after = (now + life).into();
        let certificate = params.self_signed(&key).map_err(|_| CaError::Make)?.der().clone();
        Self::assemble(key, certificate)
    }

    /// Reads the authority that [`Self::to_pem`] wrote.
    ///
    /// # Errors
    /// [`CaError`] says what is wrong with it.
    pub fn from_pem(pem: &str, now: SystemTime) -> Result<Self, CaError> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| CaError::Unreadable)?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| CaError::Unreadable)?;
        let key = KeyPair::try_from(&key).map_err(|_| CaError::Foreign)?;
        if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(CaError::Foreign);
        }
        let ca = Self::assemble(key, certificate)?;
        ca.check(now)?;
        Ok(ca)
    }

    fn assemble(key: KeyPair, certificate: CertificateDer<'static>) -> Result<Self, CaError> {
        let issuer = Issuer::new(authority(&key), key);
        let leaf_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| CaError::Make)?;
        Ok(Self { issuer, certificate, leaf_key, cache: Mutex::default() })
    }

    /// Checks that a client that trusts the certificate believes what this authority signs at `now`.
    fn check(&self, now: SystemTime) -> Result<(), CaError> {
        let leaf = self.sign(&Host::Name(PROBE.to_owned()), now)?;
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).map_err(|_| CaError::Foreign)?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()))
                .build()
                .map_err(|_| CaError::Foreign)?;
        let name = ServerName::try_from(PROBE).map_err(|_| CaError::Foreign)?;
        let at = now.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| CaError::Expired)?;
        let at = UnixTime::since_unix_epoch(at);
        // Agents look at the dates of a root, but this verifier does not. As the certificate of a server, which it is not, its
        // dates are checked first.
        if let Err(rustls::Error::InvalidCertificate(error)) =
            verifier.verify_server_cert(&self.certificate, &[], &name, &[], at)
            && is_of_another_time(&error)
        {
            return Err(CaError::Expired);
        }
        verifier.verify_server_cert(&leaf, &[], &name, &[], at).map(|_| ()).map_err(|_| CaError::Foreign)
    }

    /// Key and certificate as PEM, to be kept in a private file.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(self.issuer.key().serialize_pem());
        Zeroizing::new(format!("{}{}", key.as_str(), self.certificate_pem()))
    }

    /// The certificate as PEM, for everybody.
    pub fn certificate_pem(&self) -> String {
        pem(&self.certificate)
    }

    /// The certificate's bytes.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the certificate, in hexadecimal digits: the text that two people compare.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.certificate)
    }

    /// The TLS settings that answer a connection to `host`: HTTP/2 and HTTP/1.1, and a certificate that is valid for hours.
    ///
    /// # Errors
    /// [`CaError::Make`], which would be an error in this program.
    pub fn server_config(&self, host: &Host, now: SystemTime) -> Result<Arc<ServerConfig>, CaError> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = cache.get(host)
            && now.duration_since(leaf.made).is_ok_and(|age| age < LEAF_LIFE / 2)
        {
            return Ok(Arc::clone(&leaf.config));
        }
        let certificate = self.sign(host, now)?;
        let der = Zeroizing::new(self.leaf_key.serialize_der());
        let key = PrivateKeyDer::try_from(der.as_slice()).map_err(|_| CaError::Make)?;
        let key = ring::sign::any_supported_type(&key).map_err(|_| CaError::Make)?;
        let certified = CertifiedKey::new(vec![certificate], key);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| CaError::Make)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.send_tls13_tickets = 1;
        let config = Arc::new(config);
        if cache.len() >= CACHE_HOSTS {
            cache.clear();
        }
        cache.insert(host.clone(), Leaf { config: Arc::clone(&config), made: now });
        Ok(config)
    }

    /// A certificate for one host, as strict verifiers want it: subject and authority key ids, not an authority itself, one name.
    fn sign(&self, host: &Host, now: SystemTime) -> Result<CertificateDer<'static>, CaError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![match host {
            Host::Name(name) => SanType::DnsName(name.as_str().try_into().map_err(|_| CaError::Make)?),
            Host::V4(address) => SanType::IpAddress((*address).into()),
            Host::V6(address) => SanType::IpAddress((*address).into()),
        }];
        // A common name has at most 64 characters, and clients have not looked at it for years.
        let name = host.to_string();
        let common = if name.len() <= 64 { name.as_str() } else { "keyward gateway" };
        params.distinguished_name.push(DnType::CommonName, common);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial());
        params.not_before = (now - SKEW).into();
        params.not_after = (now + LEAF_LIFE - SKEW).into();
        let leaf = params.signed_by(&self.leaf_key, &self.issuer).map_err(|_| CaError::Make)?;
        Ok(leaf.der().clone())
    }
}

/// A certificate as PEM text.
pub fn pem(certificate: &CertificateDer<'_>) -> String {
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let text = data_encoding::BASE64.encode(certificate);
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// SHA-256 of a certificate, in hexadecimal digits.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    HEXLOWER.encode(&Sha256::digest(certificate))
}

/// Shows the certificate only; the key is nobody's to print.
impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ca({})", self.fingerprint())
    }
}

/// The name and the rights of an authority with this key: a function of the key, so that a stored authority is recognised.
fn authority(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    let id = Sha256::digest(key.subject_public_key_info());
    params.distinguished_name = DistinguishedName::new();
    let id = HEXLOWER.encode(id.first_chunk::<8>().expect("a hash has 32 bytes"));
    params.distinguished_name.push(DnType::CommonName, format!("keyward gateway {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial());
    params
}

fn is_of_another_time(error: &CertificateError) -> bool {
    matches!(
        error,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    )
}

/// A serial number: 16 random bytes, positive and not zero.
fn serial() -> SerialNumber {
    let mut bytes = random::bytes::<16>();
    let [first, ..] = &mut *bytes;
    *first = *first & 0x7f | 0x40;
    SerialNumber::from_slice(&*bytes)
}

/// How far clocks of containers and hosts may differ.
const SKEW: Duration = Duration::from_hours(1);
const LEAF_LIFE: Duration = Duration::from_hours(24);
/// How long an authority for one run is valid: longer than programs run between two updates of their machines.
const RUN_LIFE: Duration = Duration::from_hours(90 * 24);
const CA_LIFE: Duration = Duration::from_hours(10 * 365 * 24);
const CACHE_HOSTS: usize = 4096;
/// A name that nobody can have (RFC 6761).
const PROBE: &str = "keyward.invalid";

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::Command;

    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
    }

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    #[test]
    fn c2_two_gateways_have_two_authorities() {
        let (one, two) = (Ca::generate(now()).unwrap(), Ca::generate(now()).unwrap());
        assert_ne!(one.fingerprint(), two.fingerprint());
    }

    #[test]
    fn a_stored_authority_is_the_same_one() {
        let made = Ca::generate(now()).unwrap();
        let read = Ca::from_pem(&made.to_pem(), now()).unwrap();
        assert_eq!(made.fingerprint(), read.fingerprint());
        assert_eq!(made.certificate_pem(), read.certificate_pem());
    }

    #[test]
    fn an_authority_of_another_time_or_of_somebody_else_is_refused() {
        let (made, other) = (Ca::generate(now()).unwrap(), Ca::generate(now()).unwrap());
        let later = now() + Duration::from_hours(11 * 365 * 24);
        assert_eq!(Ca::from_pem(&made.to_pem(), later).unwrap_err(), CaError::Expired);
        let earlier = now() - Duration::from_hours(24);
        assert_eq!(Ca::from_pem(&made.to_pem(), earlier).unwrap_err(), CaError::Expired);
        let key = made.issuer.key().serialize_pem();
        let mixed = format!("{key}{}", other.certificate_pem());
        assert_eq!(Ca::from_pem(&mixed, now()).unwrap_err(), CaError::Foreign);
        assert_eq!(Ca::from_pem(&made.certificate_pem(), now()).unwrap_err(), CaError::Unreadable);
        assert_eq!(Ca::from_pem("", now()).unwrap_err(), CaError::Unreadable);
    }

    #[test]
    fn an_authority_for_one_run_is_over_after_months_not_years() {
        let made = Ca::for_one_run(now()).unwrap().to_pem();
        assert!(Ca::from_pem(&made, now() + RUN_LIFE - Duration::from_hours(1)).is_ok());
        assert_eq!(Ca::from_pem(&made, now() + RUN_LIFE + SKEW).unwrap_err(), CaError::Expired);
    }

    /// OpenSSL is the verifier of Python, Ruby, PHP and curl; `-x509_strict` is what Python asks of it since 3.13.
    #[test]
    fn openssl_in_its_strictest_mode_believes_the_certificates() {
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000);
        let ca = Ca::generate(made).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let leaf = dir.path().join("leaf.der");
        let root = dir.path().join("ca.pem");
        std::fs::File::create(&root).unwrap().write_all(ca.certificate_pem().as_bytes()).unwrap();
        let long = format!("{}.example.com", "a".repeat(60));
        for (name, flag) in [
            ("api.example.com", "-verify_hostname"),
            (long.as_str(), "-verify_hostname"),
            ("203.0.113.7", "-verify_ip"),
            ("[2001:db8::7]", "-verify_ip"),
        ] {
            std::fs::File::create(&leaf).unwrap().write_all(&ca.sign(&host(name), made).unwrap()).unwrap();
            let verify = |name: &str| {
                let mut command = Command::new("openssl");
                command.args(["verify", "-x509_strict", "-purpose", "sslserver", "-attime", "1900000000"]);
                command.arg(flag).arg(name.trim_matches(['[', ']'])).arg("-CAfile").arg(&root).arg(&leaf);
                command.output().unwrap()
            };
            let output = verify(name);
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            let other = if flag == "-verify_ip" { "203.0.113.8" } else { "x.example.com" };
            assert!(!verify(other).status.success(), "{name} is not {other}");
        }
    }

    #[test]
    fn a_hosts_certificate_is_made_once_and_anew_before_it_ends() {
        let ca = Ca::generate(now()).unwrap();
        let first = ca.server_config(&host("a.test"), now()).unwrap();
        let again = ca.server_config(&host("a.test"), now() + Duration::from_hours(1)).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let other = ca.server_config(&host("b.test"), now()).unwrap();
        assert!(!Arc::ptr_eq(&first, &other));
        let later = ca.server_config(&host("a.test"), now() + LEAF_LIFE / 2).unwrap();
        assert!(!Arc::ptr_eq(&first, &later));
        let before = ca.server_config(&host("a.test"), now() - Duration::from_mins(1)).unwrap();
        assert!(!Arc::ptr_eq(&later, &before), "a clock that went back is not an age of zero");
    }
}
