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
    /// The identity's id.
    pub id: IdentityId,
    /// The identity's kind.
    pub kind: IdentityKind,
    /// The identity's role.
    pub role: Role,
    /// When the identity was made.
    pub created_at: i64,
    /// When the identity ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// When one of the identity's credentials last proved itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<i64>,
}
