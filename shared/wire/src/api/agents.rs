//! What a gateway and its server tell each other of the gateway's agents.
//!
//! `GET /v1/me/agents?wait_secs=`: what a gateway's agents may use as of now, by the server's word (CRYPTO.md §2.10).
//!
//! For gateways only, with a session. It can only take away: a gateway serves what its sealed view allows and this answer
//! names; what is not named is denied. `ETag` is the quoted SHA-256 of the body. With `If-None-Match` and `wait_secs` the
//! answer comes when it is another one, or as 304 after that time: a gateway learns so within a second or two that
//! something of its own has changed, and never that something else has.
//!
//! `POST /v1/me/agents/requests`: how many requests of its agents a gateway has decided how. The server records that in the audit.
//! Hosts and paths are names, which it must not know.

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

/// The body of `POST /v1/me/agents/requests`, answered 204.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestCounts {
    /// At most [`COUNTS_PER_REQUEST`](crate::limits::COUNTS_PER_REQUEST). Agents of other gateways are passed over. What is told twice counts
    /// twice: a gateway that did not hear the answer tells it again.
    pub requests: Vec<RequestCount>,
}

/// How many requests of one agent were decided so, since the gateway counted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestCount {
    /// The agent's id.
    pub agent: AgentId,
    /// The key that was used, or would have been. Absent if the request was not for a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// What was decided.
    pub decision: Decision,
    /// How many.
    pub count: u64,
}

/// What a gateway decided of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Decision {
    /// It was sent by the rule of a key.
    Inject,
    /// It was sent without a key.
    Pass,
    /// A tunnel was opened that the gateway does not look into.
    Tunnel,
    /// It was not sent.
    Refuse,
}

impl Decision {
    /// The decision's word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inject => "inject",
            Self::Pass => "pass",
            Self::Tunnel => "tunnel",
            Self::Refuse => "refuse",
        }
    }
}
