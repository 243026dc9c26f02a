//! The laboratory around a gateway.

pub(crate) mod agent;
pub(crate) mod frames;
pub(crate) mod quiet;
pub(crate) mod record;
pub(crate) mod resolver;
pub(crate) mod source;
pub(crate) mod upstream;
pub(crate) mod world;
