use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use keyward_wire::{Envelope, IdentityId, OrgId, Purpose, ViewId};
use serde_json::Value;
use zeroize::Zeroizing;

use super::*;
use crate::context::Context;
use crate::envelope::seal_with_nonce;
use crate::key::{OrgKey, ViewKey};
use crate::state::org::OrgPlace;
use crate::state::to_json;
use crate::state::view::ViewPlace;

/// `tests/vectors/views.json`, made by another implementation; its README explains it.
#[test]
fn views_of_the_sample_org_are_built_byte_for_byte() {
    let (file, org) = sample();
    let facts = org.facts();
    for case in cases(&file) {
        let view = build(&org, &facts, &groups(case));
        assert_eq!(json(&view), text(case, "plaintext"), "{}", text(case, "name"));
        let names: Vec<&str> = view.keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(serde_json::to_value(names).unwrap(), case["keys"], "{}", text(case, "name"));
    }
    assert_eq!(json(&whole(&org)), text(&file, "whole"));
}

#[test]
fn the_sample_org_reads_and_is_written_again_byte_for_byte() {
    let (file, org) = sample();
    assert_eq!(json(&org), text(&file["org"], "plaintext"));
    let place = &file["org"];
    let ok = OrgKey::from_bytes(Zeroizing::new(array(place, "key")));
    let ctx = Context::new(Purpose::Org).org(org.org).n1(org.epoch).n2(org.seq);
    let sealed = seal_with_nonce(&ok, &ctx, &to_json(&org), &array(place, "nonce")).unwrap();
    assert!(sealed == envelope(place));
}

#[test]
fn sealed_views_are_those_that_the_sample_org_pins() {
    let (file, org) = sample();
    let mut pinned = 0;
    for case in cases(&file) {
        let (vk, view) = (ViewKey::from_bytes(Zeroizing::new(array(case, "key"))), array(case, "view"));
        let place = ViewPlace { org: org.org, view: ViewId::from_bytes(view), seq: number(case, "seq") };
        let opened = View::open(&vk, place, &envelope(case)).unwrap();
        assert_eq!(json(&opened), text(case, "plaintext"), "{}", text(case, "name"));
        let ctx = Context::new(Purpose::View).org(org.org).b(&view).n2(place.seq);
        let sealed = seal_with_nonce(&vk, &ctx, &to_json(&opened), &array(case, "nonce")).unwrap();
        assert!(sealed == envelope(case), "{}", text(case, "name"));
        if let Some(entry) = org.views.iter().find(|entry| entry.audience() == Audience::Groups(groups(case)))
        {
            assert_eq!((entry.id, entry.sha256), (place.view, sealed.sha256()));
            pinned += 1;
        }
    }
    assert_eq!(pinned, 3);
}

#[test]
fn views_of_gateways_are_built_byte_for_byte_and_are_those_that_the_sample_org_pins() {
    let (file, org) = sample();
    let gateways = file["gateways"].as_array().unwrap();
    assert_eq!(gateways.len(), 2);
    for case in gateways {
        let audience = Audience::Gateway(IdentityId::from_bytes(array(case, "gateway")));
        let view = build_for(&org, &org.facts(), &audience);
        assert_eq!(json(&view), text(case, "plaintext"), "{}", text(case, "name"));
        let named = |agent: &ViewAgent| {
            let keys = view.keys.iter().filter(|key| agent.keys.iter().any(|listed| listed.key == key.id));
            let keys: Vec<&str> = keys.map(|key| key.name.as_str()).collect();
            (agent.name.to_string(), serde_json::to_value(keys).unwrap())
        };
        let agents: serde_json::Map<String, Value> = view.agents.iter().map(named).collect();
        assert_eq!(Value::Object(agents), case["agents"], "{}", text(case, "name"));
        let (vk, id) = (ViewKey::from_bytes(Zeroizing::new(array(case, "key"))), array(case, "view"));
        let place = ViewPlace { org: org.org, view: ViewId::from_bytes(id), seq: number(case, "seq") };
        assert_eq!(json(&View::open(&vk, place, &envelope(case)).unwrap()), text(case, "plaintext"));
        let entry = org.views.iter().find(|entry| entry.audience() == audience).unwrap();
        assert_eq!((entry.id, entry.sha256), (place.view, envelope(case).sha256()));
    }
}

