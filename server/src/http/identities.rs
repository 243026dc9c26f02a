//! Who is in the organisation: owners and admins.

use keyward_wire::IdentityId;
use keyward_wire::api::identities::IdentitiesAnswer;
use keyward_wire::api::write::EscrowAnswer;
use keyward_wire::error::ErrorBody;

use super::{Answer, Call, Failure, Work, answer};
use crate::access::Action;
use crate::audit::Event;

/// All identities, with when each was last used.
#[utoipa::path(get, path = "/v1/identities", operation_id = "identities", tag = "data", responses(
    (status = 200, description = "All identities, oldest first", body = IdentitiesAnswer),
))]
pub(super) async fn list(_: Call, mut work: Work) -> Answer {
    let permit = work.permit(Action::ReadIdentities)?;
    let identities = work.tx.identities(&permit).await?;
    work.answer(&[Event::identities_read()], answer::ok(&IdentitiesAnswer { identities })).await
}

/// An identity's key, sealed for whoever enrolled it.
#[utoipa::path(get, path = "/v1/escrows/{identity}", operation_id = "escrow", tag = "data",
    params(("identity" = IdentityId, Path, description = "Whose")),
    responses(
        (status = 200, description = "ESCROW", body = EscrowAnswer),
        (status = 404, description = "No such identity", body = ErrorBody),
    ))]
pub(super) async fn escrow(call: Call, mut work: Work) -> Answer {
    let permit = work.permit(Action::ReadEscrow)?;
    let identity: IdentityId = call.id()?;
    let escrow = work.tx.escrow(&permit, identity).await?.ok_or(Failure::NotFound)?;
    work.answer(&[Event::escrow_read(identity)], answer::ok(&EscrowAnswer { escrow })).await
}
