//! What is known of providers: to which hosts a credential goes, and how (RULES.md).
//!
//! A preset is a default. It never stands in a rule by its name: what is sealed is what the preset said when it was used, so
//! a later edition of the table re-points nothing.
//!
//! The table is one text in the program, read line by line when somebody asks: nothing is built at start.

mod environment;
pub mod minting;
mod row;

use crate::rule::{Authority, HostPattern, Injection, PathPattern, Terms};

pub use row::{Field, HostShape};

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Provider {
    /// The provider's name, as `--inject` takes it.
    pub name: &'static str,
    hosts: &'static str,
    paths: &'static str,
    into: &'static str,
    fields: &'static str,
    mints: &'static str,
    base: &'static str,
    variants: &'static str,
    /// A note for people; may be empty.
    pub note: &'static str,
    /// The documents that state where the provider's credentials go.
    pub source: &'static str,
}

/// Every provider, by name.
pub fn all() -> impl Iterator<Item = Provider> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(row::read)
}

/// The provider of this name, in letters of either case.
pub fn find(name: &str) -> Option<Provider> {
    all().find(|provider| provider.name.eq_ignore_ascii_case(name))
}

/// Every variable in which some provider's clients look for a credential or an address.
pub fn all_variables() -> impl Iterator<Item = &'static str> {
    all().flat_map(|provider| provider.variables().chain(provider.base_url().map(|(variable, _)| variable)))
}

/// The providers that have this host.
pub fn of_host(host: &Authority) -> impl Iterator<Item = Provider> {
    all().filter(|provider| provider.host_shapes().any(|shape| shape.fits(host)))
}

impl Provider {
    /// The provider's hosts, and the shapes of those that each of its users has to name.
    pub fn host_shapes(self) -> impl Iterator<Item = HostShape> {
        self.hosts.split(' ').map(HostShape)
    }

    /// The provider's hosts that are the same for everybody.
    pub fn hosts(self) -> Vec<HostPattern> {
        self.host_shapes().filter_map(HostShape::pattern).collect()
    }

    /// The shapes of hosts that each of its users has to name, such as `{tenant}.zendesk.com`.
    pub fn own_hosts(self) -> Vec<HostShape> {
        self.host_shapes().filter(|shape| shape.pattern().is_none()).collect()
    }

    /// What keeps it from being a preset: `oauth2`, `sigv4`, `minted`, `exchange`. Then it has no places.
    pub fn needs(self) -> Option<&'static str> {
        self.into.strip_prefix("needs ")
    }

    /// The places of its credentials.
    pub fn injections(self) -> Vec<Injection> {
        if self.needs().is_some() {
            return Vec::new();
        }
        self.into.split(" + ").filter_map(|short| short.parse().ok()).collect()
    }

    /// The paths of its credentials, if not all.
    pub fn paths(self) -> Option<Vec<PathPattern>> {
        let paths: Vec<PathPattern> = row::words(self.paths).filter_map(|path| path.parse().ok()).collect();
        if paths.is_empty() { None } else { Some(paths) }
    }

    /// What it proposes as a rule, for these hosts or, without any, for those that are the same for everybody.
    pub fn terms(self, hosts: Option<Vec<HostPattern>>) -> Terms {
        let mut terms = Terms::new(hosts.unwrap_or_else(|| self.hosts()), self.injections());
        terms.paths = self.paths();
        terms
    }

    /// The values it needs beside the credential itself.
    pub fn fields(self) -> impl Iterator<Item = Field> {
        row::fields(self.fields)
    }

    /// Paths that make or show credentials: see [`minting`].
    pub fn minting(self) -> Vec<PathPattern> {
        let paths = row::words(self.mints).filter(|path| !path.ends_with(':'));
        paths.filter_map(|path| path.parse().ok()).collect()
    }

    /// Where all of these are found as well: `/api/v3` at a GitHub of one's own.
    pub fn minting_prefix(self) -> Option<&'static str> {
        row::words(self.mints).next()?.strip_suffix(':')
    }

    /// The variable by which its clients are pointed at another address, and the path that belongs to the address.
    pub fn base_url(self) -> Option<(&'static str, &'static str)> {
        self.base.split_once('=')
    }

    /// The provider whose preset is meant by a value that begins like this one, if it is another.
    pub fn variant(self, value: &[u8]) -> Option<Self> {
        let (_, name) = row::pairs(self.variants).find(|(start, _)| value.starts_with(start.as_bytes()))?;
        find(name)
    }
}

const TABLE: &str = include_str!("table.tsv");

#[cfg(test)]
mod tests;
