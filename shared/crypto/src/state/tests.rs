use keyward_wire::{CredentialId, IdentityId, KeyId, Nonce, OrgId, ViewId};

use super::cred::{Cred, CredFacts};
use super::grant::{Grant, GrantPlace};
use super::org::{Org, OrgPlace};
use super::roots::{EscrowPlace, OrgKeyDocument, Recovery, seal_escrow, seal_root};
use super::view::{View, ViewAgent, ViewPlace};
use super::*;
use crate::fixture::Organisation;
use crate::{DeliveryKey, IdentityKey, OrgKey, RootKey, UnlockKey, ViewKey};

const ORG: OrgId = OrgId::from_bytes([1; 16]);
const WHO: IdentityId = IdentityId::from_bytes([2; 16]);

/// CRYPTO.md §2.3: the 600 bytes of a small document say nothing of what is in it.
#[test]
fn every_document_of_one_key_is_600_bytes() {
    let cred = CredentialId::from_bytes([3; 16]);
    let facts = CredFacts {
        kind: keyward_wire::api::credentials::CredentialKind::Recovery,
        org: ORG,
        id: WHO,
        ik_gen: u64::MAX,
        epoch: u64::MAX,
        min_seq: u64::MAX,
        not_after: Some(i64::MIN),
    };
    let (ik, rk, dk) = (IdentityKey::generate(), RootKey::generate(), DeliveryKey::generate());
    let place = GrantPlace { org: ORG, identity: WHO, view: ViewId::from_bytes([4; 16]), epoch: 1, seq: 1 };
    let grant =
        Grant::new(&ViewKey::generate(), u64::MAX, keyward_wire::Sha256::of(b""), i64::MIN, Some(i64::MIN));
    let orgkey = OrgKeyDocument::new(&OrgKey::generate(), Nonce::from_bytes([5; 32]));
    let escrow = EscrowPlace { org: ORG, creator: None, identity: WHO, ik_gen: 1 };
    for envelope in [
        Cred::new(facts, &ik).seal(&UnlockKey::generate(), cred),
        Recovery::new(ORG, &rk, u64::MAX).seal(&UnlockKey::generate(), cred),
        seal_escrow(&rk, escrow, &ik),
        seal_root(&ik, ORG, WHO, 1, &rk),
        orgkey.seal_for_root(&rk, ORG, 1),
        orgkey.seal_for_admin(&dk, ORG, WHO, 1),
        grant.seal(&dk, place),
    ] {
        assert_eq!(envelope.as_bytes().len(), 600, "{envelope:?}");
    }
}

#[test]
fn an_org_with_one_thing_wrong_in_its_text_does_not_read() {
    let organisation = Organisation::new();
    let ok = organisation.verified().ok;
    let place = OrgPlace { org: organisation.server.org, epoch: 1, seq: 1 };
    let json = String::from_utf8(to_json(&organisation.org()).to_vec()).unwrap();
    let reads = |json: &str| {
        let ctx = Context::new(keyward_wire::Purpose::Org).org(place.org).n1(1).n2(1);
        Org::open(&ok, place, &seal(&ok, &ctx, json.as_bytes()).unwrap()).is_ok()
    };
    assert!(reads(&json));
    let lie = |from: &str, to: &str| {
        assert_eq!(json.matches(from).count(), 1, "{from}");
        assert!(!reads(&json.replacen(from, to, 1)), "{to}");
    };
    lie("{\"v\":1,", "{\"v\":2,");
    lie("{\"v\":1,", "{\"v\":1.0,");
    lie("{\"v\":1,", "{\"v\":true,");
    lie("{\"v\":1,", "{ \"v\":1,");
    lie("{\"v\":1,", "{");
    lie("{\"v\":1,", "{\"v\":1,\"v\":1,");
    lie("\"seq\":1,", "\"seq\":1,\"seq\":1,");
    lie("\"seq\":1,", "\"seq\":1,\"policy\":{},");
    lie("\"seq\":1,", "");
    lie("\"seq\":1,", "\"seq\":\"1\",");
    lie("\"seq\":1,", "\"seq\":-1,");
    lie("\"seq\":1,", "\"seq\":2,");
    lie("\"ik_gen\":1,", "\"ik_gen\":9007199254740992,");
    assert!(reads(&json.replacen("\"ik_gen\":1,", "\"ik_gen\":9007199254740991,", 1)));
    // Its end.
    lie("\"ik_gen\":1,", "\"ik_gen\":1,\"not_after\":-1,");
    lie("\"ik_gen\":1,", "\"ik_gen\":1,\"not_after\":9007199254740992,");
    assert!(reads(&json.replacen("\"ik_gen\":1,", "\"ik_gen\":1,\"not_after\":9007199254740991,", 1)));
    lie("\"role\":\"owner\"", "\"role\":\"Owner\"");
    lie("\"role\":\"owner\"", "\"role\":\"owner\",\"state\":\"active\"");
    lie("\"Example Ltd\"", "\" Example Ltd\"");
    lie("\"views\":[]", "\"views\":null");
    let end = json.strip_suffix('}').unwrap();
    assert!(!reads(end) && !reads(&format!("{json}{json}")) && !reads("") && !reads("null"));
}

