//! Throttling of guesses (CRYPTO.md §2.9, §2.13 F4).
//!
//! Refused proofs are counted for the network that they come from. That does not slow somebody who guesses one password from many
//! networks. So refused log-ins are counted for the credential that they name as well, but only those from networks from which
//! the credential's holder has never signed in (strangers): guessers fill the strangers' bucket, and the holder at home, in the
//! office or on a server does not notice. Tokens and device credentials are 256 random bits, and a right one is not slowed for
//! what strangers do.
//!
//! A credential that nobody has is counted like any other, so the answers do not tell which exist.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyward_wire::CredentialId;

use super::buckets::Buckets;
use super::lines::Lines;

/// Refusals by network, and by credential for strangers. Cheap to clone. Everything is forgotten when the server stops, and each
/// server counts for itself.
#[derive(Clone)]
pub(crate) struct Throttle(Arc<Inner>);

struct Inner {
    networks: Mutex<Buckets<IpAddr>>,
    strangers: Mutex<Buckets<CredentialId>>,
    lines: Mutex<Lines>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self(Arc::new(Inner {
            networks: Mutex::new(Buckets::new(50, 2)),
            strangers: Mutex::new(Buckets::new(20, 30)),
            lines: Mutex::default(),
        }))
    }
}

impl Throttle {
    /// How long a client at `ip` must wait at `now`. `None` if it need not.
    pub(crate) fn wait(&self, ip: Option<IpAddr>, now: Instant) -> Option<Duration> {
        self.networks().wait(&network(ip?), now)
    }

    /// Counts a refusal of a client at `ip`.
    pub(crate) fn refused(&self, ip: Option<IpAddr>, now: Instant) {
        if let Some(ip) = ip {
            self.networks().refused(network(ip), now);
        }
    }

    /// How long a stranger who names this credential must wait.
    pub(crate) fn stranger_waits(&self, credential: CredentialId, now: Instant) -> Option<Duration> {
        self.strangers().wait(&credential, now)
    }

    /// Counts a refusal of a stranger who named this credential.
    pub(crate) fn stranger_refused(&self, credential: CredentialId, now: Instant) {
        self.strangers().refused(credential, now);
    }

    /// The audit line of a refusal of this credential, named from `ip`. `None` if it gets none of its own.
    pub(crate) fn line(
        &self,
        credential: CredentialId,
        ip: Option<IpAddr>,
        now: Instant,
    ) -> Option<AuditLine> {
        let untold = self.lines().line(credential, ip.map(network), now)?;
        Some(AuditLine { throttle: self.clone(), credential, untold, is_durable: false })
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn networks(&self) -> std::sync::MutexGuard<'_, Buckets<IpAddr>> {
        self.0.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn strangers(&self) -> std::sync::MutexGuard<'_, Buckets<CredentialId>> {
        self.0.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a refusal in the audit. If it is given up before it is durable, because writing failed or the client hung up, the
/// next line of the credential tells of this refusal and of those that this line would have told of.
pub(crate) struct AuditLine {
    throttle: Throttle,
    credential: CredentialId,
    /// How many refusals of the credential before this one have no line.
    pub(crate) untold: u64,
    is_durable: bool,
}

impl AuditLine {
    /// The line is written.
    pub(crate) fn written(mut self) {
        self.is_durable = true;
    }
}

impl Drop for AuditLine {
    fn drop(&mut self) {
        if !self.is_durable {
            self.throttle.lines().untold(self.credential, self.untold + 1);
        }
    }
}

/// The network of an address: for IPv4 the address itself; for IPv6 its /64, which is what one subscriber has.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSALS: u32 = 50;
    const LEAK: Duration = Duration::from_secs(2);

    #[test]
    fn an_address_that_guesses_must_wait_and_no_other() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        for _ in 0..REFUSALS {
            assert!(throttle.wait(ip("2001:db8::1"), start).is_none());
            throttle.refused(ip("2001:db8::1"), start);
        }
        assert_eq!(throttle.wait(ip("2001:db8::1"), start), Some(LEAK));
        assert_eq!(throttle.wait(ip("2001:db8::ffff"), start), Some(LEAK));
        assert!(throttle.wait(ip("2001:db8:0:1::1"), start).is_none());
        assert!(throttle.wait(ip("192.0.2.1"), start).is_none());
        assert!(throttle.wait(None, start).is_none());
    }

    #[test]
    fn the_wait_that_is_told_is_the_wait_that_there_is() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let ip = Some(IpAddr::from([192, 0, 2, 1]));
        for _ in 0..REFUSALS {
            throttle.refused(ip, start);
        }
        let later = start + Duration::from_millis(700);
        assert_eq!(throttle.wait(ip, later), Some(Duration::from_millis(1300)));
        let almost = start + Duration::from_millis(1999);
        assert_eq!(throttle.wait(ip, almost), Some(Duration::from_millis(1)));
        assert!(throttle.wait(ip, start + LEAK).is_none());
        throttle.refused(ip, start + LEAK);
        assert_eq!(throttle.wait(ip, start + LEAK), Some(LEAK));
        assert!(throttle.wait(ip, start + LEAK * (REFUSALS + 1)).is_none());
    }

    #[test]
    fn a_line_that_was_given_up_is_told_by_the_next() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let line = || throttle.line(CredentialId::from_bytes([1; 16]), None, now).unwrap();
        assert_eq!(line().untold, 0);
        assert_eq!(line().untold, 1, "the one before was not written");
        let second = line();
        assert_eq!(second.untold, 2);
        second.written();
        assert_eq!(line().untold, 0);
    }

    #[test]
    fn strangers_share_a_credential_s_bucket_and_no_other() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let credential = |byte| CredentialId::from_bytes([byte; 16]);
        for _ in 0..20 {
            assert!(throttle.stranger_waits(credential(1), start).is_none());
            throttle.stranger_refused(credential(1), start);
        }
        assert_eq!(throttle.stranger_waits(credential(1), start), Some(Duration::from_secs(30)));
        assert!(throttle.stranger_waits(credential(2), start).is_none());
    }
}
