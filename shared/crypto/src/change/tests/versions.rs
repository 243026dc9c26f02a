//! F12: versions of a key, and the chain of ORGs.

use keyward_wire::Sha256;
use keyward_wire::limits::OLD_VERSIONS;

use super::{dek, open_view, opens, same};
use crate::change::{open_current, open_old};
use crate::fixture::{Sample, value};
use crate::state::org::{Exposure, PREV_LIMIT, Prev};
use crate::state::secret::{Secret, SecretPlace};

#[test]
fn a_new_version_has_a_fresh_dek_and_starts_unsealed_by_anybody_before() {
    let mut sample = Sample::new();
    let alpha = sample.alpha;
    let had = dek(&sample, &sample.agent, alpha).unwrap();
    let version = sample.organisation.write(|draft| draft.add_version(alpha, &value("two")).unwrap());
    assert_eq!(version, 2);
    assert!(!same(&had, &dek(&sample, &sample.agent, alpha).unwrap()));
    assert!(!opens(&sample, &had, alpha));
    let entry = open_view(&sample, &sample.agent);
    assert_eq!(entry.key(alpha).map(|key| (key.version, key.reseal)), Some((2, 0)));
    assert_eq!(sample.organisation.read(&sample.agent, "production").unwrap()[0].1, "two");
}

#[test]
fn five_old_versions_are_kept_for_owners_and_no_reader_has_one() {
    let mut sample = Sample::new();
    let alpha = sample.alpha;
    for n in 2..=8 {
        sample.organisation.write(|draft| draft.add_version(alpha, &value(&format!("v{n}"))).unwrap());
    }
    let org = sample.organisation.org();
    let key = org.key(alpha).unwrap();
    assert_eq!(key.version, 8);
    assert_eq!(key.history.iter().map(|old| old.version).collect::<Vec<_>>(), [7, 6, 5, 4, 3]);
    assert_eq!(key.history.len(), OLD_VERSIONS);
    let server = &sample.organisation.server;
    let view = open_view(&sample, &sample.agent);
    for old in &key.history {
        let envelope = &server.secrets[&(alpha, old.version)].env;
        let opened = open_old(&org, alpha, old, envelope).unwrap();
        assert_eq!(opened.value.as_slice(), format!("v{}", old.version).as_bytes());
        for held in &view.keys {
            let place = SecretPlace { org: server.org, key: alpha, version: old.version, reseal: 0 };
            assert!(Secret::open(&held.dek, place, envelope).is_err());
        }
    }
    let stored = server.secrets.keys().filter(|(key, _)| *key == alpha).count();
    assert_eq!(stored, OLD_VERSIONS + 1);
}

#[test]
fn forgotten_versions_leave_org_and_the_server_and_nobody_reads_less() {
    let mut sample = Sample::new();
    let (alpha, beta) = (sample.alpha, sample.beta);
    for n in 2..=5 {
        sample.organisation.write(|draft| draft.add_version(alpha, &value(&format!("v{n}"))).unwrap());
    }
    let stored = |sample: &Sample, key| {
        let all = sample.organisation.server.secrets.keys();
        all.filter(|(of, _)| *of == key).map(|(_, version)| *version).collect::<Vec<_>>()
    };
    assert_eq!(stored(&sample, alpha), [1, 2, 3, 4, 5]);
    let gone = sample.organisation.write(|draft| draft.forget(alpha, 3).unwrap());
    assert_eq!(gone, [3, 2, 1]);
    assert_eq!(stored(&sample, alpha), [4, 5]);
    let kept = |sample: &Sample| -> Vec<u64> {
        sample.organisation.org().key(alpha).unwrap().history.iter().map(|old| old.version).collect()
    };
    assert_eq!(kept(&sample), [4]);
    // No view changes, so nobody needs a new one.
    assert!(sample.organisation.last().views.is_empty() && sample.organisation.last().grants.is_empty());
    assert_eq!(sample.organisation.read(&sample.agent, "production").unwrap()[0].1, "v5");

    // Never the current one, whatever the number; and no other key's.
    let gone = sample.organisation.write(|draft| draft.forget(alpha, u64::MAX).unwrap());
    assert_eq!((gone, stored(&sample, alpha), stored(&sample, beta)), (vec![4], vec![5], vec![1]));
    assert_eq!(sample.organisation.write(|draft| draft.forget(alpha, u64::MAX).unwrap()), [0; 0]);

    // History goes on from there; a version that becomes old by the same write may go with it.
    let gone = sample.organisation.write(|draft| {
        draft.add_version(alpha, &value("v6")).unwrap();
        draft.forget(alpha, 5).unwrap()
    });
    assert_eq!((gone, stored(&sample, alpha)), (vec![5], vec![6]));
    sample.organisation.write(|draft| draft.add_version(alpha, &value("v7")).unwrap());
    assert_eq!((kept(&sample), stored(&sample, alpha)), (vec![6], vec![6, 7]));
}

