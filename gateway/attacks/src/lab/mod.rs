//! What stands around a gateway.

pub(crate) mod agent;
pub(crate) mod source;
pub(crate) mod upstream;
pub(crate) mod world;
