//! Warnings that a person gets without asking.

use keyward_crypto::state::org::Recovered;
use keyward_crypto::verify::Verified;
use keyward_wire::IdentityId;

use crate::ctx::{Ctx, rfc3339};
use crate::fault::printable;

/// Longest address that is shown, in characters.
const ADDRESS: usize = 100;

/// Warns if continuity with the last state seen cannot be verified: that state is older than ORG's list of predecessors.
pub fn continuity(ctx: &Ctx, verified: &Verified) {
    if !verified.continuous {
        ctx.out.warn("so much has changed since this client last looked that continuity cannot be verified");
    }
}

/// Warns that an owner was made with the recovery kit. Everybody but that owner is told, once for each memory of this client.
pub fn recovered(ctx: &Ctx, me: IdentityId, recovered: &[Recovered]) {
    for one in recovered.iter().rev().filter(|one| one.identity != me) {
        ctx.out.warn(&format!(
            "{}\n  → ask whoever that is; if nobody of yours did it, whoever has the kit can read everything: \
             change all values at their providers",
            line(one)
        ));
    }
}

/// A line about a recovery: when, and by whom.
pub fn line(one: &Recovered) -> String {
    let by = printable(one.email.as_str(), ADDRESS);
    format!("the organisation was recovered with its recovery kit, at {} by {by}", rfc3339(one.at))
}
