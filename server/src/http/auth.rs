//! Signing in and out (CRYPTO.md §2.13 F2, F4).

use std::time::Instant;

use keyward_wire::CredentialId;
use keyward_wire::api::IdentityKind;
use keyward_wire::api::auth::{LoginAnswer, LoginRequest, MeAnswer, PreloginAnswer};
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::error::ErrorBody;
use keyward_wire::name::Email;
use serde::Deserialize;

use super::credentials::drop_own;
use super::dispatch::refuse_login;
use super::{Answer, Call, Failure, Work, answer};
use crate::access::Action;
use crate::audit::{self, Event, Origin};
use crate::auth::{self, Claim, Proof, Proved, Verdict};
use crate::metrics::Refused;
use crate::store::Tx;

/// Whose password credential.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PreloginQuery {
    /// E-mail address; blanks around it and the case of A to Z do not matter.
    email: String,
}

/// What a client needs to derive a password's keys. An unknown address gets a stable answer of the same shape.
#[utoipa::path(get, path = "/v1/auth/prelogin", operation_id = "prelogin", tag = "auth", params(PreloginQuery), responses(
    (status = 200, description = "Credential, suite and salt", body = PreloginAnswer),
))]
pub(super) async fn prelogin(call: Call) -> Answer {
    let query: PreloginQuery = call.query()?;
    let not_an_email = |_| Failure::invalid("Not an e-mail address.", "email");
    let email: Email = query.email.parse().map_err(not_an_email)?;
    let (app, start) = (&call.server.app, Instant::now());
    let mut tx = app.store().begin().await?;
    let answer = auth::prelogin(&mut tx, app.prelogin_secret(), &email).await?;
    tx.rollback().await?;
    auth::prelogin_step(start).await;
    Ok(answer::ok(&answer))
}

/// Exchanges a credential's proof for a session.
#[utoipa::path(post, path = "/v1/auth/login", operation_id = "log_in", tag = "auth", request_body = LoginRequest, responses(
    (status = 200, description = "A session, with CRED", body = LoginAnswer),
    (status = 401, description = "Unknown, wrong, expired or revoked: not told apart", body = ErrorBody),
    (status = 429, description = "Too many refused log-ins from this network, or of this credential from networks that its holder never used", body = ErrorBody),
))]
pub(super) async fn login(call: Call) -> Answer {
    let request: LoginRequest = call.json()?;
    let (throttle, metrics) = (call.server.app.throttle(), call.server.app.metrics());
    auth::refused_in_step(async {
        // Others behind the same address may guess: whoever shows a right token or device does not wait for them.
        if let Some(wait) = throttle.wait(call.ip, Instant::now())
            && !is_of_machine(&call, &request).await?
        {
            metrics.refused(Refused::Network);
            return Err(Failure::TooMany { wait });
        }
        let mut tx = call.server.app.store().begin().await?;
        let verdict = auth::prove(&mut tx, request.cred, &request.auth, EVERY_KIND).await?;
        let guessable = !is_beyond_guessing(&verdict);
        let now = Instant::now();
        // Asked a second time, for right and wrong proofs alike: of many that arrived together, the first check let in all.
        if guessable && let Some(wait) = throttle.wait(call.ip, now) {
            metrics.refused(Refused::Network);
            return Err(Failure::TooMany { wait });
        }
        let stranger = guessable && is_stranger(&mut tx, &call, &verdict).await?;
        if stranger && let Some(wait) = throttle.stranger_waits(request.cred, now) {
            // Refused whether right or wrong: telling them apart would answer a guess.
            throttle.refused(call.ip, now);
            metrics.refused(Refused::Stranger);
            let wait = throttle.wait(call.ip, now).map_or(wait, |network| network.max(wait));
            return Err(Failure::TooMany { wait });
        }
        match verdict {
            Verdict::Proved(proved) => start(&call, tx, *proved).await,
            refused => {
                if stranger {
                    throttle.stranger_refused(request.cred, now);
                }
                refuse_login(&call, tx, refused).await?;
                Err(Failure::Unauthenticated)
            }
        }
    })
    .await
}

