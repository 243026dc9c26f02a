//! Deletes rows whose time is over, a bounded number at a time.

use super::StoreError;
use super::engine::{Inner, Tx, args, statements};

/// How many rows were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions that had ended.
    pub sessions: u64,
    /// Credentials that had ended.
    pub credentials: u64,
    /// Networks from which nobody has signed in for long.
    pub networks: u64,
}

impl Tx {
    /// Deletes sessions that ended before `now`, devices and links that ended before `credentials_before`, and networks last seen
    /// before `networks_before`: a bounded number of each. Rows that another transaction has locked stay for the next time: a
    /// sign-in that deletes networks in another order would otherwise deadlock with this, and one of the two be refused.
    pub async fn sweep(
        &mut self,
        now: i64,
        credentials_before: i64,
        networks_before: i64,
    ) -> Result<Swept, StoreError> {
        let [sessions, credentials, networks] = match &self.inner {
            // SQLite has one writer at a time.
            Inner::Sqlite(_) => [SESSIONS, CREDENTIALS, NETWORKS],
            Inner::Postgres(_) => UNLOCKED,
        };
        let sessions = self.execute(sessions, args![now]).await?;
        let credentials = self.execute(credentials, args![credentials_before]).await?;
        self.supersedes |= credentials > 0;
        let networks = self.execute(networks, args![networks_before]).await?;
        Ok(Swept { sessions, credentials, networks })
    }
}

impl Swept {
    /// Whether there may be more rows to delete.
    pub fn is_full(&self) -> bool {
        [self.sessions, self.credentials, self.networks].iter().any(|deleted| *deleted >= BATCH)
    }
}

/// The most rows of each kind that one transaction deletes: others wait for it.
const BATCH: u64 = 500;

statements! {
    SESSIONS = "
        delete from sessions
        where token_sha256 in (select token_sha256 from sessions where expires_at <= $1 limit 500)";
    CREDENTIALS = "
        delete from credentials
        where id in (
            select id from credentials where not_after <= $1 and kind in ('device', 'link') limit 500
        )";
    NETWORKS = "
        delete from networks
        where (org_id, identity_id, network) in (
            select org_id, identity_id, network from networks where seen_at <= $1 limit 500
        )";
}

/// The same deletions, without waiting for rows that are locked; this includes sessions, which are deleted with their credential.
/// The rows are chosen once, whatever the query plan.
const UNLOCKED: [&str; 3] = [
    "with ended as materialized (
        select token_sha256 from sessions where expires_at <= $1 limit 500 for update skip locked
     )
     delete from sessions using ended where sessions.token_sha256 = ended.token_sha256",
    "with ended as materialized (
        select id from credentials
        where not_after <= $1 and kind in ('device', 'link')
            and not exists (select 1 from sessions where sessions.credential_id = credentials.id)
        limit 500 for update skip locked
     )
     delete from credentials using ended where credentials.id = ended.id",
    "with ended as materialized (
        select org_id, identity_id, network from networks
        where seen_at <= $1
        limit 500 for update skip locked
     )
     delete from networks using ended
     where networks.org_id = ended.org_id and networks.identity_id = ended.identity_id
        and networks.network = ended.network",
];
