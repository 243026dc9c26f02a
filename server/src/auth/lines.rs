//! Which refusals get a line of their own in the audit. A log that anybody can fill is useless, and so is one in which anybody
//! can drown out what matters.
//!
//! So lines are limited for each pair of credential and network: a loud guesser in one network does not silence what comes from
//! another. And they are limited for the credential alone, since networks are cheap. The next line tells how many refusals before
//! it got none.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use keyward_wire::CredentialId;

use super::buckets::{BUCKETS, Buckets};

/// Lines that were written, and counts of refusals that got none.
pub(super) struct Lines {
    networks: Buckets<(CredentialId, Option<IpAddr>)>,
    credentials: Buckets<CredentialId>,
    untold: HashMap<CredentialId, u64>,
}

impl Default for Lines {
    /// Fifty lines in a row for a network and then one a minute; ten times as many for all networks of a credential together.
    fn default() -> Self {
        Self { networks: Buckets::new(50, 60), credentials: Buckets::new(500, 6), untold: HashMap::new() }
    }
}

impl Lines {
    /// Whether this refusal gets a line. If so, returns how many earlier refusals of the credential got none.
    pub(super) fn line(
        &mut self,
        credential: CredentialId,
        network: Option<IpAddr>,
        now: Instant,
    ) -> Option<u64> {
        let from = (credential, network);
        if self.networks.wait(&from, now).is_some() || self.credentials.wait(&credential, now).is_some() {
            self.untold(credential, 1);
            return None;
        }
        self.networks.refused(from, now);
        self.credentials.refused(credential, now);
        Some(self.untold.remove(&credential).unwrap_or(0))
    }

    /// Notes that `count` refusals of this credential have no line.
    pub(super) fn untold(&mut self, credential: CredentialId, count: u64) {
        // Only credentials that exist are noted here, and there are fewer of those. If there were more, the metrics would still
        // count their refusals.
        if self.untold.len() < BUCKETS || self.untold.contains_key(&credential) {
            *self.untold.entry(credential).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn credential(byte: u8) -> CredentialId {
        CredentialId::from_bytes([byte; 16])
    }

    fn network(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn the_refusals_of_one_credential_do_not_fill_the_audit() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        let mut taken = |byte, number, now| {
            (0..1000)
                .filter_map(|_| lines.line(credential(byte), Some(network(number)), now))
                .collect::<Vec<_>>()
        };
        assert_eq!((taken(1, 1, start).len(), taken(1, 1, start).len()), (50, 0));
        assert_eq!(taken(2, 1, start).len(), 50, "another one's are its own");
        assert_eq!(taken(1, 1, start + Duration::from_secs(59)).len(), 0);
        assert_eq!(
            taken(1, 1, start + Duration::from_mins(3)),
            [2950, 0, 0],
            "the next one tells how many there were"
        );
        assert_eq!(taken(1, 1, start + Duration::from_hours(1)), [&[997][..], &[0; 49]].concat());
    }

    #[test]
    fn noise_from_one_network_hides_nothing_that_comes_from_another() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        for _ in 0..1000 {
            lines.line(credential(1), Some(network(1)), start);
        }
        assert_eq!(lines.line(credential(1), Some(network(2)), start), Some(950));
        assert_eq!(lines.line(credential(1), Some(network(2)), start), Some(0));
        assert_eq!(lines.line(credential(1), Some(network(1)), start), None);
    }

    #[test]
    fn a_line_that_could_not_be_written_is_told_by_the_next() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        for _ in 0..53 {
            lines.line(credential(1), Some(network(1)), start);
        }
        let told = lines.line(credential(1), Some(network(2)), start).unwrap();
        lines.untold(credential(1), told + 1);
        assert_eq!(lines.line(credential(1), Some(network(2)), start), Some(4));
    }

    #[test]
    fn a_guesser_with_any_number_of_networks_does_not_fill_the_audit() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        let taken =
            (0..10_000).filter_map(|number| lines.line(credential(1), Some(network(number)), start)).count();
        assert_eq!(taken, 500);
        assert_eq!(lines.line(credential(1), Some(network(7)), start + Duration::from_secs(6)), Some(9500));
    }
}
