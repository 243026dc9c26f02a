//! Reads what a check looks at: every sealed blob and every link of the audit chain, page by page, and rows that refer to a row
//! that is not there. What that means is decided in [`crate::check`].

use std::collections::BTreeSet;

use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::write::RootKind;
use keyward_wire::{IdentityId, KeyId, OrgId, Sha256, ViewId};

use super::audit::{audit_row, object_row};
use super::credential_kind::credential_kind;
use super::engine::{Inner, Row, Tx, args, id, int, statements};
use super::orgs::org_row;
use super::{AuditRow, ObjectKind, ObjectRow, OrgRow, StoreError};

/// A stored blob, unchecked.
pub struct Sealed {
    /// The blob's row, by its ids, as `grant:<identity>`.
    pub at: String,
    /// The blob's bytes.
    pub env: Vec<u8>,
}

/// A stored version of a key.
pub struct SecretRow {
    /// The key.
    pub key: KeyId,
    /// The version.
    pub version: u64,
    /// The hash that is stored for the bytes.
    pub sha256: Sha256,
    /// The envelope's bytes.
    pub env: Vec<u8>,
}

/// A root envelope.
pub struct RootRow {
    /// The kind of the root envelope.
    pub kind: RootKind,
    /// The identity that holds it; 16 zero bytes if it belongs to no identity.
    pub holder: IdentityId,
    /// The epoch or generation that it is of.
    pub generation: u64,
    /// The envelope's bytes.
    pub env: Vec<u8>,
}

/// Where the next page of blobs begins: after these ids.
#[derive(Clone, Copy, Default)]
pub struct Page {
    first: [u8; 16],
    second: [u8; 16],
    version: u64,
}

/// Where the next page of the audit's index begins: after this row.
pub struct ObjectPage {
    after: (u64, ObjectRow),
}

impl Default for ObjectPage {
    fn default() -> Self {
        // No kind sorts before this one, and no entry has seq 0.
        Self { after: (0, ObjectRow { kind: ObjectKind::Identity, id: [0; 16], view_seq: 0 }) }
    }
}

/// Rows that refer to a row that is not there.
pub struct Links {
    /// The kind of row and of what is missing, in words.
    pub what: &'static str,
    /// The rows, by their ids.
    pub at: Vec<String>,
}

impl Tx {
    /// Reads nothing from a table: makes SQLite take its snapshot now.
    pub(super) async fn look(&mut self) -> Result<(), StoreError> {
        let sql = match &self.inner {
            Inner::Sqlite(_) => "select count(*) as tables from sqlite_master",
            Inner::Postgres(_) => "select cast(1 as bigint) as tables",
        };
        self.one(sql, args![]).await.map(drop)
    }

    /// What the engine itself finds wrong, in its own words, which name tables and indices and no data.
    pub async fn engine_complaints(&mut self) -> Result<Vec<String>, StoreError> {
        let mut complaints = Vec::new();
        match &self.inner {
            Inner::Sqlite(_) => {
                for row in self.all("pragma integrity_check(100)", args![]).await? {
                    let text = row.text("integrity_check")?;
                    complaints.extend((text != "ok").then_some(text));
                }
                for row in self.all(SQLITE_ORPHANS, args![]).await? {
                    let (child, parent) = (row.text("child")?, row.text("parent")?);
                    complaints.push(format!("{} rows of {child} refer to no {parent}", row.int("n")?));
                }
            }
            Inner::Postgres(_) => {
                for row in self.all(POSTGRES_COMPLAINTS, args![]).await? {
                    complaints.push(row.text("line")?);
                }
            }
        }
        Ok(complaints)
    }

    /// Some organisations after this one, in the order of their ids. Empty if there are none left.
    pub async fn orgs_after(&mut self, after: Option<OrgId>) -> Result<Vec<OrgRow>, StoreError> {
        let after = after.map_or(args![[].as_slice()], |after| vec![id(after)]);
        self.all(ORGS, after).await?.iter().map(org_row).collect()
    }

