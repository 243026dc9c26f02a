//! Who is it? Proofs, sessions, and the answer for an e-mail address that nobody has.
//!
//! Every request is checked anew: identity, credential and session must exist and not have ended, by the database's clock
//! (CRYPTO.md §2.12 S7). Whatever is wrong, the caller learns only that something is.

mod buckets;
mod leak;
mod limit;
mod lines;
mod prelogin;
mod proof;
mod session;
mod setup;
mod step;

pub(crate) use leak::{Leak, leaked};
pub(crate) use limit::{Throttle, network};
pub(crate) use prelogin::{PreloginSecret, prelogin};
pub(crate) use proof::{Claim, Held, Proof, Proved, Verdict, authenticate, hold, prove, touch, touch_all};
pub(crate) use session::start;
pub use setup::SetupCode;
pub(crate) use setup::remove as remove_setup_code;
pub(crate) use step::{prelogin_step, refused_in_step};
