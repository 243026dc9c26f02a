//! The schema as the database describes it: for a test that compares the two engines, and to find what differs from this
//! program's schema.

use std::collections::BTreeSet;

use super::engine::{Inner, Tx};
use super::{Store, StoreError, migrate};

/// A column, in terms that both engines have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    /// The column's table.
    pub table: String,
    /// The column's name.
    pub name: String,
    /// The column's type: `int`, `bytes` or `text`.
    pub holds: String,
    /// Whether the column is never null.
    pub required: bool,
}

impl Store {
    /// All columns of all tables, sorted.
    pub async fn schema(&self) -> Result<Vec<Column>, StoreError> {
        let mut tx = self.begin().await?;
        let sql = match &tx.inner {
            Inner::Sqlite(_) => SQLITE,
            Inner::Postgres(_) => POSTGRES,
        };
        let mut columns = Vec::new();
        for row in tx.all(sql, vec![]).await? {
            let holds = match row.text("type")?.to_ascii_lowercase().as_str() {
                "integer" | "bigint" => "int",
                "blob" | "bytea" => "bytes",
                "text" => "text",
                _ => return Err(StoreError::Inconsistent { column: "type" }),
            };
            columns.push(Column {
                table: row.text("table_name")?,
                name: row.text("column_name")?,
                holds: holds.to_owned(),
                required: row.int("required")? == 1,
            });
        }
        tx.rollback().await?;
        columns.sort();
        Ok(columns)
    }
}

/// Columns, keys, references, indices, and whatever else acts on the rows or shows them: a line each, in words that are the same for
/// both engines.
type Shape = BTreeSet<String>;

impl Store {
    /// Refuses a database whose schema is not exactly this program's: somebody changed it by hand.
    pub(super) async fn refuse_changed_schema(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let differences = tx.schema_differences().await?;
        tx.rollback().await?;
        if differences.is_empty() { Ok(()) } else { Err(StoreError::ChangedSchema { differences }) }
    }

    /// The shape of a database that this program made.
    async fn own_shape() -> Result<Shape, StoreError> {
        let store = Self::in_memory().await?;
        let mut tx = store.begin().await?;
        let shape = tx.shape().await?;
        tx.rollback().await?;
        store.close().await;
        Ok(shape)
    }
}

impl Tx {
    /// How the schema differs from this program's, in words. If it does, nothing else can be relied on.
    pub async fn schema_differences(&mut self) -> Result<Vec<String>, StoreError> {
        if let Some(difference) = migrate::difference(self).await? {
            return Ok(vec![difference]);
        }
        let (own, found) = (Store::own_shape().await?, self.shape().await?);
        let missing = own.difference(&found).map(|line| format!("there is no {line}"));
        let foreign = found.difference(&own).map(|line| format!("there is a foreign {line}"));
        Ok(missing.chain(foreign).collect())
    }

    async fn shape(&mut self) -> Result<Shape, StoreError> {
        let statements = match &self.inner {
            Inner::Sqlite(_) => SQLITE_SHAPE,
            Inner::Postgres(_) => POSTGRES_SHAPE,
        };
        let mut shape = Shape::new();
        for sql in statements {
            for row in self.all(sql, vec![]).await? {
                shape.insert(row.text("line")?);
            }
        }
        Ok(shape)
    }
}

const SQLITE_SHAPE: &[&str] = &[
    "select 'column ' || m.name || '.' || c.name
        || case lower(c.type) when 'integer' then ' int' when 'blob' then ' bytes' else ' ' || lower(c.type) end
        || case c.\"notnull\" when 1 then ' required' else '' end as line
    from sqlite_master m join pragma_table_info(m.name) c
    where m.type = 'table' and m.name not like 'sqlite_%' and m.name <> 'backup_manifest'",
    "select 'primary key of ' || k.name || ': ' || group_concat(k.part, ', ') as line
    from (
        select m.name, c.name as part
        from sqlite_master m join pragma_table_info(m.name) c
        where m.type = 'table' and c.pk > 0
        order by m.name, c.pk
    ) k
    group by k.name",
    "select 'unique in ' || k.name || ': ' || group_concat(k.part, ', ') as line
    from (
        select m.name, l.name as at, c.name as part
        from sqlite_master m join pragma_index_list(m.name) l join pragma_index_info(l.name) c
        where m.type = 'table' and l.origin = 'u'
        order by l.name, c.seqno
    ) k
    group by k.name, k.at",
    "select 'index ' || k.at || ' on ' || k.name || ': ' || group_concat(k.part, ', ') as line
    from (
        select m.name, l.name as at, c.name as part
        from sqlite_master m join pragma_index_list(m.name) l join pragma_index_info(l.name) c
        where m.type = 'table' and l.origin = 'c'
        order by l.name, c.seqno
    ) k
    group by k.name, k.at",
    "select 'reference from ' || k.child || ' to ' || k.parent || ': ' || group_concat(k.source, ', ')
        || ' ' || k.deleted as line
    from (
        select m.name as child, f.id, f.\"table\" as parent, f.\"from\" as source, lower(f.on_delete) as deleted
        from sqlite_master m join pragma_foreign_key_list(m.name) f
        where m.type = 'table'
        order by m.name, f.id, f.seq
    ) k
    group by k.child, k.id, k.parent, k.deleted",
    "select case type when 'view' then 'view ' || name else 'trigger ' || name || ' on ' || tbl_name end as line
    from sqlite_master
    where type in ('view', 'trigger')",
];