#[test]
fn a_stored_version_is_held_to_the_hash_that_org_pins() {
    let mut sample = Sample::new();
    let (alpha, beta) = (sample.alpha, sample.beta);
    sample.organisation.write(|draft| draft.add_version(alpha, &value("two")).unwrap());
    let org = sample.organisation.org();
    let key = org.key(alpha).unwrap();
    let stored = |key, version| &sample.organisation.server.secrets[&(key, version)].env;
    assert_eq!(open_current(&org, key, stored(alpha, 2)).unwrap().value.as_slice(), b"two");
    assert!(open_current(&org, key, stored(alpha, 1)).is_err());
    assert!(open_current(&org, key, stored(beta, 1)).is_err());
    assert!(open_old(&org, alpha, &key.history[0], stored(alpha, 2)).is_err());

    // The same value, sealed once more under the same key: right in all but the hash.
    let place = SecretPlace { org: org.org, key: alpha, version: 2, reseal: 0 };
    let again = value("two").seal(&key.dek, place).unwrap();
    assert!(Secret::open(&key.dek, place, &again).is_ok());
    assert!(open_current(&org, key, &again).is_err());
    let place = SecretPlace { version: 1, ..place };
    let again = value("one").seal(&key.history[0].dek, place).unwrap();
    assert!(open_old(&org, alpha, &key.history[0], &again).is_err());
}

#[test]
fn history_remembers_who_may_know_each_value_after_the_key_was_rotated() {
    let mut sample = Sample::new();
    let alpha = sample.alpha;
    let mark = |who: &str, version, at| Exposure {
        identity_name: who.parse().unwrap(),
        version,
        at,
        why: "excluded".to_owned(),
    };
    let mut rotate = |marks: Vec<Exposure>| {
        sample.organisation.write(|draft| draft.org.key_mut(alpha).unwrap().exposed = marks);
        sample.organisation.write(|draft| {
            draft.add_version(alpha, &value("next")).unwrap();
            draft.org.key_mut(alpha).unwrap().exposed.clear();
        });
    };
    rotate(vec![mark("u1", 1, 10), mark("u2", 1, 10)]);
    rotate(Vec::new());
    rotate(vec![mark("u1", 3, 30), mark("u4", 3, 30)]);
    let org = sample.organisation.org();
    let key = org.key(alpha).unwrap();
    assert!(key.exposed.is_empty());
    assert_eq!(key.exposed_since(4), []);
    assert_eq!(key.exposed_since(2), [mark("u1", 3, 30), mark("u4", 3, 30)]);
    assert_eq!(key.exposed_since(1), [mark("u1", 3, 30), mark("u4", 3, 30), mark("u2", 1, 10)]);
}

#[test]
fn each_org_lists_its_predecessors_newest_first_and_the_newest_sixty_four_only() {
    let mut sample = Sample::new();
    let mut hashes: Vec<(u64, Sha256)> = vec![base(&sample)];
    while sample.organisation.server.state.seq < PREV_LIMIT as u64 + 5 {
        sample.organisation.write(|_| ());
        let last = sample.organisation.last().base;
        assert_eq!((last.seq, last.sha256), hashes[0]);
        hashes.insert(0, base(&sample));
        let org = sample.organisation.org();
        let newest = org.prev.iter().take(hashes.len() - 1).map(|Prev { seq, sha256 }| (*seq, *sha256));
        assert!(newest.eq(hashes[1..].iter().copied().take(PREV_LIMIT)));
    }
    let prev = sample.organisation.org().prev;
    assert_eq!(prev.len(), PREV_LIMIT);
    assert_eq!((prev[0].seq, prev[PREV_LIMIT - 1].seq), (68, 5));
}

#[test]
fn a_finished_write_says_where_the_organisation_will_stand() {
    let sample = Sample::new();
    let finished = sample.organisation.finish(sample.organisation.draft());
    assert_eq!(finished.after.seq, 3);
    assert_eq!(finished.after.sha256, finished.request.org.sha256());
    assert_eq!((finished.request.base.seq, finished.request.base.sha256), base(&sample));
    let org = sample.organisation.org();
    assert_eq!((org.written_by, org.written_at), (sample.organisation.owner.id, sample.organisation.now));
}

fn base(sample: &Sample) -> (u64, Sha256) {
    let state = &sample.organisation.server.state;
    (state.seq, state.env.sha256())
}
