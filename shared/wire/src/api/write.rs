//! `POST /v1/org/write`: the one write of all state, owners and admins (CRYPTO.md §2.12 S1–S6).
//!
//! Applied whole or not at all. The server checks it against the relations it keeps: after the write every active
//! non-admin has exactly one GRANT, for a view of exactly its groups, and whoever lost or gained something has a new one.

use serde::{Deserialize, Serialize};

use crate::api::bundle::SecretItem;
use crate::api::credentials::NewCredential;
use crate::api::org::SecretRef;
use crate::api::{IdentityKind, Role};
use crate::name::Email;
use crate::{
    AgentId, CredentialId, DeploymentId, Envelope, GroupId, IdentityId, KeyId, MappingId, Nonce, Sha256,
    ViewId,
};

/// The write.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WriteRequest {
    /// What the client's change started from. Anything else is 409.
    pub base: Base,
    /// ORG at `base.seq + 1`.
    pub org: Envelope,
    /// What changes in the relations, applied in this order.
    #[serde(default)]
    pub delta: Vec<Delta>,
    /// New versions (reseal 0), or the current version resealed (reseal + 1).
    #[serde(default)]
    pub secrets: Vec<SecretItem>,
    /// Old versions to forget.
    #[serde(default)]
    pub drop_secrets: Vec<SecretRef>,
    /// Views built or rebuilt.
    #[serde(default)]
    pub views: Vec<NewView>,
    /// Views that no active identity uses any more.
    #[serde(default)]
    pub drop_views: Vec<ViewId>,
    /// New GRANTs, each replacing the identity's former one.
    #[serde(default)]
    pub grants: Vec<NewGrant>,
    /// Credentials of others: tokens of API users.
    #[serde(default)]
    pub credentials: Vec<NewCredential>,
    /// Credentials that end with this write.
    #[serde(default)]
    pub drop_credentials: Vec<CredentialId>,
    /// New ESCROWs.
    #[serde(default)]
    pub escrows: Vec<NewEscrow>,
    /// ROOT and ORGKEY_*: owners only, with a fresh password session.
    #[serde(default)]
    pub roots: Vec<RootEnvelope>,
    /// Starts a new epoch: owners only, with a fresh password session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<NewEpoch>,
}

/// Answer to [`WriteRequest`]: where the organisation stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Seq of ORG.
    pub seq: u64,
    /// SHA-256 of ORG.
    pub sha256: Sha256,
}

/// One change of the relations, by opaque ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Delta {
    AddKey {
        id: KeyId,
    },
    /// Name, tags or other sealed words of a key changed.
    ChangeKey {
        id: KeyId,
    },
    RemoveKey {
        id: KeyId,
    },
    AddDeployment {
        id: DeploymentId,
    },
    ChangeDeployment {
        id: DeploymentId,
    },
    RemoveDeployment {
        id: DeploymentId,
    },
    AddMapping {
        id: MappingId,
        deployment: DeploymentId,
        key: KeyId,
    },
    /// The variable's name changed.
    ChangeMapping {
        id: MappingId,
    },
    RemoveMapping {
        id: MappingId,
    },
    AddGroup {
        id: GroupId,
    },
    ChangeGroup {
        id: GroupId,
    },
    RemoveGroup {
        id: GroupId,
    },
    AddMember {
        group: GroupId,
        identity: IdentityId,
    },
    RemoveMember {
        group: GroupId,
        identity: IdentityId,
    },
    AddAssignment {
        group: GroupId,
        deployment: DeploymentId,
        new_keys: NewKeys,
    },
    ChangeAssignment {
        group: GroupId,
        deployment: DeploymentId,
        new_keys: NewKeys,
    },
    RemoveAssignment {
        group: GroupId,
        deployment: DeploymentId,
    },
    AddExclusion {
        group: GroupId,
        deployment: DeploymentId,
        key: KeyId,
    },
    RemoveExclusion {
        group: GroupId,
        deployment: DeploymentId,
        key: KeyId,
    },
    AddIdentity {
        id: IdentityId,
        kind: IdentityKind,
        role: Role,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_after: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<Email>,
    },
    /// The whole of what may change about an identity.
    ChangeIdentity {
        id: IdentityId,
        role: Role,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_after: Option<i64>,
    },
    /// Removes an identity with all of its credentials, sessions and memberships, its GRANT and ESCROW; of a gateway, its agents
    /// too.
    RemoveIdentity {
        id: IdentityId,
    },
    AddAgent {
        id: AgentId,
        gateway: IdentityId,
        state: AgentState,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_after: Option<i64>,
    },
    /// The whole of what may change about an agent, beside its groups and keys; or its name or credential, which are sealed.
    ChangeAgent {
        id: AgentId,
        gateway: IdentityId,
        state: AgentState,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_after: Option<i64>,
    },
    RemoveAgent {
        id: AgentId,
    },
    AddAgentMember {
        group: GroupId,
        agent: AgentId,
    },
    RemoveAgentMember {
        group: GroupId,
        agent: AgentId,
    },
    /// The key is granted to the agent, which may use it as far as the access rule lets it and its gateway.
    AddAgentKey {
        agent: AgentId,
        key: KeyId,
    },
    RemoveAgentKey {
        agent: AgentId,
        key: KeyId,
    },
}

