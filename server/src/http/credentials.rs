//! The caller's own credentials (CRYPTO.md §2.8, §2.12 S9).

use axum::http::StatusCode;
use keyward_wire::CredentialId;
use keyward_wire::api::credentials::{CredentialInfo, CredentialKind, CredentialsAnswer, NewCredential};
use keyward_wire::error::ErrorBody;

use super::{Answer, Call, Failure, Work, answer};
use crate::access::credential::check_own;
use crate::access::{Action, Refusal};
use crate::audit::Event;

/// The caller's own credentials.
#[utoipa::path(get, path = "/v1/credentials", operation_id = "credentials", tag = "credentials", responses(
    (status = 200, description = "Oldest first", body = CredentialsAnswer),
))]
pub(super) async fn list(_: Call, mut work: Work) -> Answer {
    let permit = work.permit(Action::ListOwnCredentials)?;
    let credentials = work.tx.own_credentials(&permit).await?;
    work.tx.rollback().await?;
    Ok(answer::ok(&CredentialsAnswer { credentials }))
}

/// Adds a device credential for the caller, of which the last 64 are kept, or gives the organisation a new recovery kit in the place of its former one
/// (owners only). Needs a session made with the password within the last 10 minutes.
#[utoipa::path(post, path = "/v1/credentials", operation_id = "add_credential", tag = "credentials", request_body = NewCredential, responses(
    (status = 201, description = "It is there", body = CredentialInfo),
    (status = 409, description = "The id is taken", body = ErrorBody),
    (status = 422, description = "It is not a well-formed device or recovery credential of the caller", body = ErrorBody),
))]
pub(super) async fn add(call: Call, mut work: Work) -> Answer {
    let new: NewCredential = call.json()?;
    let permit = check_own(&work.actor, &new, work.now)?;
    let mut events = Vec::new();
    match new.kind {
        CredentialKind::Device => {
            for device in work.tx.devices_beyond(&permit, DEVICES - 1, work.now).await? {
                work.tx.delete_credential(work.org.id, device).await?;
                events.push(Event::credential_removed(work.actor.identity, device));
            }
        }
        CredentialKind::Recovery => {
            for (identity, kit) in work.tx.recovery_kits(work.org.id).await? {
                work.tx.delete_credential(work.org.id, kit).await?;
                events.push(Event::credential_removed(identity, kit));
            }
        }
        // A new password replaces the old one and ends sessions, which is not for this route to do.
        CredentialKind::Password | CredentialKind::Token | CredentialKind::Link => {
            let reason = "Only a device or recovery credential can be added here.";
            return Err(Refusal::Unprocessable { field: "kind".to_owned(), reason }.into());
        }
    }
    call.server.app.prelogin_secret().check_free(std::slice::from_ref(&new))?;
    work.tx.insert_credential(work.org.id, &new, work.now).await?;
    let info = CredentialInfo {
        id: new.id,
        kind: new.kind,
        created_at: work.now,
        not_after: new.not_after,
        last_used_at: None,
    };
    events.push(Event::credential_added(work.actor.identity, new.id));
    work.answer(&events, answer::json(StatusCode::CREATED, &info)).await
}

/// Deletes one of the caller's own credentials, and the sessions made with it; passwords and recovery kits are only ever
/// replaced. Of another's, the server says 404.
#[utoipa::path(delete, path = "/v1/credentials/{id}", operation_id = "remove_credential", tag = "credentials",
    params(("id" = CredentialId, Path, description = "Which")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No such credential of the caller", body = ErrorBody),
    ))]
pub(super) async fn remove(call: Call, mut work: Work) -> Answer {
    let id: CredentialId = call.id()?;
    if !drop_own(&mut work, id).await? {
        return Err(Failure::NotFound);
    }
    let event = Event::credential_removed(work.actor.identity, id);
    work.answer(&[event], answer::empty()).await
}

/// Deletes a credential of the caller, if he may. False if he has none with this id.
pub(super) async fn drop_own(work: &mut Work, id: CredentialId) -> Result<bool, Failure> {
    let stored = work.tx.credential(work.org.id, id).await?;
    let Some(own) = stored.filter(|stored| stored.identity == work.actor.identity) else { return Ok(false) };
    work.permit(Action::DropOwnCredential(id, own.kind))?;
    Ok(work.tx.delete_credential(work.org.id, id).await?)
}

/// Most devices that somebody is signed in on: every write of the organisation reads them all.
const DEVICES: i64 = 64;
