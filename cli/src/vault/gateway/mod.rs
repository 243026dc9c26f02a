//! What a gateway knows while it runs: its agents, what each may use, and one value at a time (CRYPTO.md §2.10).
//!
//! ```text
//! Keeper ── signs in, waits for changes, verifies every answer in full ──► Live ── asked at every request
//! ```
//! allow = the sealed view allows ∧ the server's last word does not forbid ∧ that word is no older than five minutes ∧ it has
//! not named a newer view for more than five seconds.
//! So a server can take away and never give; and one that is cut off, or says what does not verify, takes everything away.

pub mod clock;
mod counts;
mod held;
pub mod keeper;
pub mod live;

pub use clock::{Clock, SystemClock};
pub use counts::Counts;
pub use held::Usable;
pub use keeper::Keeper;
pub use live::{Live, Opened};
