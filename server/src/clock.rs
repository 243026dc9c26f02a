//! Compares the server's clock with that of its PostgreSQL, by which everything ends and everything is recorded: a database whose
//! clock is wrong is noticed by nobody else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::store::{Store, StoreError};

/// Warns at the start, and each minute, while the clocks differ; for as long as the server runs.
pub(crate) async fn keep_comparing(store: Store) {
    if store.has_one_writer() {
        // SQLite has the server's own clock.
        return;
    }
    let mut minutes = tokio::time::interval(Duration::from_mins(1));
    minutes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        minutes.tick().await;
        match ahead_ms(&store).await {
            Ok(ahead) if ahead.unsigned_abs() > TOLERATED_MS => {
                let seconds = ahead / 1000;
                tracing::warn!(
                    seconds,
                    "the database's clock is ahead of this machine's by so much, behind if negative: what ends, and the audit, go by \
                     the database's. Run NTP on both"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(cause = error.cause(), "the database's clock could not be asked"),
        }
    }
}

/// By how many milliseconds the database's clock is ahead of this machine's, to half the time that asking takes.
async fn ahead_ms(store: &Store) -> Result<i64, StoreError> {
    let mut tx = store.snapshot().await?;
    let before = now_ms();
    let database = tx.now().await?;
    let after = now_ms();
    tx.rollback().await?;
    Ok(database - i64::midpoint(before, after))
}

#[expect(clippy::disallowed_methods, reason = "what is compared is this machine's own clock")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Clocks that are set by anything at all differ by less.
const TOLERATED_MS: u64 = 30_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestServer;

    #[tokio::test]
    async fn a_database_whose_clock_is_wrong_is_noticed() {
        let server = TestServer::start().await;
        let store = server.app.store();
        assert!(ahead_ms(store).await.unwrap().unsigned_abs() < 5_000);
        server.clock.advance(60_000);
        assert!((55_000..65_000).contains(&ahead_ms(store).await.unwrap()));
        server.clock.advance(-120_000);
        assert!((-65_000..-55_000).contains(&ahead_ms(store).await.unwrap()));
    }
}