    /// ORG as it is stored. `None` if it is not there.
    pub async fn stored_org(&mut self, org: OrgId) -> Result<Option<Vec<u8>>, StoreError> {
        self.optional(ORG_STATE, vec![id(org)]).await?.map(|row| row.bytes("env")).transpose()
    }

    /// Versions of keys, a page at a time; empty at the end.
    pub async fn stored_secrets(
        &mut self,
        org: OrgId,
        page: &mut Page,
    ) -> Result<Vec<SecretRow>, StoreError> {
        let args = vec![id(org), page.first.as_slice().into(), int(page.version)?];
        let rows = self.all(SECRETS, args).await?;
        let secret = |row: &Row| {
            Ok(SecretRow {
                key: row.id("key_id")?,
                version: row.count("version")?,
                sha256: row.sha256("sha256")?,
                env: row.bytes("env")?,
            })
        };
        let secrets: Vec<SecretRow> = rows.iter().map(secret).collect::<Result<_, StoreError>>()?;
        if let Some(last) = secrets.last() {
            *page = Page { first: *last.key.as_bytes(), version: last.version, ..*page };
        }
        Ok(secrets)
    }

    /// VIEWs, one at a time; empty at the end.
    pub async fn stored_views(&mut self, org: OrgId, page: &mut Page) -> Result<Vec<Sealed>, StoreError> {
        self.sealed(VIEWS, org, page, "view").await
    }

    /// GRANTs, a page at a time; empty at the end.
    pub async fn stored_grants(&mut self, org: OrgId, page: &mut Page) -> Result<Vec<Sealed>, StoreError> {
        self.sealed(GRANTS, org, page, "grant").await
    }

    /// ESCROWs, a page at a time; empty at the end.
    pub async fn stored_escrows(&mut self, org: OrgId, page: &mut Page) -> Result<Vec<Sealed>, StoreError> {
        self.sealed(ESCROWS, org, page, "escrow").await
    }

