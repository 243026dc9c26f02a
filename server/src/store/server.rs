//! The server's own row.

use super::StoreError;
use super::engine::{Inner, Tx, args, statements};

impl Tx {
    /// The 32 bytes behind the stable answers for unknown e-mail addresses. On a new database, `fresh` becomes those bytes.
    pub async fn prelogin_secret(&mut self, fresh: &[u8; 32]) -> Result<[u8; 32], StoreError> {
        let now = self.now().await?;
        self.execute(INSERT, args![fresh.as_slice(), now]).await?;
        self.one(SECRET, args![]).await?.array("prelogin_secret")
    }

    /// Locks sign-up until the transaction ends, waiting for another sign-up that is under way.
    pub async fn lock_signup(&mut self) -> Result<(), StoreError> {
        let sql = match &self.inner {
            Inner::Sqlite(_) => SECRET,
            Inner::Postgres(_) => "select prelogin_secret from server where id = 1 for update",
        };
        self.one(sql, args![]).await?;
        Ok(())
    }

    /// Whether the database has any organisation.
    pub async fn has_org(&mut self) -> Result<bool, StoreError> {
        Ok(self.optional(ANY_ORG, args![]).await?.is_some())
    }

    /// Counts a log-in that named no known credential. Its refusal must cost as much as one of a known credential, which is
    /// written to an audit chain: otherwise the time taken tells which e-mail addresses exist.
    pub async fn count_unknown_login(&mut self) -> Result<(), StoreError> {
        self.execute_one(COUNT, args![]).await
    }
}

statements! {
    INSERT = "
        insert into server (id, prelogin_secret, unknown_logins, created_at)
        values (1, $1, 0, $2)
        on conflict (id) do nothing";
    SECRET = "select prelogin_secret from server where id = 1";
    ANY_ORG = "select id from orgs limit 1";
    COUNT = "update server set unknown_logins = unknown_logins + 1 where id = 1";
}
