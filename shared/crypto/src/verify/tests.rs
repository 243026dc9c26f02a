//! The rows MS-… of THREATS.md that are pure: an answer, a lie in it, and what the client says.

mod admin;
mod freshness;
mod lies;
mod omissions;
mod values;

use keyward_wire::Envelope;
use keyward_wire::api::bundle::Bundle;

use super::*;
use crate::fixture::{Sample, read, value};

/// The baseline, MS-00: an honest answer.
#[test]
fn an_honest_answer_gives_exactly_the_values() {
    let sample = Sample::new();
    let pair = |env: &str, value: &str| (env.to_owned(), value.to_owned());
    let production = sample.organisation.read(&sample.agent, "production").unwrap();
    assert_eq!(production, [pair("ALPHA", "alpha-value"), pair("BETA", "beta-value")]);
    let backup = sample.organisation.read(&sample.robot, "backup").unwrap();
    assert_eq!(backup, [pair("ROOT_KEY", "secret-value"), pair("S3_KEY", "beta-value")]);
    assert_eq!(sample.organisation.read(&sample.organisation.owner, "production").unwrap().len(), 3);
}

/// An honest bundle with the lie `tell` in it.
fn lie(sample: &Sample, cred: &Cred, tell: impl FnOnce(&mut Bundle)) -> Bundle {
    let mut bundle = sample.organisation.server.bundle(cred.id);
    tell(&mut bundle);
    bundle
}

/// The variables that the agent gets from this bundle for `production`.
fn agent_reads(sample: &Sample, bundle: &Bundle) -> Result<Vec<(String, String)>, VerifyError> {
    read(&sample.agent, bundle, "production", sample.organisation.now)
}

fn believe(sample: &Sample, bundle: &Bundle, floors: &Floors) -> Result<Verified, VerifyError> {
    verify_bundle(&sample.agent, bundle, floors, sample.organisation.now)
}

/// The envelope with one bit of this byte flipped. `None` if that is no envelope.
fn flipped(envelope: &Envelope, at: usize) -> Option<Envelope> {
    let mut bytes = envelope.as_bytes().to_vec();
    bytes[at] ^= 1;
    Envelope::from_bytes(bytes).ok()
}

#[track_caller]
fn assert_integrity<T>(result: Result<T, VerifyError>) {
    match result {
        Err(VerifyError::Integrity(Integrity)) => {}
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("believed"),
    }
}

#[track_caller]
fn stale<T>(result: Result<T, VerifyError>) -> Stale {
    match result {
        Err(VerifyError::Stale(stale)) => stale,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("believed"),
    }
}

#[track_caller]
fn missing<T>(result: Result<T, VerifyError>) -> Missing {
    match result {
        Err(VerifyError::Missing(missing)) => missing,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("believed"),
    }
}
