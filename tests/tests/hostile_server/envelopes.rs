//! Damaged, swapped and displaced envelopes.

use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD};
use keyward_crypto::IdentityKey;
use keyward_crypto::state::cred::{Cred, CredFacts};
use keyward_tests::forge::rewrite;
use keyward_tests::insider::{sign_in, token_halves};
use keyward_tests::world::{ALPHA, BETA, GROUP, ROBOT, World};
use keyward_wire::OrgId;
use keyward_wire::api::credentials::CredentialKind;
use serde_json::Value;

use crate::Trap;

/// The places of a bundle's envelopes.
const PLACES: [&str; 5] = ["/cred", "/grant/env", "/view/env", "/secrets/0/env", "/secrets/1/env"];

/// The robot is shown the bundle with one envelope changed, in each of its places.
fn each_place(trap: &Trap, lie: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    for place in PLACES {
        let mut bundle = serde_json::to_value(trap.bundle()).unwrap();
        let text = bundle.pointer_mut(place).unwrap();
        let bytes = BASE64URL_NOPAD.decode(text.as_str().unwrap().as_bytes()).unwrap();
        *text = BASE64URL_NOPAD.encode(&change(bytes)).into();
        trap.serve(&bundle);
        trap.refused(6, &format!("{lie} in {place}"));
    }
}

#[test]
fn ms_01_a_flipped_bit_is_noticed_wherever_it_is() {
    let trap = Trap::new();
    for (part, at) in [("N", 8), ("C", 40), ("ct", 72), ("the padding", 500)] {
        each_place(&trap, &format!("a bit of {part}"), |mut bytes| {
            bytes[at] ^= 1;
            bytes
        });
    }
    each_place(&trap, "the last bit of the tag", |mut bytes| {
        *bytes.last_mut().unwrap() ^= 0x80;
        bytes
    });
}

#[test]
fn ms_02_another_header_is_refused_and_no_other_suite_is_tried() {
    let trap = Trap::new();
    for (lie, at, value) in [
        ("magic", 3, b'2'),
        ("purpose of ORG", 4, 0x26),
        ("purpose of nothing", 4, 0x7f),
        ("suite 0", 5, 0),
        ("suite 2", 5, 2),
        ("suite 255", 5, 255),
        ("reserved byte", 6, 1),
        ("reserved byte", 7, 1),
    ] {
        each_place(&trap, lie, |mut bytes| {
            bytes[at] = value;
            bytes
        });
    }
}

#[test]
fn ms_03_a_shortened_or_lengthened_envelope_is_refused() {
    let trap = Trap::new();
    for length in [0, 7, 87, 599] {
        each_place(&trap, &format!("{length} bytes"), |bytes| bytes[..length].to_vec());
    }
    each_place(&trap, "one byte short", |bytes| bytes[..bytes.len() - 1].to_vec());
    each_place(&trap, "one byte more", |bytes| [bytes, vec![0]].concat());
}

#[test]
fn ms_04_another_spelling_of_base64_is_refused() {
    let trap = Trap::new();
    let honest = serde_json::to_value(trap.bundle()).unwrap();
    let spell = |place: &str, lie: &str, spelling: &dyn Fn(&str) -> String| {
        let mut bundle = honest.clone();
        let text = bundle.pointer_mut(place).unwrap();
        let other = spelling(text.as_str().unwrap());
        assert_ne!(other, text.as_str().unwrap(), "{lie} in {place} is no other spelling");
        *text = other.into();
        trap.serve(&bundle);
        trap.refused(6, &format!("{lie} in {place}"));
    };
    let again = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    let places = PLACES.into_iter().chain(["/nonce"]);
    let unfilled = |place: &&str| !honest.pointer(place).unwrap().as_str().unwrap().len().is_multiple_of(4);
    assert!(places.clone().filter(unfilled).count() >= 2, "no text ends within a byte");
    for place in places {
        spell(place, "padding that belongs to no such text", &|text| format!("{text}=="));
        spell(place, "white space", &|text| {
            let (start, end) = text.split_at(40);
            format!("{start}\n{end}")
        });
        spell(place, "a final newline", &|text| format!("{text}\n"));
        if unfilled(&place) {
            spell(place, "correct padding", &|text| BASE64URL.encode(&again(text)));
            spell(place, "trailing bits", &|text| {
                let (rest, last) = text.split_at(text.len() - 1);
                let next = char::from(last.as_bytes()[0] + 1);
                format!("{rest}{next}")
            });
        }
        // A nonce may happen to have neither - nor _.
        if place != "/nonce" {
            spell(place, "the standard alphabet", &|text| {
                BASE64.encode(&again(text)).trim_end_matches('=').to_owned()
            });
        }
    }
}

