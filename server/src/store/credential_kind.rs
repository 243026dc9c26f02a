//! The kind of a credential, as tables store it.

use keyward_wire::api::credentials::CredentialKind;

use super::StoreError;
use super::engine::Row;

/// The kind that is stored in this column.
pub(super) fn credential_kind(row: &Row, column: &'static str) -> Result<CredentialKind, StoreError> {
    row.word(column, KINDS, CredentialKind::as_str)
}

const KINDS: &[CredentialKind] = &[
    CredentialKind::Password,
    CredentialKind::Token,
    CredentialKind::Device,
    CredentialKind::Link,
    CredentialKind::Recovery,
];
