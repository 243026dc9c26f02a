//! Retention: rows that have ended are deleted after a while, so that no table grows for ever except the audit's, whose purpose
//! that is.
//!
//! | rows | go |
//! |---|---|
//! | sessions | when they have ended |
//! | devices' and links' credentials | 30 days after their end: until then a refusal names whose it was |
//! | networks of sign-ins | 180 days after the last one |
//! | which keys a replaced build of a view listed | two builds later, by the write, unless the audit names that build |
//!
//! What a write supersedes is deleted by that write (CRYPTO.md §2.12 S5). Deleting ended rows opens and closes nothing, so the
//! audit does not mention it.

use std::time::Duration;

use crate::app::App;
use crate::store::{StoreError, Swept};

/// Sweeps once an hour, for as long as the server runs. Each of several servers over one database does so; one would be enough.
pub(crate) async fn keep_sweeping(app: App) {
    // Not at the start itself, which has enough to do, but soon: some servers are often restarted.
    let first = tokio::time::Instant::now() + Duration::from_mins(1);
    let mut hours = tokio::time::interval_at(first, Duration::from_hours(1));
    hours.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        hours.tick().await;
        match sweep(&app).await {
            Ok(Swept { sessions, credentials, networks }) => {
                tracing::debug!(sessions, credentials, networks, "swept");
            }
            Err(error) => tracing::warn!(cause = error.cause(), "what has ended could not be deleted"),
        }
    }
}

/// Deletes the rows whose time is over, by the database's clock.
pub(crate) async fn sweep(app: &App) -> Result<Swept, StoreError> {
    let mut all = Swept::default();
    loop {
        let mut tx = app.store().begin().await?;
        let now = tx.now().await?;
        let swept = tx.sweep(now, now - CREDENTIALS_MS, now - NETWORKS_MS).await?;
        let has_org = tx.has_org().await?;
        tx.commit().await?;
        if has_org {
            // The setup code may have been used at another server over the same database.
            app.setup_code_is_used();
        }
        all.sessions += swept.sessions;
        all.credentials += swept.credentials;
        all.networks += swept.networks;
        if !swept.is_full() {
            return Ok(all);
        }
    }
}

const DAY_MS: i64 = 24 * 3_600_000;
const CREDENTIALS_MS: i64 = 30 * DAY_MS;
const NETWORKS_MS: i64 = 180 * DAY_MS;

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use keyward_wire::api::credentials::{CredentialKind, CredentialsAnswer};

    use super::*;
    use crate::testing::{TestServer, login_request};

    async fn kinds(server: &TestServer, session: &str) -> Vec<CredentialKind> {
        let answer: CredentialsAnswer = server.get(session, "/v1/credentials").await.json();
        let mut kinds: Vec<_> = answer.credentials.iter().map(|credential| credential.kind).collect();
        kinds.sort_by_key(|kind| kind.as_str());
        kinds
    }

    #[tokio::test]
    async fn what_has_ended_goes_after_a_while_and_nothing_else_does() {
        use CredentialKind::{Device, Password, Recovery};
        let server = TestServer::start().await;
        let owner = server.owner("alice@example.com").await;
        assert_eq!(sweep(&server.app).await.unwrap(), Swept::default());
        assert_eq!(server.get(&owner.session, "/v1/me").await.status, StatusCode::OK);

        server.clock.advance(15 * 60_000);
        let swept = sweep(&server.app).await.unwrap();
        assert_eq!(swept, Swept { sessions: 1, ..Swept::default() });
        assert_eq!(sweep(&server.app).await.unwrap(), Swept::default());

        // The device ends after 12 hours, and stays for 30 days.
        server.clock.advance(30 * DAY_MS);
        let session = server.login(owner.credential(Password)).await;
        assert_eq!(sweep(&server.app).await.unwrap(), Swept::default());
        assert_eq!(kinds(&server, &session).await, [Device, Password, Recovery]);
        server.clock.advance(DAY_MS / 2);
        let swept = sweep(&server.app).await.unwrap();
        assert_eq!(swept, Swept { sessions: 1, credentials: 1, networks: 0 });
        let session = server.login(owner.credential(Password)).await;
        assert_eq!(kinds(&server, &session).await, [Password, Recovery]);

        // From the same network all the time: it stays. Half a year later it goes.
        server.clock.advance(180 * DAY_MS);
        let swept = sweep(&server.app).await.unwrap();
        assert_eq!(swept, Swept { sessions: 1, credentials: 0, networks: 1 });
        let wrong = login_request(owner.credential(Device), 1);
        assert_eq!(server.post("", "/v1/auth/login", &wrong).await.status, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn more_than_one_transaction_deletes_is_deleted_by_several() {
        let server = TestServer::start().await;
        let owner = server.owner("alice@example.com").await;
        let mut tx = server.app.store().begin().await.unwrap();
        let now = tx.now().await.unwrap();
        for n in 0..1200_u64 {
            let mut token = [0; 32];
            token[..8].copy_from_slice(&n.to_be_bytes());
            tx.insert_session(&crate::store::NewSession {
                token_sha256: keyward_wire::Sha256::from_bytes(token),
                org: owner.signup.org,
                identity: owner.signup.identity,
                credential: owner.credential(CredentialKind::Password),
                created_at: now,
                expires_at: now + 1000,
            })
            .await
            .unwrap();
        }
        tx.commit().await.unwrap();
        server.clock.advance(1000);
        assert_eq!(sweep(&server.app).await.unwrap().sessions, 1200);
    }
}