/// As a gateway reads it: how long each agent is served.
#[test]
fn a_view_in_which_a_time_or_number_is_out_of_range_does_not_read() {
    let (vk, place) =
        (ViewKey::generate(), ViewPlace { org: ORG, view: ViewId::from_bytes([4; 16]), seq: 1 });
    let reads = |seq: u64, not_after: i64| {
        let agent = ViewAgent {
            id: keyward_wire::AgentId::from_bytes([5; 16]),
            name: "bot".parse().unwrap(),
            secret_sha256: keyward_wire::Sha256::of(b""),
            not_after: Some(not_after),
            keys: Vec::new(),
        };
        let (deployments, keys, agents) = (Vec::new(), Vec::new(), vec![agent]);
        let view = View { v: V1, seq, org_name: "Example Ltd".parse().unwrap(), deployments, keys, agents };
        View::open(&vk, place, &view.seal(&vk, place).unwrap()).is_ok()
    };
    assert!(reads(1, 0) && reads((1 << 53) - 1, (1 << 53) - 1));
    assert!(!reads(1 << 53, 0));
    for not_after in [-1, i64::MIN, 1 << 53, i64::MAX] {
        assert!(!reads(1, not_after), "{not_after}");
    }
}

#[test]
fn ids_and_keys_have_one_spelling() {
    #[derive(Serialize, Deserialize)]
    struct Texts {
        #[serde(with = "text::id")]
        id: KeyId,
        #[serde(with = "text::key")]
        key: DeliveryKey,
        #[serde(with = "text::ids")]
        ids: std::collections::BTreeSet<KeyId>,
    }
    let (id, key) = ("_".repeat(21) + "w", "_".repeat(42) + "8");
    let good = format!(r#"{{"id":"{id}","key":"{key}","ids":["{}","{id}"]}}"#, "A".repeat(22));
    let read = |json: &str| serde_json::from_str::<Texts>(json);
    let texts = read(&good).unwrap();
    assert_eq!(texts.id, KeyId::from_bytes([0xff; 16]));
    assert_eq!(String::from_utf8(to_json(&texts).to_vec()).unwrap(), good);
    for (from, to) in [
        (format!("\"{id}\",\"key"), format!("\"{}x\",\"key", "_".repeat(21))),
        (format!("\"{id}\",\"key"), format!("\"{id}==\",\"key")),
        (format!("\"{id}\",\"key"), format!("\"{}w\",\"key", "/".repeat(21))),
        (format!("\"{id}\",\"key"), format!("\"{}\",\"key", "_".repeat(21))),
        (format!("\"{id}\",\"key"), format!("\"{}\",\"key", KeyId::from_bytes([0xff; 16]))),
        (format!("\"{key}\""), format!("\"{}9\"", "_".repeat(42))),
        (format!("\"{key}\""), format!("\"{key}=\"")),
        (format!("\"{key}\""), format!("\"{}\"", "_".repeat(42))),
        (format!("\"{key}\""), "null".to_owned()),
        ("A".repeat(22), id.clone()),
    ] {
        assert!(good.contains(&from), "{from}");
        assert!(read(&good.replacen(&from, &to, 1)).is_err(), "{to}");
    }
}

#[test]
fn a_document_is_written_into_a_buffer_that_never_grows() {
    let organisation = Organisation::new();
    let json = to_json(&organisation.org());
    assert_eq!(json.capacity(), json.len());
}