    async fn sealed(
        &mut self,
        sql: &'static str,
        org: OrgId,
        page: &mut Page,
        kind: &str,
    ) -> Result<Vec<Sealed>, StoreError> {
        let rows = self.all(sql, vec![id(org), page.first.as_slice().into()]).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            let at: IdentityId = row.id("id")?;
            page.first = *at.as_bytes();
            all.push(Sealed { at: format!("{kind}:{at}"), env: row.bytes("env")? });
        }
        Ok(all)
    }

    /// CREDs and RECOVERYs, a page at a time: each with its kind, and whether it has a salt.
    pub async fn stored_credentials(
        &mut self,
        org: OrgId,
        page: &mut Page,
    ) -> Result<Vec<(Sealed, CredentialKind, bool)>, StoreError> {
        let args = vec![id(org), page.first.as_slice().into(), page.second.as_slice().into()];
        let rows = self.all(CREDENTIALS, args).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            let at: IdentityId = row.id("id")?;
            *page = Page { first: row.array("identity_id")?, second: *at.as_bytes(), ..*page };
            let sealed = Sealed { at: format!("credential:{at}"), env: row.bytes("env")? };
            all.push((sealed, credential_kind(row, "kind")?, row.maybe_bytes("salt")?.is_some()));
        }
        Ok(all)
    }

    /// ROOT of each owner, ORGKEY_ADMIN of each owner and admin, and ORGKEY_ROOT, as they are stored.
    pub async fn stored_roots(&mut self, org: OrgId) -> Result<Vec<RootRow>, StoreError> {
        let root = |row: &Row| {
            Ok(RootRow {
                kind: row.word("kind", &RootKind::ALL, RootKind::as_str)?,
                holder: row.id("holder_id")?,
                generation: row.count("generation")?,
                env: row.bytes("env")?,
            })
        };
        self.all(ROOTS, vec![id(org)]).await?.iter().map(root).collect()
    }

    /// Entries of the audit chain, a page at a time; empty at the end.
    pub async fn stored_audit(&mut self, org: OrgId, after: u64) -> Result<Vec<AuditRow>, StoreError> {
        self.all(AUDIT, vec![id(org), int(after)?]).await?.iter().map(audit_row).collect()
    }

    /// The index beside an audit chain, each row with the entry's seq: a page at a time, in the order of its key; empty at the end.
    pub async fn stored_audit_objects(
        &mut self,
        org: OrgId,
        page: &mut ObjectPage,
    ) -> Result<Vec<(u64, ObjectRow)>, StoreError> {
        let (seq, last) = &page.after;
        let args = vec![
            id(org),
            last.kind.as_str().into(),
            last.id.as_slice().into(),
            int(last.view_seq)?,
            int(*seq)?,
        ];
        let rows = self.all(AUDIT_OBJECTS, args).await?;
        let rows: Vec<_> = rows.iter().map(object_row).collect::<Result<_, StoreError>>()?;
        if let Some(last) = rows.last() {
            page.after = *last;
        }
        Ok(rows)
    }

    /// Whether the server's own row is there.
    pub async fn has_server_row(&mut self) -> Result<bool, StoreError> {
        Ok(self.one(SERVER_ROWS, args![]).await?.int("n")? == 1)
    }

    /// The keys that this build of a view listed.
    pub async fn keys_of_view(
        &mut self,
        org: OrgId,
        view: ViewId,
        seq: u64,
    ) -> Result<BTreeSet<KeyId>, StoreError> {
        let rows = self.all(VIEW_KEYS, vec![id(org), id(view), int(seq)?]).await?;
        rows.iter().map(|row| row.id("key_id")).collect()
    }

    /// Rows of an organisation that refer to a row that is not there; a few of each kind.
    pub async fn broken_links(&mut self, org: &OrgRow) -> Result<Vec<Links>, StoreError> {
        let mut broken = Vec::new();
        for (what, kind, sql, with_seq) in LINKS {
            let args = if *with_seq { vec![id(org.id), int(org.seq)?] } else { vec![id(org.id)] };
            let rows = self.all(sql, args).await?;
            let at = |row: &Row| Ok(format!("{kind}:{}", row.id::<IdentityId>("id")?));
            broken.push(Links { what, at: rows.iter().map(at).collect::<Result<_, StoreError>>()? });
        }
        broken.retain(|links| !links.at.is_empty());
        Ok(broken)
    }

    /// Organisations that have rows in some table and do not exist themselves, by the table.
    pub async fn lost_orgs(&mut self) -> Result<Vec<(&'static str, OrgId)>, StoreError> {
        let mut lost = Vec::new();
        for (table, sql) in LOST_ORGS {
            for row in self.all(sql, args![]).await? {
                lost.push((*table, row.id("org_id")?));
            }
        }
        Ok(lost)
    }
}

/// For each kind: the rows, what is missing, the statement, and whether the statement takes the organisation's seq as well.
const LINKS: &[(&str, &str, &str, bool)] = &[
    ("a key has no current version", "key", KEYS_WITHOUT_VERSION, false),
    ("a version is of no key", "key", VERSIONS_WITHOUT_KEY, false),
    ("a session is of a credential that is not its identity's", "credential", STRAY_SESSIONS, false),
    ("keys are noted of a build of this view that never was", "view", UNBUILT_VIEW_KEYS, true),
    ("an audit entry's index is of no entry", "object", INDEX_WITHOUT_ENTRY, false),
];

macro_rules! lost {
    ($($table:literal),*) => {
        &[$((
            $table,
            concat!("select distinct org_id from ", $table, " where org_id not in (select id from orgs) limit 10"),
        )),*]
    };
}

const LOST_ORGS: &[(&str, &str)] = lost![
    "org_states",
    "identities",
    "credentials",
    "sessions",
    "escrows",
    "roots",
    "keys",
    "secrets",
    "deployments",
    "mappings",
    "groups",
    "members",
    "assignments",
    "exclusions",
    "views",
    "view_keys",
    "grants",
    "agents",
    "agent_members",
    "agent_keys",
    "networks",
    "audit",
    "audit_objects"
];

