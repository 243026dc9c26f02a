//! The schema as the database tells it, so that a test can compare the two engines.

use super::engine::Inner;
use super::{Store, StoreError};

/// A column, by what both engines can say about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// `int`, `bytes` or `text`.
    pub holds: String,
    /// It is never null.
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
