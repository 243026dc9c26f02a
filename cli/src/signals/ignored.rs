//! Signals that whoever started this program had it ignore, as `nohup` does. What is ignored stays so, for it and for what it
//! starts: a shell's background jobs are not ended by a key that is typed, nor a `nohup` by the end of a session.

use std::fs;

use tokio::signal::unix::SignalKind;

/// A bit for each, the lowest for signal 1.
#[derive(Clone, Copy)]
pub struct IgnoredSignals(u64);

impl IgnoredSignals {
    /// The signals that are ignored now; before anything listens to a signal, those that were ignored at the start. If the system
    /// does not tell, none are.
    pub fn read() -> Self {
        Self::of(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn of(status: &str) -> Self {
        let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        Self(line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or_default())
    }

    /// Whether this one is.
    pub fn has(self, signal: SignalKind) -> bool {
        let number = u32::try_from(signal.as_raw_value() - 1).ok();
        number.and_then(|number| 1_u64.checked_shl(number)).is_some_and(|bit| self.0 & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_ignored_has_its_bit() {
        let ignored = IgnoredSignals::of("Name:\tx\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\n");
        assert!(ignored.has(SignalKind::hangup()) && ignored.has(SignalKind::pipe()));
        assert!(!ignored.has(SignalKind::interrupt()) && !ignored.has(SignalKind::terminate()));
        for nothing in ["", "SigIgn:\t\n", "SigIgn:\tx\n"] {
            assert!(!IgnoredSignals::of(nothing).has(SignalKind::hangup()));
        }
    }
}
