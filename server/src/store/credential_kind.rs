//! The kind of a credential, as tables have it.

use keyward_wire::api::credentials::CredentialKind;

use super::StoreError;
use super::engine::Row;

/// What stands in this column.
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
