//! Copies everything from one database into another, of either engine: a backup is a SQLite file with the same tables, and a
//! restore copies its rows (docs/OPERATING.md).
//!
//! Tables and columns are those of this program's own schema, so those of a later migration are copied without a change here.
//! Sessions stay behind: whoever was signed in signs in again.

use keyward_wire::Sha256;
use sqlx::{AssertSqlSafe, Row as _};

use super::engine::{Arg, Row, Tx, args, bind, on, statements};
use super::{Store, StoreError};

/// What a backup says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manifest {
    /// When the backup was made, in milliseconds UTC of the clock of the database that it is of.
    pub made_at: i64,
    /// How many rows the backup has.
    pub rows: u64,
    /// `h_n = SHA-256(h_(n-1) ‖ row)` over all rows, from 32 zero bytes.
    pub sha256: Sha256,
}

/// A table of this program's schema.
struct Table {
    name: String,
    columns: Vec<Column>,
}

struct Column {
    name: String,
    holds: Holds,
    /// The column's place in the primary key, from 1; 0 if it is not part of the key.
    key: i64,
}

#[derive(Clone, Copy)]
enum Holds {
    Int,
    Bytes,
    Text,
}

impl Tx {
    /// Copies every row of `from`; the tables must be empty here. Counts them and hashes them in the order of `from`.
    pub async fn copy_from(&mut self, from: &mut Self) -> Result<Manifest, StoreError> {
        let mut manifest =
            Manifest { made_at: from.now().await?, rows: 0, sha256: Sha256::from_bytes([0; 32]) };
        for table in tables().await? {
            let (mut last, page) = (None, table.page());
            loop {
                let rows = from.page(&table, last.as_deref(), page).await?;
                for row in &rows {
                    manifest.sha256 = Sha256::of_parts(&[manifest.sha256.as_bytes(), &encoded(&table, row)]);
                }
                manifest.rows += rows.len() as u64;
                let is_last = rows.len() < page;
                last = rows.last().cloned();
                self.put(&table, rows).await?;
                if is_last {
                    break;
                }
            }
        }
        Ok(manifest)
    }

    /// Hashes every row, as [`Tx::copy_from`] does.
    pub async fn hashed(&mut self) -> Result<(u64, Sha256), StoreError> {
        let (mut count, mut sha256) = (0, Sha256::from_bytes([0; 32]));
        for table in tables().await? {
            let (mut last, page) = (None, table.page());
            loop {
                let rows = self.page(&table, last.as_deref(), page).await?;
                for row in &rows {
                    sha256 = Sha256::of_parts(&[sha256.as_bytes(), &encoded(&table, row)]);
                }
                count += rows.len() as u64;
                if rows.len() < page {
                    break;
                }
                last = rows.last().cloned();
            }
        }
        Ok((count, sha256))
    }

    /// Notes in a fresh SQLite file that it is a backup.
    pub async fn write_manifest(&mut self, manifest: &Manifest) -> Result<(), StoreError> {
        for sql in [CREATE_MANIFEST, "pragma application_id = 1264009793"] {
            self.execute(sql, args![]).await?;
        }
        let rows = i64::try_from(manifest.rows).map_err(|_| StoreError::TooLarge)?;
        self.execute_one(INSERT_MANIFEST, args![FORMAT, manifest.made_at, rows, manifest.sha256]).await
    }

    /// What the SQLite file says about itself, if it is a backup of the form that this program writes.
    pub async fn manifest(&mut self) -> Result<Option<Manifest>, StoreError> {
        if self.one("pragma application_id", args![]).await?.int("application_id")? != APPLICATION {
            return Ok(None);
        }
        let Some(row) = self.optional(MANIFEST, args![]).await? else { return Ok(None) };
        if row.int("format")? != FORMAT {
            return Ok(None);
        }
        let (made_at, rows) = (row.int("made_at")?, row.count("rows")?);
        // Only years that can be printed.
        if !(0..YEAR_10000).contains(&made_at) {
            return Err(StoreError::Inconsistent { column: "made_at" });
        }
        Ok(Some(Manifest { made_at, rows, sha256: row.sha256("sha256")? }))
    }

    /// Deletes the server's own row, to make room for that of a backup.
    pub async fn forget_server(&mut self) -> Result<(), StoreError> {
        self.execute_one(FORGET_SERVER, args![]).await
    }

    async fn page(
        &mut self,
        table: &Table,
        after: Option<&[Arg]>,
        page: usize,
    ) -> Result<Vec<Vec<Arg>>, StoreError> {
        let key = table.key();
        let names = key.iter().map(|at| table.columns[*at].name.as_str()).collect::<Vec<_>>().join(", ");
        let places = numbered(1, key.len());
        let beyond = if after.is_some() { format!(" where ({names}) > ({places})") } else { String::new() };
        let (columns, name) = (table.names(), &table.name);
        let sql = format!("select {columns} from {name}{beyond} order by {names} limit {page}");
        let args = after.map_or_else(Vec::new, |row| key.iter().map(|at| row[*at].clone()).collect());
        let rows: Vec<Row> = on!(self, connection => {
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for arg in args {
                query = bind!(query, arg);
            }
            query.fetch_all(connection).await?.into_iter().map(Row::from).collect()
        });
        rows.iter().map(|row| table.read(row)).collect()
    }