#[test]
fn ms_06_two_keys_values_cannot_be_swapped() {
    let trap = Trap::new();
    let mut bundle = trap.bundle();
    let (first, second) = (bundle.secrets[0].env.clone(), bundle.secrets[1].env.clone());
    (bundle.secrets[0].env, bundle.secrets[1].env) = (second, first);
    trap.serve(&bundle);
    trap.refused(6, "values swapped");
    // The same, with the keys' names swapped along.
    let mut bundle = trap.bundle();
    let (first, second) = (bundle.secrets[0].key, bundle.secrets[1].key);
    (bundle.secrets[0].key, bundle.secrets[1].key) = (second, first);
    trap.serve(&bundle);
    trap.refused(6, "ids swapped");
}

#[test]
fn ms_07_old_version_of_one_key_is_refused() {
    let trap = Trap::new();
    let key = trap.world.insider().key(ALPHA.0);
    trap.world.change(|draft, _| draft.add_version(key, &keyward_tests::world::secret("new")).unwrap());
    let old = trap.world.insider().version(&trap.world.server, key, 1).unwrap();
    let mut bundle = trap.bundle();
    let item = bundle.secrets.iter_mut().find(|item| item.key == key).unwrap();
    assert_eq!(item.version, 2);
    item.env = old.env.clone();
    trap.serve(&bundle);
    trap.refused(6, "version 1 called 2");
    *bundle.secrets.iter_mut().find(|item| item.key == key).unwrap() = old;
    trap.serve(&bundle);
    trap.refused(6, "version 1 as it was");
}

#[test]
fn ms_07_and_11_what_a_peer_seals_with_the_keys_that_both_hold_is_refused() {
    // Every reader of a view has its VK and the DEKs in it; whoever is one and has the server's help could seal anew.
    let trap = Trap::new();
    let insider = trap.world.insider();
    let key = insider.key(ALPHA.0);
    let (dek, place) = insider.secret(key);
    let mut bundle = trap.bundle();
    let item = bundle.secrets.iter_mut().find(|item| item.key == key).unwrap();
    item.env = rewrite(&dek, &place, &place, &item.env, |secret| secret["value"] = "a peer's value".into());
    trap.serve(&bundle);
    trap.refused(6, "a peer's value under the right DEK");
    let (vk, place) = insider.view(ROBOT);
    let mut bundle = trap.bundle();
    let item = bundle.view.as_mut().unwrap();
    item.env = rewrite(&vk, &place, &place, &item.env, |view| view["org_name"] = "A peer's".into());
    trap.serve(&bundle);
    trap.refused(6, "a peer's VIEW under the right VK");
}

#[test]
fn ms_08_the_value_of_before_a_reseal_is_refused() {
    let trap = Trap::new();
    let insider = trap.world.insider();
    let (key, old) = (insider.key(ALPHA.0), trap.bundle());
    let group = insider.org.groups[0].id;
    let deployment = insider.org.deployments[0].id;
    trap.world.change(|draft, _| draft.org.exclude(group, deployment, &[key].into()).unwrap());
    trap.world.change(|draft, _| draft.org.include(group, deployment, &[key].into()).unwrap());
    let mut bundle = trap.bundle();
    let now = bundle.secrets.iter_mut().find(|item| item.key == key).unwrap();
    let before = old.secrets.into_iter().find(|item| item.key == key).unwrap();
    assert_eq!((now.version, now.reseal, before.reseal), (1, 1, 0));
    now.env = before.env;
    trap.serve(&bundle);
    trap.refused(6, "the value of before the reseal");
}

#[test]
fn ms_09_blobs_of_another_organisation_do_not_open() {
    let trap = Trap::new();
    let insider = trap.world.insider();
    let other = OrgId::from_bytes([7; 16]);
    // The same keys, ids, versions and hashes: only the organisation is another.
    trap.serve(&trap.forge(&insider).move_secret(insider.key(BETA.0), |place| place.org(other)).bundle);
    trap.refused(6, "SECRET of another organisation");
    trap.serve(&trap.forge(&insider).move_view(|place| place.org(other), |_| ()).bundle);
    trap.refused(6, "VIEW of another organisation");
    trap.serve(&trap.forge(&insider).move_grant(|place| place.org(other), |_| ()).bundle);
    trap.refused(6, "GRANT of another organisation");
    trap.serve(&trap.forge(&insider).view(|_| ()).bundle);
    trap.unharmed("sealed again, and nothing else: the forge itself is sound");
}

