//! What somebody is told without asking.

use keyward_crypto::state::org::Recovered;
use keyward_crypto::verify::Verified;
use keyward_wire::IdentityId;

use crate::ctx::{Ctx, rfc3339};
use crate::fault::printable;

/// Longest address that is shown, in characters.
const ADDRESS: usize = 100;

/// What was verified does not show that nothing of before was taken back.
pub fn continuity(ctx: &Ctx, verified: &Verified) {
    if !verified.continuous {
        ctx.out.warn("so much has changed since this client last looked that continuity cannot be verified");
    }
}

/// Somebody came back in with the recovery kit: everybody but himself hears of it, once for each memory.
pub fn recovered(ctx: &Ctx, me: IdentityId, recovered: &[Recovered]) {
    for one in recovered.iter().rev().filter(|one| one.identity != me) {
        ctx.out.warn(&format!(
            "{}\n  → ask whoever that is; if nobody of yours did it, whoever has the kit can read everything: \
             change all values at their providers",
            line(one)
        ));
    }
}

/// When, and by whom.
pub fn line(one: &Recovered) -> String {
    let by = printable(one.email.as_str(), ADDRESS);
    format!("the organisation was recovered with its recovery kit, at {} by {by}", rfc3339(one.at))
}
