//! A new organisation with its first owner (CRYPTO.md §2.13 F1; sign-up modes).

use axum::http::StatusCode;
use keyward_wire::Sha256;
use keyward_wire::api::audit::genesis;
use keyward_wire::api::signup::SignupRequest;
use keyward_wire::api::write::Base;
use keyward_wire::api::{IdentityKind, Role};

use super::{Answer, Call, Failure, answer};
use crate::access::signup::check;
use crate::access::state::Identity;
use crate::app::Signup;
use crate::audit::{self, Event, Origin};
use crate::auth;
use crate::store::{OrgRow, Tx};

/// Creates an organisation with its first owner.
///
/// Whether anybody may is the server's sign-up mode: `first` (the first organisation only, with the setup code), `open` or
/// `closed`.
#[utoipa::path(post, path = "/v1/signup", operation_id = "sign_up", tag = "sign-up", request_body = SignupRequest, responses(
    (status = 201, description = "The organisation is there, at seq 1", body = Base),
    (status = 403, description = "Sign-up is closed, or the setup code is missing or wrong", body = keyward_wire::error::ErrorBody),
    (status = 409, description = "An id or the e-mail is taken", body = keyward_wire::error::ErrorBody),
))]
pub(super) async fn create(call: Call) -> Answer {
    let app = &call.server.app;
    if app.signup() == Signup::Closed {
        return Err(Failure::SignupClosed);
    }
    let request: SignupRequest = call.json()?;
    let mut tx = app.store().begin().await?;
    tx.lock_signup().await?;
    if app.signup() == Signup::First {
        if tx.has_org().await? {
            return Err(Failure::SignupClosed);
        }
        let code = request.setup_code.as_deref().is_some_and(|code| app.setup_code().matches(code));
        if !code && !is_waived(&call) {
            return Err(Failure::SetupCode { sent: request.setup_code.is_some() });
        }
    }
    let now = tx.now().await?;
    check(&request, now)?;
    app.prelogin_secret().check_free(&request.credentials)?;
    store(&mut tx, &request, now).await?;
    if let Some(ip) = call.ip {
        // The first owner will sign in from the network that the sign-up came from.
        tx.remember_network(request.org, request.identity, auth::network(ip), now).await?;
    }
    let mut org = tx.lock_org(request.org).await?.ok_or(Failure::Internal("a new organisation is gone"))?;
    record(&mut tx, &mut org, &call, &request, now).await?;
    tx.commit().await?;
    app.setup_code_is_used();
    Ok(answer::json(StatusCode::CREATED, &Base { seq: 1, sha256: Sha256::of(request.state.as_bytes()) }))
}

/// Whether the setup code is waived. Nobody but this machine's own users can reach a loopback listener without a proxy in front.
/// A web page can, through their browser, but not under a name of this machine.
fn is_waived(call: &Call) -> bool {
    call.server.loopback && !call.server.app.is_proxied() && !call.is_forwarded() && call.names_loopback()
}

async fn store(tx: &mut Tx, request: &SignupRequest, now: i64) -> Result<(), Failure> {
    let owner = Identity {
        kind: IdentityKind::Human,
        role: Role::Owner,
        not_after: None,
        email: Some(request.email.clone()),
    };
    tx.insert_org(request.org, &request.state, request.nonce, genesis(request.org), now).await?;
    tx.insert_identity(request.org, request.identity, &owner, now).await?;
    for credential in &request.credentials {
        tx.insert_credential(request.org, credential, now).await?;
    }
    tx.put_escrow(request.org, &request.escrow).await?;
    for root in &request.roots {
        tx.put_root(request.org, root).await?;
    }
    Ok(())
}

async fn record(
    tx: &mut Tx,
    org: &mut OrgRow,
    call: &Call,
    request: &SignupRequest,
    now: i64,
) -> Result<(), Failure> {
    let mut events = vec![Event::org_created(request.identity)];
    let credentials = request.credentials.iter();
    events.extend(credentials.map(|new| Event::credential_added(request.identity, new.id)));
    let origin = Origin { actor: Some(request.identity), ip: call.ip };
    audit::append(tx, org, now, origin, &events).await?;
    Ok(())
}
