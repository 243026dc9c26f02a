//! Is this new organisation complete (CRYPTO.md §2.13 F1)? Whether sign-up is open is decided elsewhere.

use keyward_wire::Purpose;
use keyward_wire::api::signup::SignupRequest;
use keyward_wire::api::write::RootKind;

use super::{Refusal, ensure, owner};

/// Checks that the organisation has one owner with everything an owner needs, at epoch 1, and nothing for anybody else.
pub fn check(request: &SignupRequest, now: i64) -> Result<(), Refusal> {
    let org = request.state.purpose() == Purpose::Org;
    ensure(org, || "state".to_owned(), "an envelope of another purpose")?;
    owner::credentials(&request.credentials, request.identity, now)?;
    owner::escrow(&request.escrow, request.identity)?;
    let new = Some(request.identity);
    let wanted = [(RootKind::Root, new), (RootKind::OrgkeyRoot, None), (RootKind::OrgkeyAdmin, new)];
    owner::roots(&request.roots, &wanted, 1, COMPLETE)
}

const COMPLETE: &str = "ROOT and ORGKEY_ADMIN of the new owner, and ORGKEY_ROOT, at epoch 1";

#[cfg(test)]
mod tests;
