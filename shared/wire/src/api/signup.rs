//! `POST /v1/signup`: anybody whom the server's sign-up mode lets (CRYPTO.md §2.13 F1).

use serde::{Deserialize, Serialize};

use crate::api::credentials::NewCredential;
use crate::api::write::{NewEscrow, RootEnvelope};
use crate::name::Email;
use crate::{Envelope, IdentityId, Nonce, OrgId};

/// A whole new organisation with its first owner, at seq 1 and epoch 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignupRequest {
    /// Made by the client.
    pub org: OrgId,
    /// The first owner.
    pub identity: IdentityId,
    /// The first owner's e-mail: unique on the server.
    pub email: Email,
    /// Nonce of epoch 1.
    pub nonce: Nonce,
    /// ORG at seq 1.
    pub state: Envelope,
    /// The owner's credentials: one password, one recovery kit, one device.
    pub credentials: Vec<NewCredential>,
    /// ESCROW of the owner under the root key.
    pub escrow: NewEscrow,
    /// ROOT, ORGKEY_ROOT and ORGKEY_ADMIN.
    pub roots: Vec<RootEnvelope>,
    /// One-time setup code of the server's operator, if sign-up asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup_code: Option<String>,
}
