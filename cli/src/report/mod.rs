//! What several commands tell: what a write means beyond itself, what a group or an agent may use, a credential that was just made, and
//! why the gateway does not send a key.

pub(crate) mod agent_keys;
pub(crate) mod assignment;
pub(crate) mod consequences;
pub(crate) mod new_credential;
pub(crate) mod undeliverable;