/// Whether an agent is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// The agent is served.
    Active,
    /// The agent is not served until it is resumed. It keeps its credential, groups and keys.
    Suspended,
}

impl AgentState {
    /// The state as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// What happens to a key that is newly mapped in an assigned deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NewKeys {
    /// The group may read it.
    Allow,
    /// A key that is newly mapped is excluded in the same write.
    Deny,
}

impl NewKeys {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Allow, Self::Deny];

    /// As in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// A view built at the write's seq.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewView {
    /// Kept across rebuilds for the same readers.
    pub id: ViewId,
    /// The set of groups it is for, sorted bytewise; may be empty, and is for a gateway's own view.
    pub groups: Vec<GroupId>,
    /// The gateway whose own view it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IdentityId>,
    /// Seq of the write.
    pub seq: u64,
    /// VIEW.
    pub env: Envelope,
}

/// A grant made at the write's seq.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// The identity that the grant is for.
    pub identity: IdentityId,
    /// The view that the grant opens.
    pub view: ViewId,
    /// Seq of the write.
    pub seq: u64,
    /// GRANT.
    pub env: Envelope,
}

/// An identity's key for its enroller.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewEscrow {
    /// The identity whose key it holds.
    pub identity: IdentityId,
    /// The admin under whose key; absent: under the root key (owners only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<IdentityId>,
    /// Generation of the key.
    pub ik_gen: u64,
    /// ESCROW.
    pub env: Envelope,
}

/// `GET /v1/escrows/{identity}`: owners and admins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EscrowAnswer {
    /// The ESCROW as it is stored.
    pub escrow: NewEscrow,
}

/// One of the organisation's root envelopes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RootEnvelope {
    /// The kind of root envelope.
    pub kind: RootKind,
    /// The owner or admin it is for; absent for ORGKEY_ROOT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
    /// Epoch, for ORGKEY_*; generation of the root key, for ROOT.
    pub generation: u64,
    /// The envelope.
    pub env: Envelope,
}

/// Kinds of root envelopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RootKind {
    /// The root key for an owner.
    Root,
    /// The organisation key under the root key.
    OrgkeyRoot,
    /// The organisation key for an owner or admin.
    OrgkeyAdmin,
}

impl RootKind {
    /// Each kind.
    pub const ALL: [Self; 3] = [Self::Root, Self::OrgkeyRoot, Self::OrgkeyAdmin];

    /// The kind as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::OrgkeyRoot => "orgkey_root",
            Self::OrgkeyAdmin => "orgkey_admin",
        }
    }
}

/// A new epoch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewEpoch {
    /// The former one + 1.
    pub epoch: u64,
    /// The new epoch's nonce.
    pub nonce: Nonce,
}