#[test]
fn ms_10_another_identitys_grant_and_view_do_not_open() {
    let trap = Trap::new();
    let peer = trap.world.enrol("peer", &[GROUP]);
    let loner = trap.world.enrol("loner", &[]);
    for (whose, token) in [("a peer's", &peer), ("a loner's", &loner)] {
        let (own, others) = (trap.bundle(), trap.world.bundle(token));
        let mut bundle = own.clone();
        bundle.grant = others.grant.clone();
        trap.serve(&bundle);
        trap.refused(6, &format!("{whose} GRANT"));
        bundle.view = others.view.clone();
        trap.serve(&bundle);
        trap.refused(6, &format!("{whose} GRANT and VIEW"));
        let mut bundle = others;
        bundle.cred = own.cred.clone();
        trap.serve(&bundle);
        trap.refused(6, &format!("{whose} whole bundle but CRED"));
    }
    let mut bundle = trap.bundle();
    bundle.view = trap.world.bundle(&loner).view;
    trap.serve(&bundle);
    trap.refused(6, "a loner's VIEW with the own GRANT");
}

#[test]
fn ms_11_grant_and_view_of_two_states_do_not_fit() {
    let trap = Trap::new();
    let old = trap.bundle();
    let key = trap.world.insider().key(ALPHA.0);
    trap.world.change(|draft, _| draft.add_version(key, &keyward_tests::world::secret("new")).unwrap());
    let new = trap.bundle();
    assert_ne!(old.view.as_ref().unwrap().env, new.view.as_ref().unwrap().env);
    let mut bundle = new.clone();
    bundle.grant = old.grant.clone();
    trap.serve(&bundle);
    trap.refused(6, "an old GRANT with the new VIEW");
    let mut bundle = new;
    bundle.view = old.view;
    trap.serve(&bundle);
    trap.refused(6, "the new GRANT with an old VIEW");
}

#[test]
fn ms_13_another_credentials_cred_does_not_open() {
    let trap = Trap::new();
    let peer = trap.world.enrol("peer", &[GROUP]);
    let mut bundle = trap.bundle();
    bundle.cred = trap.world.bundle(&peer).cred;
    trap.serve(&bundle);
    trap.refused(6, "a peer's CRED");
    trap.serve(&trap.world.bundle(&peer));
    trap.refused(6, "a peer's whole bundle");
    // Under the right key, for another credential's id.
    let halves = token_halves(&trap.world.token);
    let (own, _) = sign_in(&trap.world.server, &halves);
    let relabelled = cred(&trap.world, &own.ik).seal(&halves.unlock, token_halves(&peer).id);
    bundle.cred = Some(relabelled);
    trap.serve(&bundle);
    trap.refused(6, "a CRED of another id");
    let (own, _) = sign_in(&trap.world.server, &halves);
    bundle.cred = Some(cred(&trap.world, &own.ik).seal(&halves.unlock, halves.id));
    trap.serve(&bundle);
    trap.unharmed("the same for the right id: the forgery itself is sound");
}

/// The robot's CRED.
fn cred(world: &World, ik: &IdentityKey) -> Cred {
    let insider = world.insider();
    let facts = CredFacts {
        kind: CredentialKind::Token,
        org: insider.org.org,
        id: insider.identity(ROBOT).id,
        ik_gen: 1,
        epoch: 1,
        min_seq: 1,
        not_after: None,
    };
    Cred::new(facts, ik)
}

#[test]
fn ms_05_blobs_of_another_json_type_are_refused_without_a_crash() {
    let trap = Trap::new();
    let honest = serde_json::to_value(trap.bundle()).unwrap();
    let others: [(&str, Value); 5] = [
        ("a number", 7.into()),
        ("true", true.into()),
        ("an array", vec![1, 2, 3].into()),
        ("an object", serde_json::json!({ "v": 1 })),
        ("an empty text", "".into()),
    ];
    for place in PLACES.into_iter().chain(["/nonce", "/epoch", "/grant", "/view", "/secrets"]) {
        for (lie, value) in &others {
            let empty_list = place == "/secrets" && *lie == "an array";
            if (place == "/epoch" && *lie == "a number") || empty_list {
                continue;
            }
            let mut bundle = honest.clone();
            *bundle.pointer_mut(place).unwrap() = value.clone();
            trap.serve(&bundle);
            trap.refused(6, &format!("{lie} as {place}"));
        }
        // What may be absent for others is missing here; what may never be is no bundle.
        let code = if matches!(place, "/cred" | "/grant" | "/view") { 8 } else { 6 };
        let mut bundle = honest.clone();
        *bundle.pointer_mut(place).unwrap() = Value::Null;
        trap.serve(&bundle);
        trap.refused(code, &format!("null as {place}"));
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut bundle = honest.clone();
        bundle.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        trap.serve(&bundle);
        trap.refused(code, &format!("no {place}"));
    }
}
