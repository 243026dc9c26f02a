//! Checks whether everything that is stored is what this program would have stored: as far as that can be told without a key, in
//! one snapshot, page by page. A server may be running.
//!
//! What is sealed is checked by those who can open it. This check finds a damaged disk, a database changed by hand, a restore
//! gone wrong and faults of this program.

mod audit;
mod envelopes;
mod relations;

use std::borrow::Cow;

use keyward_wire::OrgId;
use serde::Serialize;

use crate::store::{OrgRow, Store, StoreError, Tx};

/// Something stored that is not as it must be. It names ids only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The organisation. `None` if the finding is about the database as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgId>,
    /// The row, by its ids, as `secret:<key>@<version>`.
    pub at: String,
    /// What is wrong with the row.
    pub what: Cow<'static, str>,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Organisations.
    pub organisations: u64,
    /// Sealed envelopes.
    pub envelopes: u64,
    /// Entries of audit chains.
    pub audit_entries: u64,
    /// Findings.
    pub findings: u64,
}

/// Runs [`check`] in a snapshot of its own.
///
/// # Errors
/// As [`check`]: the database does not answer.
pub async fn check_all(store: &Store, found: &mut dyn FnMut(Finding)) -> Result<Checked, StoreError> {
    match store.snapshot().await {
        Ok(mut tx) => {
            let checked = check(&mut tx, found).await?;
            tx.rollback().await?;
            Ok(checked)
        }
        Err(error) if error.is_damage() => {
            let mut report = Report { checked: Checked::default(), org: None, found };
            report.add("database", error.cause());
            Ok(report.checked)
        }
        Err(error) => Err(error),
    }
}

/// Checks everything, and tells each finding as it is found.
///
/// # Errors
/// If the database does not answer. A damaged database is a finding.
pub async fn check(tx: &mut Tx, found: &mut dyn FnMut(Finding)) -> Result<Checked, StoreError> {
    let mut report = Report { checked: Checked::default(), org: None, found };
    match everything(tx, &mut report).await {
        Err(StoreError::Inconsistent { column }) => report.inconsistent(column),
        Err(error) if error.is_damage() => report.add("database", error.cause()),
        other => other?,
    }
    Ok(report.checked)
}

/// Checks the schema alone, and tells each finding. Returns whether it is exactly this program's.
///
/// # Errors
/// If the database does not answer.
pub async fn check_schema(tx: &mut Tx, found: &mut dyn FnMut(Finding)) -> Result<bool, StoreError> {
    schema(tx, &mut Report { checked: Checked::default(), org: None, found }).await
}

async fn schema(tx: &mut Tx, report: &mut Report<'_>) -> Result<bool, StoreError> {
    let differences = tx.schema_differences().await?;
    let same = differences.is_empty();
    for difference in differences {
        report.add("schema", difference);
    }
    Ok(same)
}

async fn everything(tx: &mut Tx, report: &mut Report<'_>) -> Result<(), StoreError> {
    if !schema(tx, report).await? {
        // Nothing can be read from a schema that is not known.
        return Ok(());
    }
    for complaint in tx.engine_complaints().await? {
        report.add("database", complaint);
    }
    for (table, org) in tx.lost_orgs().await? {
        report.add(format!("{table}:{org}"), "rows of an organisation that is not there");
    }
    let mut after = None;
    loop {
        let orgs = tx.orgs_after(after).await?;
        let Some(last) = orgs.last() else { break };
        after = Some(last.id);
        for org in &orgs {
            report.org = Some(org.id);
            organisation(tx, org, report).await?;
            report.checked.organisations += 1;
        }
        report.org = None;
    }
    // A database that was only migrated has none yet.
    if report.checked.organisations > 0 && !tx.has_server_row().await? {
        report.add("server", "its row is not there");
    }
    Ok(())
}

/// Checks an organisation, each part by itself: if one part cannot be read, the others are still checked.
async fn organisation(tx: &mut Tx, org: &OrgRow, report: &mut Report<'_>) -> Result<(), StoreError> {
    let relations = relations::check(tx, org, report).await;
    report.goes_on_after(relations)?;
    let envelopes = envelopes::check(tx, org, report).await;
    report.goes_on_after(envelopes)?;
    let audit = audit::check(tx, org, report).await;
    report.goes_on_after(audit)
}

/// What was checked so far, and where findings go.
struct Report<'f> {
    checked: Checked,
    org: Option<OrgId>,
    found: &'f mut dyn FnMut(Finding),
}

impl Report<'_> {
    fn add(&mut self, at: impl Into<String>, what: impl Into<Cow<'static, str>>) {
        self.checked.findings += 1;
        (self.found)(Finding { org: self.org, at: at.into(), what: what.into() });
    }

    fn inconsistent(&mut self, column: &str) {
        self.add(format!("column:{column}"), "a row does not hold what belongs there");
    }

    fn goes_on_after(&mut self, part: Result<(), StoreError>) -> Result<(), StoreError> {
        match part {
            Err(StoreError::Inconsistent { column }) => {
                self.inconsistent(column);
                Ok(())
            }
            other => other,
        }
    }
}
