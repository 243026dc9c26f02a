//! What owners and admins are told without asking.

use keyward_crypto::state::org::Recovered;
use keyward_wire::IdentityId;

use crate::ctx::{Ctx, rfc3339};
use crate::fault::printable;

/// Longest address that is shown, in characters.
const ADDRESS: usize = 100;

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
