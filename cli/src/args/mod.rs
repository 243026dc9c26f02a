//! What words on the command line mean: names and ids of things, spans and times, names of providers.

pub(crate) mod expiry;
pub(crate) mod provider_advice;
pub(crate) mod resolve;
pub(crate) mod since;
