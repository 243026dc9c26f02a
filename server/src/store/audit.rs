//! The audit chain as rows. What an entry says and how it is linked is decided in [`crate::audit`].

use std::sync::LazyLock;

use keyward_wire::{IdentityId, KeyId, OrgId, Sha256};

use super::StoreError;
use super::engine::{Arg, Row, Tx, id, int, maybe_id, statements};
use super::many::Insert;
use crate::access::Permit;

/// An entry of the chain.
pub struct AuditRow {
    /// The entry's seq: its place in the chain.
    pub seq: u64,
    /// The entry's time, in milliseconds UTC.
    pub time: i64,
    /// The identity that acted.
    pub actor: Option<IdentityId>,
    /// The exact bytes of the entry's JSON.
    pub entry: String,
    /// The entry's hash, which links it to the one before.
    pub hash: Sha256,
}

/// A thing that an entry is about, for the filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRow {
    /// The kind of the thing.
    pub kind: ObjectKind,
    /// The id of the thing.
    pub id: [u8; 16],
    /// Of a view: the seq of its build.
    pub view_seq: u64,
}

/// Kinds of things that can be filtered by. Views lead to the keys that they listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum ObjectKind {
    Key,
    Identity,
    View,
}

/// A filter of entries.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditFilter {
    /// Only entries after this seq.
    pub after: u64,
    /// Only entries at or after this time.
    pub since: Option<i64>,
    /// Only entries by or about this identity.
    pub identity: Option<IdentityId>,
    /// Only entries about this key.
    pub key: Option<KeyId>,
}

impl Tx {
    /// Adds entries, in their order, and makes the last one the head. `objects` are the things that each entry is about, by the
    /// entry's seq, none twice. The organisation must be locked.
    pub async fn append_audit(
        &mut self,
        org: OrgId,
        rows: &[AuditRow],
        objects: &[(u64, ObjectRow)],
    ) -> Result<(), StoreError> {
        let Some(last) = rows.last() else { return Ok(()) };
        let head = (last.seq, last.hash);
        self.audited += u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let rows: Result<_, _> = rows.iter().map(entry_args).collect();
        self.insert_many(&INSERT, || vec![id(org)], rows?).await?;
        let objects: Result<_, _> = objects.iter().map(object_args).collect();
        self.insert_many(&INSERT_OBJECT, || vec![id(org)], objects?).await?;
        self.set_audit_head(org, head.0, head.1).await
    }

    /// At most `limit` entries, oldest first.
    pub async fn audit(
        &mut self,
        permit: &Permit,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let Ok(after) = int(filter.after) else { return Ok(Vec::new()) };
        let since = filter.since.unwrap_or(i64::MIN);
        let mut args = vec![id(permit.org()), after, since.into(), i64::from(limit).into()];
        let sql = match (filter.identity, filter.key) {
            (None, None) => PAGE,
            (Some(identity), None) => {
                args.push(id(identity));
                PAGE_BY_IDENTITY
            }
            (None, Some(key)) => {
                args.push(id(key));
                PAGE_BY_KEY
            }
            (Some(identity), Some(key)) => {
                args.extend([id(key), id(identity)]);
                PAGE_BY_BOTH
            }
        };
        self.all(sql, args).await?.iter().map(audit_row).collect()
    }
}

impl ObjectKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Identity => "identity",
            Self::View => "view",
        }
    }
}

fn entry_args(row: &AuditRow) -> Result<Vec<Arg>, StoreError> {
    let (entry, hash) = (row.entry.as_str().into(), row.hash.into());
    Ok(vec![int(row.seq)?, row.time.into(), maybe_id(row.actor), entry, hash])
}

fn object_args((seq, object): &(u64, ObjectRow)) -> Result<Vec<Arg>, StoreError> {
    let (kind, which) = (object.kind.as_str().into(), object.id.as_slice().into());
    Ok(vec![int(*seq)?, kind, which, int(object.view_seq)?])
}

pub(super) fn audit_row(row: &Row) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        seq: row.count("seq")?,
        time: row.int("time")?,
        actor: row.maybe_id("actor_id")?,
        entry: row.text("entry")?,
        hash: row.sha256("hash")?,
    })
}

pub(super) fn object_row(row: &Row) -> Result<(u64, ObjectRow), StoreError> {
    let kinds = [ObjectKind::Key, ObjectKind::Identity, ObjectKind::View];
    let kind = row.word("kind", &kinds, ObjectKind::as_str)?;
    let object = ObjectRow { kind, id: row.array("object_id")?, view_seq: row.count("view_seq")? };
    Ok((row.count("audit_seq")?, object))
}

static INSERT: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("insert into audit (org_id, seq, time, actor_id, entry, hash)", 1, ""));

static INSERT_OBJECT: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new("insert into audit_objects (org_id, audit_seq, kind, object_id, view_seq)", 1, "")
});

/// The inserts of many rows at once.
pub(super) fn inserts() -> Vec<&'static Insert> {
    vec![&INSERT, &INSERT_OBJECT]
}

macro_rules! page {
    ($($filter:literal),*) => {
        concat!(
            "
            select a.seq, a.time, a.actor_id, a.entry, a.hash
            from audit a
            where a.org_id = $1 and a.seq > $2 and a.time >= $3",
            $($filter,)*
            "
            order by a.seq
            limit $4"
        )
    };
}

statements! {
    PAGE = page!();
    PAGE_BY_IDENTITY = page!("
        and (a.actor_id = $5 or exists (
            select 1
            from audit_objects o
            where o.org_id = a.org_id and o.audit_seq = a.seq and o.kind = 'identity' and o.object_id = $5
        ))");
    PAGE_BY_KEY = page!("
        and a.seq in (
            select o.audit_seq
            from audit_objects o
            where o.org_id = $1 and o.kind = 'key' and o.object_id = $5
            union
            select o.audit_seq
            from view_keys v
            join audit_objects o on o.org_id = v.org_id and o.kind = 'view'
                and o.object_id = v.view_id and o.view_seq = v.seq
            where v.org_id = $1 and v.key_id = $5
        )");
    PAGE_BY_BOTH = page!("
        and a.seq in (
            select o.audit_seq
            from audit_objects o
            where o.org_id = $1 and o.kind = 'key' and o.object_id = $5
            union
            select o.audit_seq
            from view_keys v
            join audit_objects o on o.org_id = v.org_id and o.kind = 'view'
                and o.object_id = v.view_id and o.view_seq = v.seq
            where v.org_id = $1 and v.key_id = $5
        )
        and (a.actor_id = $6 or exists (
            select 1
            from audit_objects o
            where o.org_id = a.org_id and o.audit_seq = a.seq and o.kind = 'identity' and o.object_id = $6
        ))");
}
