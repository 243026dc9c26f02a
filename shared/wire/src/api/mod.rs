//! Requests and answers, one file a family of endpoints.
//!
//! Times are integer milliseconds UTC; an absent time means never. Requests refuse unknown fields; answers may grow.

pub mod agents;
pub mod audit;
pub mod auth;
pub mod bundle;
pub mod credentials;
pub mod identities;
pub mod org;
pub mod recovery;
pub mod signup;
pub mod write;

use serde::{Deserialize, Serialize};

/// Kinds of identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// A person.
    Human,
    /// A machine with a token.
    Api,
    /// A gateway that injects for agents.
    Gateway,
}

/// Roles: what an identity may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything, and holds the root key.
    Owner,
    /// May do everything except change roles and epochs; does not hold the root key.
    Admin,
    /// Reads by the rule. That it may propose keys is not there yet.
    User,
    /// Reads by the rule.
    Viewer,
}

impl Role {
    /// Owners and admins read and write the organisation's state; the access rule is not asked for them.
    pub const fn administers(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }

    /// The role as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::User => "user",
            Self::Viewer => "viewer",
        }
    }
}

impl IdentityKind {
    /// The kind as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Api => "api",
            Self::Gateway => "gateway",
        }
    }
}