#[test]
fn a_reader_notices_whatever_a_view_shows_and_nothing_else() {
    let (_, org) = sample();
    let facts = org.facts();
    let edge = org.identities.iter().find(|identity| identity.name.as_str() == "edge").unwrap();
    let base = || build_for(&org, &facts, &edge.audience());
    let changed = |change: fn(&mut View)| {
        let mut view = base();
        change(&mut view);
        !same_content(&base(), &view)
    };
    assert!(!changed(|_| ()));
    assert!(!changed(|view| view.seq += 1));
    assert!(!changed(|view| view.org_name = "Other".parse().unwrap()));
    assert!(changed(|view| view.keys[0].name = "other".parse().unwrap()));
    assert!(changed(|view| view.keys[0].provider = Some("other".to_owned())));
    assert!(changed(|view| view.keys[0].version += 1));
    assert!(changed(|view| view.keys[0].reseal += 1));
    assert!(changed(|view| view.keys[0].sha256 = keyward_wire::Sha256::of(b"other")));
    assert!(changed(|view| drop(view.keys.pop())));
    assert!(changed(|view| drop(view.deployments.pop())));
    assert!(changed(|view| view.deployments[0].name = "other".parse().unwrap()));
    assert!(changed(|view| view.deployments[0].provider = None));
    assert!(changed(|view| drop(view.deployments[0].mappings.pop())));
    assert!(changed(|view| view.deployments[0].mappings[0].env = "OTHER".parse().unwrap()));
    assert!(changed(|view| drop(view.agents.pop())));
    assert!(changed(|view| view.agents[0].name = "other".parse().unwrap()));
    assert!(changed(|view| view.agents[0].secret_sha256 = keyward_wire::Sha256::of(b"other")));
    assert!(changed(|view| view.agents[0].not_after = Some(1)));
    assert!(changed(|view| view.agents[0].keys.clear()));
}

#[test]
fn every_set_of_groups_is_asked_about_once() {
    let (file, _) = sample();
    let sets: BTreeMap<_, _> = cases(&file).iter().map(|case| (groups(case), text(case, "name"))).collect();
    assert_eq!(sets.len(), 13);
}

/// The file, and its ORG as the crate reads it: out of its envelope.
fn sample() -> (Value, Org) {
    let file: Value = serde_json::from_str(include_str!("../../../../tests/vectors/views.json")).unwrap();
    let case = &file["org"];
    let place = OrgPlace {
        org: OrgId::from_bytes(array(case, "id")),
        epoch: number(case, "epoch"),
        seq: number(case, "seq"),
    };
    let org = Org::open(&OrgKey::from_bytes(Zeroizing::new(array(case, "key"))), place, &envelope(case));
    (file, org.unwrap())
}

fn cases(file: &Value) -> &[Value] {
    let cases = file["views"].as_array().unwrap();
    assert_eq!(cases.len(), 13);
    cases
}

fn groups(case: &Value) -> BTreeSet<GroupId> {
    let id = |group: &Value| HEXLOWER.decode(group.as_str().unwrap().as_bytes()).unwrap();
    let groups = case["groups"].as_array().unwrap().iter();
    groups.map(|group| GroupId::from_bytes(id(group).try_into().unwrap())).collect()
}

fn json<T: serde::Serialize>(document: &T) -> String {
    String::from_utf8(to_json(document).to_vec()).unwrap()
}

fn envelope(case: &Value) -> Envelope {
    serde_json::from_value(case["envelope"].clone()).unwrap()
}

fn text<'c>(case: &'c Value, field: &str) -> &'c str {
    case[field].as_str().unwrap()
}

fn number(case: &Value, field: &str) -> u64 {
    text(case, field).parse().unwrap()
}

fn array<const N: usize>(case: &Value, field: &str) -> [u8; N] {
    HEXLOWER.decode(text(case, field).as_bytes()).unwrap().try_into().unwrap()
}