    async fn put(&mut self, table: &Table, rows: Vec<Vec<Arg>>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (width, count) = (table.columns.len(), rows.len());
        let places: Vec<_> = (0..count).map(|n| format!("({})", numbered(n * width + 1, width))).collect();
        let sql = format!("insert into {} ({}) values {}", table.name, table.names(), places.join(", "));
        let done = on!(self, connection => {
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for arg in rows.into_iter().flatten() {
                query = bind!(query, arg);
            }
            query.execute(connection).await?.rows_affected()
        });
        if done == count as u64 { Ok(()) } else { Err(StoreError::WrongCount { rows: done }) }
    }
}

impl Table {
    /// How many rows are copied at once: envelopes of ORG and views may have 8 MiB each, everything else is small.
    fn page(&self) -> usize {
        if matches!(self.name.as_str(), "org_states" | "views") { 1 } else { 100 }
    }

    fn names(&self) -> String {
        self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The columns of the primary key, in its order.
    fn key(&self) -> Vec<usize> {
        let mut key: Vec<usize> = (0..self.columns.len()).filter(|at| self.columns[*at].key > 0).collect();
        key.sort_by_key(|at| self.columns[*at].key);
        key
    }

    fn read(&self, row: &Row) -> Result<Vec<Arg>, StoreError> {
        macro_rules! get {
            ($at:expr) => {
                match row {
                    Row::Sqlite(row) => row.try_get($at),
                    Row::Postgres(row) => row.try_get($at),
                }
                .map_err(|_| StoreError::Inconsistent { column: "of another type" })?
            };
        }
        let mut values = Vec::with_capacity(self.columns.len());
        for (at, column) in self.columns.iter().enumerate() {
            values.push(match column.holds {
                Holds::Int => Arg::Int(get!(at)),
                Holds::Bytes => Arg::Bytes(get!(at)),
                Holds::Text => Arg::Text(get!(at)),
            });
        }
        Ok(values)
    }
}

/// `$first, …`
fn numbered(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// The table's name, then each value: its kind, its length, its bytes.
fn encoded(table: &Table, row: &[Arg]) -> Vec<u8> {
    let mut bytes = table.name.clone().into_bytes();
    for value in row {
        let (kind, value): (u8, &[u8]) = match value {
            Arg::Int(Some(number)) => (1, &number.to_be_bytes()),
            Arg::Bytes(Some(value)) => (2, value),
            Arg::Text(Some(value)) => (3, value.as_bytes()),
            Arg::Int(None) | Arg::Bytes(None) | Arg::Text(None) => (0, &[]),
        };
        bytes.push(kind);
        bytes.extend((value.len() as u64).to_be_bytes());
        bytes.extend(value);
    }
    bytes
}

/// The tables that are copied, parents before children: in the order in which the migrations make them.
async fn tables() -> Result<Vec<Table>, StoreError> {
    let store = Store::in_memory().await?;
    let mut tx = store.begin().await?;
    let mut tables: Vec<Table> = Vec::new();
    for row in tx.all(COLUMNS, args![]).await? {
        let name = row.text("table_name")?;
        if STAY_BEHIND.contains(&name.as_str()) {
            continue;
        }
        let holds = match row.text("type")?.to_ascii_lowercase().as_str() {
            "integer" => Holds::Int,
            "blob" => Holds::Bytes,
            _ => Holds::Text,
        };
        let column = Column { name: row.text("column_name")?, holds, key: row.int("key")? };
        match tables.last_mut() {
            Some(table) if table.name == name => table.columns.push(column),
            _ => tables.push(Table { name, columns: vec![column] }),
        }
    }
    tx.rollback().await?;
    store.close().await;
    Ok(tables)
}

/// The tables that stay behind: the target has migrations of its own, and nobody stays signed in.
const STAY_BEHIND: [&str; 2] = ["schema_migrations", "sessions"];

/// `KWBA`: what `file` and SQLite call the application that a file belongs to.
const APPLICATION: i64 = 0x4b57_4241;

/// The version of the manifest, and of what it describes.
const FORMAT: i64 = 1;

/// The first moment that RFC 3339 cannot express, in milliseconds UTC.
const YEAR_10000: i64 = 253_402_300_800_000;

const COLUMNS: &str = "
    select m.name as table_name, c.name as column_name, c.type as type, c.pk as key
    from sqlite_master m
    join pragma_table_info(m.name) c
    where m.type = 'table' and m.name not like 'sqlite_%'
    order by m.rowid, c.cid";

const CREATE_MANIFEST: &str = "
    create table backup_manifest (
        format integer not null, -- of this table and of what it is about
        made_at integer not null, -- time in milliseconds UTC
        rows integer not null, -- in all tables that were copied
        sha256 blob not null -- over all of them
    ) strict";

const INSERT_MANIFEST: &str =
    "insert into backup_manifest (format, made_at, rows, sha256) values ($1, $2, $3, $4)";

const MANIFEST: &str = "select format, made_at, rows, sha256 from backup_manifest";

statements! {
    FORGET_SERVER = "delete from server where id = 1";
}
