//! Removes superseded envelopes from SQLite's files (CRYPTO.md §2.12 S5).
//!
//! A page is written to the log, `-wal`, first, and to the file itself at a checkpoint. Until then the file has the old page, and
//! the log may hold any number of older ones. A checkpoint that truncates the log leaves one copy of each page: the newest, in
//! which `secure_delete` has put zeros in the place of what was deleted.

use sqlx::{Row as _, SqlitePool};

use super::{Pool, Store};

/// Moves the log into the file and empties it. PostgreSQL cleans up by itself, in its own time.
///
/// This is best effort: while another process reads the file, such as a backup, the old pages stay until the next time.
pub(super) async fn wipe(store: &Store) {
    let Pool::Sqlite(pool) = &store.pool else { return };
    let pool = pool.clone();
    // A task of its own: a client that goes away does not stop it.
    let done = tokio::spawn(async move { checkpoint(&pool).await }).await;
    if !matches!(done, Ok(Ok(true))) {
        tracing::warn!("superseded envelopes are in the database's files until the next write");
    }
}

/// Checkpoints, and returns whether the log is empty.
async fn checkpoint(pool: &SqlitePool) -> Result<bool, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    // Readers are not waited for: every request would wait with this.
    sqlx::query("pragma busy_timeout = 0").execute(&mut *connection).await?;
    let done = sqlx::query("pragma wal_checkpoint(truncate)").fetch_one(&mut *connection).await;
    sqlx::query("pragma busy_timeout = 10000").execute(&mut *connection).await?;
    done?.try_get::<i64, _>("busy").map(|busy| busy == 0)
}