/// Whether it is the right proof of a token or a device. Locks nothing, so that guesses make no write wait.
async fn is_of_machine(call: &Call, request: &LoginRequest) -> Result<bool, Failure> {
    let mut tx = call.server.app.store().snapshot().await?;
    let now = tx.now().await?;
    let held = auth::hold(&mut tx, &[Claim::new(request.cred, &request.auth)], now).await?;
    tx.rollback().await?;
    Ok(held.iter().any(Option::is_some))
}

/// Whether this is a right proof of 256 random bits, which nobody arrives at by trying.
fn is_beyond_guessing(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Proved(proved) if proved.actor.credential_kind != CredentialKind::Password)
}

/// Whether the credential's holder has never signed in from the network of this request. True if nobody holds the credential.
async fn is_stranger(tx: &mut Tx, call: &Call, verdict: &Verdict) -> Result<bool, Failure> {
    let (org, identity) = match verdict {
        Verdict::Proved(proved) => (proved.org.id, proved.actor.identity),
        Verdict::Refused { org, identity, .. } => (org.id, *identity),
        Verdict::Unknown => return Ok(true),
    };
    match call.ip {
        Some(ip) => Ok(!tx.knows_network(org, identity, auth::network(ip)).await?),
        None => Ok(true),
    }
}

async fn start(call: &Call, mut tx: Tx, mut proved: Proved) -> Answer {
    let session = auth::start(&mut tx, &proved).await?;
    let actor = proved.actor;
    if let (Some(ip), IdentityKind::Human) = (call.ip, actor.kind) {
        tx.remember_network(actor.org, actor.identity, auth::network(ip), proved.now).await?;
    }
    let event = Event::login_succeeded(actor.credential, actor.credential_kind);
    let origin = Origin { actor: Some(actor.identity), ip: call.ip };
    audit::append(&mut tx, &mut proved.org, proved.now, origin, &[event]).await?;
    tx.commit().await?;
    let cred = proved.cred.ok_or(Failure::Internal("a proved credential has no envelope"))?;
    Ok(answer::ok(&LoginAnswer {
        session: session.token,
        expires_at: session.expires_at,
        cred,
        epoch: proved.org.epoch,
        nonce: proved.org.nonce,
    }))
}

/// What ends with the session.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogoutQuery {
    /// A credential of the caller that is deleted as well: the former login of a device that has a new one.
    credential: Option<CredentialId>,
}

/// Ends the session of the request. A named credential that the caller does not have, or no longer, changes nothing.
#[utoipa::path(post, path = "/v1/auth/logout", operation_id = "log_out", tag = "auth", params(LogoutQuery), responses(
    (status = 204, description = "The session has ended"),
))]
pub(super) async fn logout(call: Call, mut work: Work) -> Answer {
    work.permit(Action::EndOwnSession)?;
    let query: LogoutQuery = call.query()?;
    let Proof::Session(token) = call.proof()? else { return Err(Failure::Unauthenticated) };
    work.tx.delete_session(work.org.id, token).await?;
    let mut events = vec![Event::session_ended(work.actor.credential)];
    if let Some(id) = query.credential
        && drop_own(&mut work, id).await?
    {
        events.push(Event::credential_removed(work.actor.identity, id));
    }
    work.commit(&events).await?;
    Ok(answer::empty())
}

/// Who the caller is.
#[utoipa::path(get, path = "/v1/me", operation_id = "me", tag = "auth", responses(
    (status = 200, description = "The caller", body = MeAnswer),
))]
pub(super) async fn me(_: Call, work: Work) -> Answer {
    work.permit(Action::ReadMe)?;
    let (actor, holder) = (work.actor, work.holder);
    let (_, session_expires_at) = holder.session.ok_or(Failure::Internal("a session has no end"))?;
    work.tx.rollback().await?;
    Ok(answer::ok(&MeAnswer {
        org: actor.org,
        identity: actor.identity,
        kind: actor.kind,
        role: actor.role,
        credential: actor.credential,
        credential_kind: actor.credential_kind,
        credential_not_after: holder.credential_not_after,
        not_after: holder.not_after,
        session_expires_at,
    }))
}

/// Every kind of credential may log in. What the session of a link or a recovery kit may do is little: [`crate::access`] decides
/// that.
const EVERY_KIND: &[CredentialKind] = &[
    CredentialKind::Password,
    CredentialKind::Token,
    CredentialKind::Device,
    CredentialKind::Link,
    CredentialKind::Recovery,
];
