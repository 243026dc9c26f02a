//! Brings a database up to date, in order, each migration in a transaction of its own (migrations/README.md).

use keyward_wire::Sha256;
use sqlx::Executor as _;

use super::engine::{Inner, Tx, args, on, statements};
use super::{Store, StoreError};

/// Applies the migrations that are missing. A database of a newer keyward is refused.
pub(super) async fn migrate(store: &Store) -> Result<(), StoreError> {
    for (at, migration) in MIGRATIONS.iter().enumerate() {
        let version = i64::try_from(at).expect("a handful") + 1;
        let mut tx = store.begin().await?;
        prepare(&mut tx).await?;
        let sql = match &tx.inner {
            Inner::Sqlite(_) => migration.sqlite,
            Inner::Postgres(_) => migration.postgres,
        };
        let sha256 = Sha256::of(sql.as_bytes());
        let applied = applied(&mut tx).await?;
        refuse_newer(&applied)?;
        match applied.iter().find(|(known, _)| *known == version) {
            Some((_, stored)) if *stored == sha256 => {}
            Some(_) => return Err(StoreError::ForeignSchema { version }),
            None => {
                on!(tx, connection => { connection.execute(sqlx::raw_sql(sql)).await?; });
                let now = tx.now().await?;
                tx.execute_one(INSERT, args![version, migration.name, sha256, now]).await?;
            }
        }
        tx.commit().await?;
    }
    Ok(())
}

/// Whether exactly this program's migrations are applied.
pub(super) async fn is_current(tx: &mut Tx) -> Result<bool, StoreError> {
    let row = tx.one(COUNT, args![]).await?;
    Ok(row.size("applied")? == MIGRATIONS.len() && row.int("newest")? == known())
}

/// How the applied migrations differ from this program's, in words. A database without any migration is not keyward's.
pub(super) async fn difference(tx: &mut Tx) -> Result<Option<String>, StoreError> {
    let sql = match &tx.inner {
        Inner::Sqlite(_) => SQLITE_IS_THERE,
        Inner::Postgres(_) => POSTGRES_IS_THERE,
    };
    if tx.one(sql, args![]).await?.int("tables")? == 0 {
        return Ok(Some("it is not a database of keyward-server's".to_owned()));
    }
    let applied = applied(tx).await?;
    if let Err(newer) = refuse_newer(&applied) {
        return Ok(Some(newer.to_string()));
    }
    let known: Vec<_> = own(tx).collect();
    if let Some((version, _)) = applied.iter().find(|applied| !known.contains(applied)) {
        return Ok(Some(StoreError::ForeignSchema { version: *version }.to_string()));
    }
    let behind = applied.len() < known.len();
    Ok(behind.then(|| {
        format!(
            "it has schema version {}, this program knows {}: run keyward-server migrate first",
            applied.len(),
            known.len()
        )
    }))
}

/// Version and hash of this program's migrations.
fn own(tx: &Tx) -> impl Iterator<Item = (i64, Sha256)> + use<> {
    let sqlite = matches!(&tx.inner, Inner::Sqlite(_));
    let hash = move |migration: &Migration| {
        Sha256::of(if sqlite { migration.sqlite } else { migration.postgres }.as_bytes())
    };
    (1..).zip(MIGRATIONS.iter().map(hash))
}

struct Migration {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "init",
        sqlite: include_str!("../../../migrations/sqlite/0001_init.sql"),
        postgres: include_str!("../../../migrations/postgres/0001_init.sql"),
    },
    Migration {
        name: "networks",
        sqlite: include_str!("../../../migrations/sqlite/0002_networks.sql"),
        postgres: include_str!("../../../migrations/postgres/0002_networks.sql"),
    },
    Migration {
        name: "agents",
        sqlite: include_str!("../../../migrations/sqlite/0003_agents.sql"),
        postgres: include_str!("../../../migrations/postgres/0003_agents.sql"),
    },
];

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("a handful")
}

fn refuse_newer(applied: &[(i64, Sha256)]) -> Result<(), StoreError> {
    match applied.iter().map(|(version, _)| *version).max() {
        Some(found) if found > known() => Err(StoreError::NewerSchema { found, known: known() }),
        _ => Ok(()),
    }
}

async fn applied(tx: &mut Tx) -> Result<Vec<(i64, Sha256)>, StoreError> {
    let rows = tx.all(APPLIED, args![]).await?;
    rows.iter().map(|row| Ok((row.int("version")?, row.sha256("sha256")?))).collect()
}

/// Waits for another server that is migrating, then makes the table of migrations.
async fn prepare(tx: &mut Tx) -> Result<(), StoreError> {
    let sql = match &mut tx.inner {
        Inner::Sqlite(_) => SQLITE_TABLE,
        Inner::Postgres(transaction) => {
            transaction.execute("select pg_advisory_xact_lock(7742093311520841)").await?;
            POSTGRES_TABLE
        }
    };
    on!(tx, connection => { connection.execute(sqlx::raw_sql(sql)).await?; });
    Ok(())
}

const SQLITE_TABLE: &str = "
    create table if not exists schema_migrations (
        version integer not null primary key, -- from 1, immutable
        name text not null, -- of the file, immutable
        sha256 blob not null, -- hash of the file's text, immutable
        applied_at integer not null -- time in milliseconds UTC, immutable
    ) strict";

const POSTGRES_TABLE: &str = "
    create table if not exists schema_migrations (
        version bigint not null primary key, -- from 1, immutable
        name text not null, -- of the file, immutable
        sha256 bytea not null, -- hash of the file's text, immutable
        applied_at bigint not null -- time in milliseconds UTC, immutable
    )";

const SQLITE_IS_THERE: &str =
    "select count(*) as tables from sqlite_master where type = 'table' and name = 'schema_migrations'";

const POSTGRES_IS_THERE: &str = "
    select count(*) as tables
    from information_schema.tables
    where table_schema = current_schema() and table_name = 'schema_migrations'";

statements! {
    APPLIED = "select version, sha256 from schema_migrations order by version";
    COUNT = "select count(*) as applied, cast(coalesce(max(version), 0) as bigint) as newest from schema_migrations";
    INSERT = "
        insert into schema_migrations (version, name, sha256, applied_at)
        values ($1, $2, $3, $4)";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ClockOffset;

    async fn opened_after(change: &'static str) -> Result<Store, StoreError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        let store = Store::open_sqlite(&file, ClockOffset::default()).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        tx.execute(change, args![]).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        Store::open_sqlite(&file, ClockOffset::default()).await
    }

    #[tokio::test]
    async fn a_database_opens_again() {
        assert!(opened_after("update schema_migrations set name = name").await.is_ok());
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused_with_a_clear_word() {
        let newer = "insert into schema_migrations (version, name, sha256, applied_at) values (99, 'x', zeroblob(32), 1)";
        let Err(error) = opened_after(newer).await else { panic!("a newer schema was taken") };
        assert!(matches!(error, StoreError::NewerSchema { found: 99, known: 3 }));
        assert!(error.to_string().contains("newer keyward-server"));
    }

    #[tokio::test]
    async fn a_migration_that_was_applied_in_another_form_is_refused() {
        let other = opened_after("update schema_migrations set sha256 = zeroblob(32)").await;
        assert!(matches!(other, Err(StoreError::ForeignSchema { version: 1 })));
    }
}
