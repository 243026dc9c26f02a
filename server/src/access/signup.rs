//! Is this new organisation complete (CRYPTO.md §2.13 F1)? That sign-up is open at all is not asked here.

use keyward_wire::Purpose;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::signup::SignupRequest;
use keyward_wire::api::write::RootKind;

use super::{Refusal, credential, ensure};

/// One owner with everything an owner needs, at epoch 1; nothing for anybody else.
pub fn check(request: &SignupRequest, now: i64) -> Result<(), Refusal> {
    let org = request.state.purpose() == Purpose::Org;
    ensure(org, || "state".to_owned(), "an envelope of another purpose")?;
    credentials(request, now)?;
    escrow(request)?;
    roots(request)
}

fn credentials(request: &SignupRequest, now: i64) -> Result<(), Refusal> {
    for (i, new) in request.credentials.iter().enumerate() {
        let at = format!("credentials[{i}].");
        ensure(new.identity == request.identity, || format!("{at}identity"), "not the new owner")?;
        let unique = request.credentials.iter().filter(|other| other.id == new.id).count() == 1;
        ensure(unique, || format!("{at}id"), "twice the same id")?;
        credential::check(new, &at, now)?;
    }
    let count = |kind| request.credentials.iter().filter(|new| new.kind == kind).count();
    let (passwords, kits) = (count(CredentialKind::Password), count(CredentialKind::Recovery));
    let devices = count(CredentialKind::Device);
    let complete = passwords == 1 && kits == 1 && devices <= 1 && request.credentials.len() == 2 + devices;
    ensure(complete, || "credentials".to_owned(), "one password, one recovery kit and at most one device")
}

fn escrow(request: &SignupRequest) -> Result<(), Refusal> {
    let escrow = &request.escrow;
    let own = escrow.identity == request.identity && escrow.creator.is_none();
    ensure(own, || "escrow".to_owned(), "the new owner's, under the root key")?;
    let purpose = escrow.env.purpose() == Purpose::Escrow;
    ensure(purpose, || "escrow.env".to_owned(), "an envelope of another purpose")
}

fn roots(request: &SignupRequest) -> Result<(), Refusal> {
    const COMPLETE: &str = "ROOT and ORGKEY_ADMIN of the new owner, and ORGKEY_ROOT, at epoch 1";
    let owner = Some(request.identity);
    for (kind, identity, purpose) in [
        (RootKind::Root, owner, Purpose::Root),
        (RootKind::OrgkeyRoot, None, Purpose::OrgKeyRoot),
        (RootKind::OrgkeyAdmin, owner, Purpose::OrgKeyAdmin),
    ] {
        let found = request.roots.iter().any(|root| {
            let generation = kind == RootKind::Root || root.generation == 1;
            root.kind == kind && root.identity == identity && root.env.purpose() == purpose && generation
        });
        ensure(found, || "roots".to_owned(), COMPLETE)?;
    }
    ensure(request.roots.len() == 3, || "roots".to_owned(), COMPLETE)
}

#[cfg(test)]
mod tests;
