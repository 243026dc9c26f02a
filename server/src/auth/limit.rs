//! Guessing is slow: refused log-ins are counted for each address they come from, never for the credential they name,
//! so that nobody can lock another out (CRYPTO.md §2.9, §2.13 F4).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Refusals by address. Cheap to clone; forgets everything when the server stops.
#[derive(Clone, Default)]
pub(crate) struct Throttle(Arc<Mutex<HashMap<IpAddr, Bucket>>>);

/// Leaks one refusal every [`LEAK`].
struct Bucket {
    level: u32,
    since: Instant,
}

impl Throttle {
    /// Whether somebody at `ip` may try again at `now`.
    pub(crate) fn allows(&self, ip: Option<IpAddr>, now: Instant) -> bool {
        let Some(ip) = ip else { return true };
        let buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.get(&network(ip)).is_none_or(|bucket| bucket.level_at(now) < REFUSALS)
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, ip: Option<IpAddr>, now: Instant) {
        let Some(ip) = ip else { return };
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES {
            buckets.retain(|_, bucket| bucket.level_at(now) > 0);
        }
        if buckets.len() >= ADDRESSES {
            buckets.clear();
        }
        let bucket = buckets.entry(network(ip)).or_insert(Bucket { level: 0, since: now });
        *bucket = Bucket { level: bucket.level_at(now) + 1, since: now };
    }
}

impl Bucket {
    fn level_at(&self, now: Instant) -> u32 {
        let leaked = now.saturating_duration_since(self.since).as_millis() / LEAK.as_millis();
        self.level.saturating_sub(u32::try_from(leaked).unwrap_or(u32::MAX))
    }
}

/// An address for IPv4; for IPv6 its /64, which is what one subscriber has.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Refusals in a row that an address has before it must wait.
const REFUSALS: u32 = 50;

/// After which one of them is forgotten.
const LEAK: Duration = Duration::from_secs(2);

/// Addresses that are remembered at most.
const ADDRESSES: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_guesses_must_wait_and_no_other() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        for _ in 0..REFUSALS {
            assert!(throttle.allows(ip("2001:db8::1"), start));
            throttle.refused(ip("2001:db8::1"), start);
        }
        assert!(!throttle.allows(ip("2001:db8::1"), start));
        assert!(!throttle.allows(ip("2001:db8::ffff"), start));
        assert!(throttle.allows(ip("2001:db8:0:1::1"), start));
        assert!(throttle.allows(ip("192.0.2.1"), start));
        assert!(throttle.allows(ip("2001:db8::1"), start + LEAK));
        assert!(throttle.allows(None, start));
    }

    #[test]
    fn an_address_that_waits_and_guesses_on_gets_no_credit() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let ip = Some(IpAddr::from([192, 0, 2, 1]));
        for _ in 0..REFUSALS {
            throttle.refused(ip, start);
        }
        assert!(throttle.allows(ip, start + LEAK));
        throttle.refused(ip, start + LEAK);
        assert!(!throttle.allows(ip, start + LEAK));
    }
}