const SQLITE_ORPHANS: &str = "
    select \"table\" as child, parent, count(*) as n
    from pragma_foreign_key_check
    group by \"table\", parent";

/// PostgreSQL checks references itself, and pages if the cluster has checksums. It marks constraints and indices that it does not
/// trust.
const POSTGRES_COMPLAINTS: &str = "
    select 'index ' || i.relname || ' is not valid: reindex it' as line
    from pg_index x join pg_class i on i.oid = x.indexrelid
    where i.relnamespace = current_schema()::regnamespace and not x.indisvalid
    union all
    select 'constraint ' || conname || ' was never validated'
    from pg_constraint
    where connamespace = current_schema()::regnamespace and not convalidated
    union all
    select 'triggers of ' || t.relname || ' are switched off, and with them its references'
    from pg_trigger g join pg_class t on t.oid = g.tgrelid
    where t.relnamespace = current_schema()::regnamespace and g.tgenabled in ('D', 'R')
    union all
    select checksum_failures || ' pages failed their checksum'
    from pg_stat_database
    where datname = current_database() and checksum_failures > 0";

statements! {
    ORGS = "
        select id, seq, sha256, epoch, nonce, audit_seq, audit_hash
        from orgs
        where id > $1
        order by id
        limit 100";
    ORG_STATE = "select env from org_states where org_id = $1";
    SECRETS = "
        select key_id, version, sha256, env
        from secrets
        where org_id = $1 and (key_id, version) > ($2, $3)
        order by key_id, version
        limit 64";
    VIEWS = "select id, env from views where org_id = $1 and id > $2 order by id limit 1";
    GRANTS = "
        select identity_id as id, env
        from grants
        where org_id = $1 and identity_id > $2
        order by identity_id
        limit 100";
    ESCROWS = "
        select identity_id as id, env
        from escrows
        where org_id = $1 and identity_id > $2
        order by identity_id
        limit 100";
    CREDENTIALS = "
        select identity_id, id, kind, salt, env
        from credentials
        where org_id = $1 and (identity_id, id) > ($2, $3)
        order by identity_id, id
        limit 100";
    ROOTS = "select kind, holder_id, generation, env from roots where org_id = $1 order by kind, holder_id";
    AUDIT = "
        select seq, time, actor_id, entry, hash
        from audit
        where org_id = $1 and seq > $2
        order by seq
        limit 200";
    AUDIT_OBJECTS = "
        select audit_seq, kind, object_id, view_seq
        from audit_objects
        where org_id = $1 and (kind, object_id, view_seq, audit_seq) > ($2, $3, $4, $5)
        order by kind, object_id, view_seq, audit_seq
        limit 500";
    SERVER_ROWS = "select count(*) as n from server";
    VIEW_KEYS = "select key_id from view_keys where org_id = $1 and view_id = $2 and seq = $3";
    KEYS_WITHOUT_VERSION = "
        select k.id
        from keys k
        left join secrets s on s.org_id = k.org_id and s.key_id = k.id and s.version = k.version
        where k.org_id = $1 and s.key_id is null
        limit 10";
    VERSIONS_WITHOUT_KEY = "
        select distinct s.key_id as id
        from secrets s
        left join keys k on k.org_id = s.org_id and k.id = s.key_id
        where s.org_id = $1 and k.id is null
        limit 10";
    STRAY_SESSIONS = "
        select distinct s.credential_id as id
        from sessions s
        left join credentials c
            on c.id = s.credential_id and c.org_id = s.org_id and c.identity_id = s.identity_id
        where s.org_id = $1 and c.id is null
        limit 10";
    UNBUILT_VIEW_KEYS = "
        select distinct k.view_id as id
        from view_keys k
        left join views v on v.org_id = k.org_id and v.id = k.view_id
        where k.org_id = $1 and (k.seq > $2 or k.seq > v.seq)
        limit 10";
    INDEX_WITHOUT_ENTRY = "
        select distinct o.object_id as id
        from audit_objects o
        left join audit a on a.org_id = o.org_id and a.seq = o.audit_seq
        where o.org_id = $1 and a.seq is null
        limit 10";
}
