//! `GET /v1/me/agents?wait_secs=`: what a gateway's agents may use as of now, by the server's word (CRYPTO.md §2.10).
//!
//! For gateways only, with a session. It can only take away: a gateway serves what its sealed view allows and this answer
//! names; what is not named is denied. `ETag` is the quoted SHA-256 of the body. With `If-None-Match` and `wait_secs` the
//! answer comes when it is another one, or as 304 after that time: a gateway learns so within a second or two that
//! something of its own has changed, and never that something else has.

use serde::{Deserialize, Serialize};

use crate::{AgentId, KeyId};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentsAnswer {
    /// Seq of the gateway's GRANT: another one says that there is another view to fetch.
    pub grant_seq: u64,
    /// Epoch.
    pub epoch: u64,
    /// Agents that are active and have not ended, by id. Any other is denied.
    pub agents: Vec<ServedAgent>,
}

/// An agent that may be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServedAgent {
    /// The agent's id.
    pub id: AgentId,
    /// Keys that it may use, by id. Any other is denied.
    pub keys: Vec<KeyId>,
}
