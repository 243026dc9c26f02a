//! A line of the table, and its cells.

use std::fmt;

use super::Provider;
use crate::rule::{Authority, Host, HostPattern};

/// A host pattern in the table: `api.github.com`, or `{tenant}.zendesk.com` for a host that each user has to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostShape(pub(super) &'static str);

/// A value beside the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The field's name in templates.
    pub name: &'static str,
    /// The field's description, for people.
    pub what: &'static str,
}

impl HostShape {
    /// The shape.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The pattern, if it is the same for everybody.
    pub fn pattern(self) -> Option<HostPattern> {
        if self.0.contains('{') { None } else { self.0.parse().ok() }
    }

    /// The host without its port, if it is the same for everybody.
    pub(super) fn fixed_host(self) -> Option<&'static str> {
        if self.0.contains('{') { None } else { self.0.split(':').next() }
    }

    /// How their names end, which tells nearly all other hosts from them.
    pub(super) fn ending(self) -> &'static str {
        let host = self.0.split(':').next().unwrap_or(self.0);
        host.rsplit('}').next().unwrap_or(host)
    }

    /// Whether any host is one of them. A shape that is nothing but what its user has to name says nothing about hosts.
    pub(super) fn fits_some(self) -> bool {
        !self.0.contains('{') || self.0.split(':').next().is_some_and(|host| host.contains('.'))
    }

    /// Whether this host is one of them. `{…}` stands for letters, digits and `-` of one label.
    pub fn fits(self, to: &Authority) -> bool {
        let (shape, port) = self.0.split_once(':').unwrap_or((self.0, "443"));
        let Host::Name(name) = &to.host else { return false };
        if !shape.contains('{') {
            return shape == name && port == to.port.to_string();
        }
        let mut labels = name.split('.');
        let fits =
            shape.split('.').all(|wanted| labels.next().is_some_and(|label| label_fits(wanted, label)));
        self.fits_some() && fits && labels.next().is_none() && port == to.port.to_string()
    }
}

/// Whether `wanted`, in which one `{…}` stands for one character or more, is `label`.
fn label_fits(wanted: &str, label: &str) -> bool {
    let parts = wanted.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?.1)));
    let Some((before, after)) = parts else { return wanted == label };
    label.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).is_some_and(|own| !own.is_empty())
}

impl fmt::Display for HostShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A line that is a row.
pub(super) fn read(line: &'static str) -> Option<Provider> {
    let mut cells = line.split('\t').map(|cell| if cell == "-" { "" } else { cell });
    Some(Provider {
        name: cells.next()?,
        hosts: cells.next()?,
        paths: cells.next()?,
        into: cells.next()?,
        fields: cells.next()?,
        mints: cells.next()?,
        base: cells.next()?,
        variants: cells.next()?,
        note: cells.next()?,
        source: cells.next()?,
    })
}

pub(super) fn words(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split(' ').filter(|word| !word.is_empty())
}

/// `NAME=text; NAME=text`.
pub(super) fn pairs(cell: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    cell.split("; ").filter_map(|pair| pair.split_once('='))
}

pub(super) fn fields(cell: &'static str) -> impl Iterator<Item = Field> {
    pairs(cell).map(|(name, what)| Field { name, what })
}
