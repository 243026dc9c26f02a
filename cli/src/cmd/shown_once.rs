//! What is shown once and then is nowhere, and could not be shown.

use keyward_wire::name::Name;

use crate::fault::{Code, Fault};
use crate::text::quoted;

/// The fault that nobody has the `what` of this holder, who is there all the same; `commands` are those that issue another.
pub(super) fn lost(error: &anyhow::Error, what: &str, holder: &Name, commands: &str) -> anyhow::Error {
    let text = format!("{error}; so nobody has the {what} of {holder}, who is there now");
    Fault::new(Code::Unexpected, text)
        .next(format!("issue another one: keyward {commands} rotate {}", quoted(holder.as_str())))
        .into()
}
