//! The server's own row.

use super::StoreError;
use super::engine::{Inner, Tx, args, statements};

impl Tx {
    /// The 32 bytes behind the stable answers for unknown e-mails. `fresh` becomes them on a new database.
    pub async fn prelogin_secret(&mut self, fresh: &[u8; 32]) -> Result<[u8; 32], StoreError> {
        let now = self.now().await?;
        self.execute(INSERT, args![fresh.as_slice(), now]).await?;
        self.one(SECRET, args![]).await?.array("prelogin_secret")
    }

    /// Waits until no other sign-up is under way. Until the transaction ends.
    pub async fn lock_signup(&mut self) -> Result<(), StoreError> {
        let sql = match &self.inner {
            Inner::Sqlite(_) => SECRET,
            Inner::Postgres(_) => "select prelogin_secret from server where id = 1 for update",
        };
        self.one(sql, args![]).await?;
        Ok(())
    }

    /// Whether any organisation lives here.
    pub async fn has_org(&mut self) -> Result<bool, StoreError> {
        Ok(self.optional(ANY_ORG, args![]).await?.is_some())
    }

    /// Counts a log-in that named no credential. A refusal must cost as much for these as for known ones, which are
    /// written to an audit chain: else its time tells which e-mails exist.
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
