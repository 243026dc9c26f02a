//! What may cross keyward's network, and the one access rule.
//!
//! Both programs are built on these types, so a request the client can make is a request the server can read. There is
//! no cryptography here beyond SHA-256 over public bytes, no I/O and no SQL: an [`Envelope`] is opaque, and nothing in
//! this crate, nor in any program that has only this crate, can open one.
//!
//! | module | holds |
//! |---|---|
//! | [`id`], [`bytes`], [`name`] | ids, hashes, nonces and names: parsed or refused, never half-valid |
//! | [`envelope`] | the sealed blob: its public header, its base64url form |
//! | [`access`] | **the** rule: readable = mapped − excluded |
//! | [`api`] | one file a family of endpoints: requests and answers |
//! | `provider` | where credentials of known providers go (feature `rule`) |
//! | `rule` | where the gateway may write a value, sealed with it (feature `rule`) |
//! | [`error`] | the error body and the only list of its codes |
//! | [`json`] | bounded, strict reading of JSON from a peer |
//! | [`limits`] | sizes that both ends hold each other to |

#![warn(missing_docs, clippy::missing_errors_doc, clippy::indexing_slicing)]

pub mod access;
pub mod api;
pub mod bytes;
pub mod envelope;
pub mod error;
pub mod id;
pub mod json;
pub mod limits;
pub mod name;
#[cfg(feature = "rule")]
pub mod provider;
#[cfg(feature = "rule")]
pub mod rule;
mod text;

pub use bytes::{AuthHalf, Nonce, Salt, SessionToken, Sha256};
pub use envelope::{Envelope, Purpose};
pub use id::{
    AgentId, CredentialId, DeploymentId, GroupId, IdentityId, InstallId, KeyId, MappingId, OrgId, ViewId,
};
