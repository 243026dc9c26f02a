//! `GET /v1/identities`: owners and admins.

use serde::{Deserialize, Serialize};

use crate::IdentityId;
use crate::api::{IdentityKind, Role};

/// All identities of the organisation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IdentitiesAnswer {
    /// Oldest first.
    pub identities: Vec<IdentityInfo>,
}

/// An identity as the server knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IdentityInfo {
    /// Its id.
    pub id: IdentityId,
    /// What it is.
    pub kind: IdentityKind,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: i64,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// When one of its credentials last proved itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<i64>,
}
