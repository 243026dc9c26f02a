//! Suite 1 of keyward: credentials, envelopes, sealed state, views and their verification.
//!
//! The only crate that touches a key. Everything is a pure function of its arguments and of the operating system's
//! randomness: no clock, no I/O, no log. The format, byte by byte, is CRYPTO.md; the same known answers in
//! `tests/vectors/` hold this and any other implementation to it.
//!
//! | module | holds |
//! |---|---|
//! | `key`, `random` | a type for each key; the operating system's generator |
//! | `context`, `padding`, `envelope` | the 72-byte context, buckets, [`seal`] and [`open`] |
//! | `password`, `token`, `derive` | what people and machines hold, and the two halves it becomes |
//! | [`state`] | the sealed documents: ORG, VIEW, GRANT, SECRET, CRED … |
//! | [`edit`], [`change`], [`enrol`] | an admin's change of ORG, and the one request that carries it |
//! | [`agent`] | agents of gateways, and what they show them |
//! | [`recover`] | the way back in with the recovery kit |
//! | [`view`] | views, built from ORG with the access rule |
//! | [`verify`] | from an answer of the server to what may be believed |
//! | `hazmat` | the ciphers; nothing outside this crate reaches them |

#![warn(missing_docs, clippy::missing_errors_doc, clippy::indexing_slicing)]

mod absent;
pub mod agent;
pub mod change;
mod context;
mod credential_secret;
mod derive;
pub mod edit;
pub mod enrol;
mod envelope;
#[cfg(test)]
mod fixture;
mod hazmat;
mod key;
mod padding;
mod password;
mod random;
pub mod recover;
mod relations;
pub mod state;
mod token;
#[cfg(test)]
mod vectors;
pub mod verify;
pub mod view;

pub use context::{CONTEXT_BYTES, Context};
pub use credential_secret::CredentialSecret;
pub use derive::{
    CredentialKeys, PASSWORD_ROUNDS, SECRET_ROUNDS, derive_delivery, derive_password, derive_secret,
};
pub use envelope::{Integrity, open, seal};
pub use key::{DataKey, DeliveryKey, IdentityKey, Key, OrgKey, RootKey, UnlockKey, ViewKey};
pub use padding::TooLarge;
pub use password::{MIN_CHARACTERS, MIN_GUESSES, Password, WeakPassword};
pub use random::{new_id, random_bytes, random_key};
pub use token::{Halves, Token, TokenError, TokenKind};
