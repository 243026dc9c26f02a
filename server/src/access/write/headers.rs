//! What can be checked of a write without any state: purposes, seqs, and that nothing stands in it twice (S4).
//!
//! That an envelope is of suite 1 and of a valid size was checked when it was parsed.

use std::collections::BTreeSet;

use keyward_wire::api::write::WriteRequest;
use keyward_wire::{Envelope, Purpose};

use crate::access::owner::purpose;
use crate::access::{Refusal, ensure};

/// Checks that every envelope has the purpose of its place, and every view and grant the write's own `seq`.
pub(super) fn check(request: &WriteRequest, seq: u64) -> Result<(), Refusal> {
    is(&request.org, Purpose::Org, || "org".to_owned())?;
    for (i, secret) in request.secrets.iter().enumerate() {
        is(&secret.env, Purpose::Secret, || format!("secrets[{i}].env"))?;
    }
    for (i, view) in request.views.iter().enumerate() {
        is(&view.env, Purpose::View, || format!("views[{i}].env"))?;
        ensure(view.seq == seq, || format!("views[{i}].seq"), OTHER_SEQ)?;
        let sorted = view.groups.is_sorted_by(|a, b| a < b);
        ensure(sorted, || format!("views[{i}].groups"), "groups are sorted, each stands there once")?;
        let one = view.gateway.is_none() || view.groups.is_empty();
        ensure(one, || format!("views[{i}].gateway"), "a view is for a set of groups or for a gateway")?;
    }
    for (i, grant) in request.grants.iter().enumerate() {
        is(&grant.env, Purpose::Grant, || format!("grants[{i}].env"))?;
        ensure(grant.seq == seq, || format!("grants[{i}].seq"), OTHER_SEQ)?;
    }
    for (i, escrow) in request.escrows.iter().enumerate() {
        is(&escrow.env, Purpose::Escrow, || format!("escrows[{i}].env"))?;
    }
    for (i, root) in request.roots.iter().enumerate() {
        is(&root.env, purpose(root.kind), || format!("roots[{i}].env"))?;
    }
    nothing_twice(request)
}

fn is(envelope: &Envelope, purpose: Purpose, field: impl FnOnce() -> String) -> Result<(), Refusal> {
    ensure(envelope.purpose() == purpose, field, "an envelope of another purpose")
}

fn nothing_twice(request: &WriteRequest) -> Result<(), Refusal> {
    once("secrets", request.secrets.iter().map(|secret| secret.key))?;
    once("drop_secrets", request.drop_secrets.iter().map(|secret| (secret.key, secret.version)))?;
    once("views", request.views.iter().map(|view| view.id))?;
    once("drop_views", request.drop_views.iter().copied())?;
    once("grants", request.grants.iter().map(|grant| grant.identity))?;
    once("credentials", request.credentials.iter().map(|credential| credential.identity))?;
    once("drop_credentials", request.drop_credentials.iter().copied())?;
    once("escrows", request.escrows.iter().map(|escrow| escrow.identity))?;
    once("roots", request.roots.iter().map(|root| (purpose(root.kind).code(), root.identity)))
}

fn once<T: Ord>(list: &str, items: impl Iterator<Item = T>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for (i, item) in items.enumerate() {
        ensure(seen.insert(item), || format!("{list}[{i}]"), "twice in one write")?;
    }
    Ok(())
}

const OTHER_SEQ: &str = "not the seq of this write";
