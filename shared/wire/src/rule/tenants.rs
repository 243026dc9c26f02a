//! Domains in which each name may belong to somebody else: a value for one of them must not go to all.
//!
//! Two sources: the Public Suffix List, both its parts, and `tenants.tsv`, which has the domains of services that give each
//! customer a name and are not on that list. Neither can be complete, so a wildcard always deserves a second look.

use super::host_error::HostError;

/// Refuses `name` (or `*.name`, if `below`) where it would reach what belongs to others.
pub(super) fn check(name: &str, below: bool) -> Result<(), HostError> {
    let suffix = psl::suffix(name.as_bytes());
    let is_suffix = suffix.is_some_and(|suffix| suffix.as_bytes() == name.as_bytes());
    let known = suffix.is_some_and(|suffix| suffix.is_known());
    // By the list's last rule any other last label is a suffix too: `*.internal` reaches everybody's hosts there. A host of
    // one label in a private network, such as `vault`, is one host.
    if is_suffix && (known || below) || below && each_is_a_suffix(name) {
        return Err(HostError::PublicSuffix);
    }
    match below.then(|| shared(name)).flatten() {
        Some(what) => Err(HostError::Shared(what)),
        None => Ok(()),
    }
}

/// Whether the list has `*.name`: then `name` itself is no suffix, but every name right below it is.
fn each_is_a_suffix(name: &str) -> bool {
    let one = format!("x.{name}");
    psl::suffix(one.as_bytes()).is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == one.as_bytes())
}

/// What is at `*.base`, if each name there belongs to another customer.
fn shared(base: &str) -> Option<&'static str> {
    rows().find(|row| row.covers(base)).map(|row| row.what)
}

struct Row {
    domain: &'static str,
    /// Names at any depth belong to customers, not only those right below.
    deep: bool,
    what: &'static str,
}

impl Row {
    fn covers(&self, base: &str) -> bool {
        let under = || base.strip_suffix(self.domain).is_some_and(|rest| rest.ends_with('.'));
        base == self.domain || (self.deep && under())
    }
}

/// The table's rows: `domain`, `below` or `all`, what the names are, where that is said.
fn rows() -> impl Iterator<Item = Row> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut cells = line.split('\t');
        let (domain, reach, what) = (cells.next()?, cells.next()?, cells.next()?);
        Some(Row { domain, deep: reach == "all", what })
    })
}

const TABLE: &str = include_str!("tenants.tsv");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_row_with_its_source() {
        let mut before = "";
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<&str> = line.split('\t').collect();
            let [domain, reach, what, source] = cells[..] else { panic!("not four cells: {line:?}") };
            assert!(super::super::Host::parse(domain).is_ok_and(|host| host.to_string() == domain), "{line}");
            assert!(domain.contains('.') && ["below", "all"].contains(&reach), "{line}");
            assert!(!what.is_empty() && what.len() < 80, "{line}");
            assert!(source.starts_with("https://"), "{line}: where is that said?");
            assert!(before < domain, "{line}: the table is sorted");
            before = domain;
        }
        assert!(rows().count() > 50);
    }

    #[test]
    fn d15_d16_user_content_and_customers_names_are_never_a_wildcard() {
        for base in [
            "amazonaws.com",
            "eu-west-1.amazonaws.com",
            "s3.eu-west-1.amazonaws.com",
            "execute-api.us-east-1.amazonaws.com",
            "googleapis.com",
            "storage.googleapis.com",
            "github.io",
            "githubusercontent.com",
            "vercel.app",
            "workers.dev",
            "supabase.co",
            "myshopify.com",
            "atlassian.net",
            "openai.azure.com",
            "core.windows.net",
            "com",
            "co.uk",
            "internal",
            "local",
            "vault",
            "b.kobe.jp",
            "kobe.jp",
            "oaiusercontent.com",
            "oraclecloudapps.com",
            "x.ck",
        ] {
            assert!(check(base, true).is_err(), "*.{base}");
        }
        // One customer's own domain, and hosts that are named exactly, are another matter.
        for (name, below) in [
            ("example.com", true),
            ("svc.cluster.local", true),
            ("my-shop.myshopify.com", false),
            ("abcdefgh.supabase.co", false),
            ("vault", false),
            ("homeassistant.local", false),
            ("www.ck", false),
        ] {
            assert_eq!(check(name, below), Ok(()), "{name}");
        }
        for suffix in ["com", "co.uk", "github.io", "x.ck"] {
            assert_eq!(check(suffix, false), Err(HostError::PublicSuffix), "{suffix}");
        }
    }

    #[test]
    fn a_row_covers_what_it_names_and_no_neighbour() {
        let row = |deep| Row { domain: "ten.test", deep, what: "" };
        assert!(row(false).covers("ten.test") && row(true).covers("ten.test"));
        assert!(!row(false).covers("a.ten.test") && row(true).covers("a.ten.test"));
        for other in ["eviltent.test", "evilten.test", "test", "ten.test.x"] {
            assert!(!row(true).covers(other), "{other}");
        }
    }
}
