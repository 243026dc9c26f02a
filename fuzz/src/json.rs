//! JSON from the other end: read strictly, and what was read says the same when it is written again.

use keyward_wire::api::agents::AgentsAnswer;
use keyward_wire::api::audit::{AuditAnswer, AuditRecord};
use keyward_wire::api::auth::{LoginAnswer, LoginRequest, MeAnswer, PreloginAnswer};
use keyward_wire::api::bundle::Bundle;
use keyward_wire::api::credentials::{CredentialsAnswer, NewCredential};
use keyward_wire::api::identities::IdentitiesAnswer;
use keyward_wire::api::org::{OrgAnswer, SecretsAnswer, SecretsRequest};
use keyward_wire::api::signup::SignupRequest;
use keyward_wire::api::write::{EscrowAnswer, WriteRequest};
use keyward_wire::error::ErrorBody;
use keyward_wire::json::from_slice;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Every body that either end reads.
pub fn holds(bytes: &[u8]) {
    round_trip::<AgentsAnswer>(bytes);
    round_trip::<AuditAnswer>(bytes);
    round_trip::<AuditRecord>(bytes);
    round_trip::<Bundle>(bytes);
    round_trip::<CredentialsAnswer>(bytes);
    round_trip::<ErrorBody>(bytes);
    round_trip::<EscrowAnswer>(bytes);
    round_trip::<IdentitiesAnswer>(bytes);
    round_trip::<LoginAnswer>(bytes);
    round_trip::<LoginRequest>(bytes);
    round_trip::<MeAnswer>(bytes);
    round_trip::<NewCredential>(bytes);
    round_trip::<OrgAnswer>(bytes);
    round_trip::<PreloginAnswer>(bytes);
    round_trip::<SecretsAnswer>(bytes);
    round_trip::<SecretsRequest>(bytes);
    round_trip::<SignupRequest>(bytes);
    round_trip::<WriteRequest>(bytes);
}

fn round_trip<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let Ok(value) = from_slice::<T>(bytes) else { return };
    let once = serde_json::to_vec(&value).expect("what was read can be written");
    let again: T = from_slice(&once).expect("what was written can be read");
    assert_eq!(serde_json::to_vec(&again).expect("again"), once);
}
