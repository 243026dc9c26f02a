//! Where the key of a provider goes, as both commands print it.

use keyward_wire::provider::{self, Provider};

/// The hosts, or their shapes.
pub(super) fn hosts(provider: Provider) -> Vec<&'static str> {
    provider.host_shapes().map(provider::HostShape::as_str).collect()
}

/// The ways in which its key is sent.
pub(super) fn injections(provider: Provider) -> Vec<String> {
    provider.injections().iter().map(ToString::to_string).collect()
}
