//! Checks sealed blobs: each has a valid form, stands in the place that its header names, and has the hash that is stored for it
//! (S4).

use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::write::RootKind;
use keyward_wire::{Envelope, Purpose};

use super::Report;
use crate::store::{OrgRow, Page, Sealed, StoreError, Tx};

pub(super) async fn check(tx: &mut Tx, org: &OrgRow, report: &mut Report<'_>) -> Result<(), StoreError> {
    state(tx, org, report).await?;
    secrets(tx, org, report).await?;
    credentials(tx, org, report).await?;
    for root in tx.stored_roots(org.id).await? {
        let (at, purpose) = match root.kind {
            RootKind::Root => (format!("root:{}", root.holder), Purpose::Root),
            RootKind::OrgkeyRoot => ("orgkey_root".to_owned(), Purpose::OrgKeyRoot),
            RootKind::OrgkeyAdmin => (format!("orgkey_admin:{}", root.holder), Purpose::OrgKeyAdmin),
        };
        sealed(Sealed { at, env: root.env }, purpose, report);
    }
    macro_rules! pages {
        ($read:ident, $purpose:expr) => {
            let mut page = Page::default();
            loop {
                let rows = tx.$read(org.id, &mut page).await?;
                if rows.is_empty() {
                    break;
                }
                for row in rows {
                    sealed(row, $purpose, report);
                }
            }
        };
    }
    pages!(stored_views, Purpose::View);
    pages!(stored_grants, Purpose::Grant);
    pages!(stored_escrows, Purpose::Escrow);
    Ok(())
}

async fn state(tx: &mut Tx, org: &OrgRow, report: &mut Report<'_>) -> Result<(), StoreError> {
    let Some(env) = tx.stored_org(org.id).await? else {
        report.add("org", "its state is not there");
        return Ok(());
    };
    if let Some(envelope) = sealed(Sealed { at: "org".to_owned(), env }, Purpose::Org, report)
        && envelope.sha256() != org.sha256
    {
        report.add("org", "the stored hash is not that of the envelope");
    }
    Ok(())
}

async fn secrets(tx: &mut Tx, org: &OrgRow, report: &mut Report<'_>) -> Result<(), StoreError> {
    let mut page = Page::default();
    loop {
        let rows = tx.stored_secrets(org.id, &mut page).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            let at = format!("secret:{}@{}", row.key, row.version);
            if let Some(envelope) = sealed(Sealed { at: at.clone(), env: row.env }, Purpose::Secret, report)
                && envelope.sha256() != row.sha256
            {
                report.add(at, "the stored hash is not that of the envelope");
            }
        }
    }
}

async fn credentials(tx: &mut Tx, org: &OrgRow, report: &mut Report<'_>) -> Result<(), StoreError> {
    let mut page = Page::default();
    loop {
        let rows = tx.stored_credentials(org.id, &mut page).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for (row, kind, salted) in rows {
            if salted != (kind == CredentialKind::Password) {
                report.add(row.at.clone(), "passwords have a salt, and nothing else has");
            }
            let recovery = kind == CredentialKind::Recovery;
            sealed(row, if recovery { Purpose::Recovery } else { Purpose::Cred }, report);
        }
    }
}

fn sealed(row: Sealed, purpose: Purpose, report: &mut Report<'_>) -> Option<Envelope> {
    report.checked.envelopes += 1;
    match Envelope::from_bytes(row.env) {
        Err(_) => report.add(row.at, "not an envelope: its header or its length is wrong"),
        Ok(envelope) if envelope.purpose() != purpose => {
            report.add(row.at, "an envelope of another purpose");
        }
        Ok(envelope) => return Some(envelope),
    }
    None
}