/// Without the tables, views and functions that an extension brought along, and what belongs to those tables.
const POSTGRES_SHAPE: &[&str] = &[
    "select 'column ' || t.relname || '.' || a.attname
        || case format_type(a.atttypid, a.atttypmod) when 'bigint' then ' int' when 'bytea' then ' bytes'
            else ' ' || format_type(a.atttypid, a.atttypmod) end
        || case when a.attnotnull then ' required' else '' end as line
    from pg_attribute a join pg_class t on t.oid = a.attrelid
    where t.relnamespace = current_schema()::regnamespace and t.relkind in ('r', 'p', 'f')
        and a.attnum > 0 and not a.attisdropped
        and not exists (select 1 from pg_depend d where d.objid = t.oid and d.deptype = 'e')",
    "select case c.contype when 'p' then 'primary key of ' else 'unique in ' end || t.relname || ': ' || (
            select string_agg(a.attname, ', ' order by k.at)
            from unnest(c.conkey) with ordinality k (num, at)
            join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num
        ) as line
    from pg_constraint c join pg_class t on t.oid = c.conrelid
    where c.contype in ('p', 'u') and c.connamespace = current_schema()::regnamespace
        and not exists (select 1 from pg_depend d where d.objid = t.oid and d.deptype = 'e')",
    "select 'index ' || i.relname || ' on ' || t.relname || ': ' || (
            select string_agg(a.attname, ', ' order by k.at)
            from unnest(x.indkey::smallint[]) with ordinality k (num, at)
            join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.num
        ) as line
    from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
    where i.relnamespace = current_schema()::regnamespace and x.indisvalid
        and not exists (select 1 from pg_constraint c where c.conindid = x.indexrelid and c.contype in ('p', 'u'))
        and not exists (select 1 from pg_depend d where d.objid = t.oid and d.deptype = 'e')",
    "select 'reference from ' || t.relname || ' to ' || p.relname || ': ' || (
            select string_agg(a.attname, ', ' order by k.at)
            from unnest(c.conkey) with ordinality k (num, at)
            join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num
        ) || case c.confdeltype when 'c' then ' cascade' when 'a' then ' no action' when 'n' then ' set null'
            when 'r' then ' restrict' else ' set default' end as line
    from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_class p on p.oid = c.confrelid
    where c.contype = 'f' and c.convalidated and c.connamespace = current_schema()::regnamespace
        and not exists (select 1 from pg_depend d where d.objid = t.oid and d.deptype = 'e')",
    "select 'trigger ' || g.tgname || ' on ' || t.relname as line
    from pg_trigger g join pg_class t on t.oid = g.tgrelid
    where t.relnamespace = current_schema()::regnamespace and not g.tgisinternal
        and not exists (select 1 from pg_depend d where d.objid = t.oid and d.deptype = 'e')",
    "select 'rule ' || r.rulename || ' on ' || t.relname as line
    from pg_rewrite r join pg_class t on t.oid = r.ev_class
    where t.relnamespace = current_schema()::regnamespace and t.relkind in ('r', 'p')
        and not exists (select 1 from pg_depend d where d.objid = t.oid and d.deptype = 'e')",
    "select 'policy ' || p.polname || ' on ' || t.relname as line
    from pg_policy p join pg_class t on t.oid = p.polrelid
    where t.relnamespace = current_schema()::regnamespace
        and not exists (select 1 from pg_depend d where d.objid = t.oid and d.deptype = 'e')
    union all
    select 'row security on ' || t.relname
    from pg_class t
    where t.relnamespace = current_schema()::regnamespace and t.relrowsecurity
        and not exists (select 1 from pg_depend d where d.objid = t.oid and d.deptype = 'e')",
    "select 'view ' || v.relname as line
    from pg_class v
    where v.relnamespace = current_schema()::regnamespace and v.relkind in ('v', 'm')
        and not exists (select 1 from pg_depend d where d.objid = v.oid and d.deptype = 'e')
    union all
    select 'function ' || p.proname
    from pg_proc p
    where p.pronamespace = current_schema()::regnamespace
        and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')",
];

const SQLITE: &str = "
    select m.name as table_name, c.name as column_name, c.type as type, c.\"notnull\" as required
    from sqlite_master m
    join pragma_table_info(m.name) c
    where m.type = 'table' and m.name not like 'sqlite_%'";

const POSTGRES: &str = "
    select cast(table_name as text) as table_name, cast(column_name as text) as column_name,
        cast(data_type as text) as type,
        cast(case is_nullable when 'NO' then 1 else 0 end as bigint) as required
    from information_schema.columns
    where table_schema = current_schema()";
