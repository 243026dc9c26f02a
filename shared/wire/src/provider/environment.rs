//! The variables in which a provider's own clients look for its credential.

use super::{Provider, row};

impl Provider {
    /// Where its own clients look for the credential, the most usual variable first.
    pub fn variables(self) -> impl Iterator<Item = &'static str> {
        let own = lines().find(|[name, ..]| *name == self.name);
        row::words(own.map_or("", |[_, variables, _]| variables))
    }
}

/// Name, variables, source.
pub(super) fn lines() -> impl Iterator<Item = [&'static str; 3]> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split('\t').collect::<Vec<_>>().try_into().ok())
}

const TABLE: &str = include_str!("environment.tsv");
