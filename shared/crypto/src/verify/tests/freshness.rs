//! Authentic, but not new enough: MS-14 to MS-20, MS-64, MS-68.

use super::*;
use crate::fixture::Organisation;
use crate::state::cred::CredFacts;

/// The agent's bundle at seq 2, and the sample moved on to seq 3, where the agent has a new grant.
fn moved_on() -> (Sample, Bundle) {
    let mut sample = Sample::new();
    let (alpha, old) = (sample.alpha, sample.organisation.server.bundle(sample.agent.id));
    sample.organisation.write(|draft| draft.add_version(alpha, &value("new")).unwrap());
    (sample, old)
}

fn remembering(local: Local) -> Floors {
    Floors { local, ..Floors::default() }
}

/// MS-14.
#[test]
fn a_complete_older_state_is_refused_by_a_client_that_saw_the_newer() {
    let (sample, old) = moved_on();
    let new = sample.organisation.server.bundle(sample.agent.id);
    let seen = believe(&sample, &new, &Floors::default()).unwrap().seen;
    let said = stale(believe(&sample, &old, &remembering(seen.clone())));
    assert_eq!(said, Stale::Seq { seen: 2, floor: 3, source_of_floor: "this client's memory" });
    assert!(believe(&sample, &new, &remembering(seen)).is_ok(), "the same state once more");
}

/// MS-15.
#[test]
fn an_older_state_is_refused_below_any_floor_even_without_memory() {
    let (sample, old) = moved_on();
    let pinned = Floors { min_seq: 3, ..Floors::default() };
    let said = stale(believe(&sample, &old, &pinned));
    assert_eq!(said, Stale::Seq { seen: 2, floor: 3, source_of_floor: "--min-seq (KEYWARD_MIN_SEQ)" });
    let issued = with(&sample.agent, |facts| facts.min_seq = 3);
    let said = stale(verify_bundle(&issued, &old, &Floors::default(), sample.organisation.now));
    assert_eq!(said, Stale::Seq { seen: 2, floor: 3, source_of_floor: "this credential" });
    let new = sample.organisation.server.bundle(sample.agent.id);
    assert!(verify_bundle(&issued, &new, &pinned, sample.organisation.now).is_ok());
}

/// MS-16, the documented limit.
#[test]
fn without_memory_or_pin_an_older_state_is_believed_and_shows_its_age() {
    let (sample, old) = moved_on();
    let verified = believe(&sample, &old, &Floors::default()).unwrap();
    assert_eq!((verified.seq, verified.epoch), (2, 1));
    assert_eq!(verified.issued_at, sample.organisation.now - 1000);
}

/// MS-17.
#[test]
fn another_state_at_a_seq_that_was_seen_is_a_fork() {
    let (mut sample, alpha) = {
        let sample = Sample::new();
        let alpha = sample.alpha;
        (sample, alpha)
    };
    let mut fork = sample.organisation.draft();
    fork.add_version(alpha, &value("forked")).unwrap();
    let fork = sample.organisation.finish(fork).request;
    sample.organisation.write(|draft| draft.add_version(alpha, &value("new")).unwrap());
    let honest = sample.organisation.server.bundle(sample.agent.id);
    let seen = believe(&sample, &honest, &Floors::default()).unwrap().seen;
    let forked = lie(&sample, &sample.agent, |bundle| {
        let grant = fork.grants.iter().find(|grant| grant.identity == sample.agent.id).unwrap();
        let view = fork.views.iter().find(|view| view.id == grant.view).unwrap();
        bundle.grant.as_mut().unwrap().env = grant.env.clone();
        bundle.view.as_mut().unwrap().env = view.env.clone();
    });
    assert!(believe(&sample, &forked, &Floors::default()).is_ok());
    assert_eq!(stale(believe(&sample, &forked, &remembering(seen))), Stale::Fork { seq: 3 });
}

/// MS-18.
#[test]
fn an_epoch_below_any_floor_is_refused() {
    let sample = Sample::new();
    let bundle = sample.organisation.server.bundle(sample.agent.id);
    let refused = |source_of_floor| Stale::Epoch { seen: 1, floor: 2, source_of_floor };
    let remembered = remembering(Local { epoch: 2, ..Local::default() });
    assert_eq!(stale(believe(&sample, &bundle, &remembered)), refused("this client's memory"));
    let pinned = Floors { min_epoch: 2, ..Floors::default() };
    assert_eq!(stale(believe(&sample, &bundle, &pinned)), refused("--min-epoch (KEYWARD_MIN_EPOCH)"));
    let issued = with(&sample.agent, |facts| facts.epoch = 2);
    let said = stale(verify_bundle(&issued, &bundle, &Floors::default(), 0));
    assert_eq!(said, refused("this credential"));
}

/// MS-20, `--max-age`.
#[test]
fn a_grant_older_than_max_age_is_refused_and_one_just_as_old_is_not() {
    let sample = Sample::new();
    let bundle = sample.organisation.server.bundle(sample.agent.id);
    let issued = sample.organisation.now;
    let floors = Floors { max_age: Some(60_000), ..Floors::default() };
    let at = |now| verify_bundle(&sample.agent, &bundle, &floors, now);
    assert!(at(issued + 60_000).is_ok());
    assert_eq!(stale(at(issued + 60_001)), Stale::TooOld { age_secs: 60 });
    assert!(at(issued - 3_600_000).is_ok(), "a clock that is behind");
}

/// MS-20, MS-64: the server says yes, the credential or the grant says it is over.
#[test]
fn what_has_ended_is_refused_whatever_the_server_says() {
    let mut sample = Sample::new();
    let end = sample.organisation.now + 10_000;
    let bundle = sample.organisation.server.bundle(sample.agent.id);
    let device = with(&sample.agent, |facts| facts.not_after = Some(end));
    let at = |cred: &Cred, bundle: &Bundle, now| {
        verify_bundle(cred, bundle, &Floors::default(), now).map(|verified| verified.not_after)
    };
    assert_eq!(at(&device, &bundle, end - 1).unwrap(), Some(end));
    assert_eq!(stale(at(&device, &bundle, end)), Stale::Ended);

    let agent = sample.agent.id;
    sample.organisation.write(|draft| {
        draft.org.identities.iter_mut().find(|i| i.id == agent).unwrap().not_after = Some(end - 5);
    });
    let bundle = sample.organisation.server.bundle(agent);
    for cred in [&device, &sample.agent] {
        assert_eq!(at(cred, &bundle, end - 6).unwrap(), Some(end - 5), "the earlier end counts");
        assert_eq!(stale(at(cred, &bundle, end - 5)), Stale::Ended);
    }
}

/// MS-68.
#[test]
fn no_clock_makes_it_crash() {
    let sample = Sample::new();
    let (agent, owner) = (&sample.agent, &sample.organisation.owner);
    let floors = Floors { max_age: Some(1000), ..Floors::default() };
    for now in [i64::MIN, -1, 0, i64::MAX] {
        for cred in [agent, owner] {
            let bundle = sample.organisation.server.bundle(cred.id);
            let believed = verify_bundle(cred, &bundle, &floors, now);
            assert_eq!(believed.is_ok(), now <= 0, "{now}");
        }
    }
}

#[test]
fn memory_only_moves_forward() {
    let (sample, old) = moved_on();
    let older = believe(&sample, &old, &Floors::default()).unwrap().seen;
    let new = sample.organisation.server.bundle(sample.agent.id);
    let newer = believe(&sample, &new, &remembering(older.clone())).unwrap().seen;
    let pin = |bundle: &Bundle, seq| Some(Pin { seq, sha256: bundle.grant.as_ref().unwrap().env.sha256() });
    assert_eq!((older.grant, older.org, older.epoch), (pin(&old, 2), None, 1));
    assert_eq!((newer.grant, newer.org, newer.epoch), (pin(&new, 3), None, 1));
    assert_eq!(older.merge(&newer), newer);
    assert_eq!(newer.merge(&older), newer);
    let later = Local { epoch: 5, org: pin(&old, 9), ..Local::default() };
    let both = newer.merge(&later);
    assert_eq!((both.grant, both.org, both.epoch), (newer.grant, later.org, 5));
    assert_eq!(later.merge(&newer), both);
    let audited = Local { audit_head: Some(head(4)), ..Local::default() };
    assert_eq!(audited.merge(&Local { audit_head: Some(head(3)), ..Local::default() }), audited);
    assert_eq!(Local::default().merge(&audited), audited);
}

/// MS-19: a memory that does not open is for the caller to refuse, so it must not open.
#[test]
fn the_memory_of_another_installation_or_identity_does_not_open() {
    let organisation = Organisation::new();
    let Cred { ik, org, id, .. } = &organisation.owner;
    let install = crate::new_id();
    let memory = Local { epoch: 3, audit_head: Some(head(7)), ..Local::default() };
    let sealed = memory.seal(ik, *org, *id, install);
    assert_eq!(Local::open(ik, *org, *id, install, &sealed).unwrap(), memory);
    assert!(Local::open(ik, *org, *id, crate::new_id(), &sealed).is_err());
    assert!(Local::open(ik, *org, crate::new_id(), install, &sealed).is_err());
    assert!(Local::open(ik, crate::new_id(), *id, install, &sealed).is_err());
    assert!(Local::open(&IdentityKey::generate(), *org, *id, install, &sealed).is_err());
}

fn head(seq: u64) -> keyward_wire::api::org::AuditHead {
    keyward_wire::api::org::AuditHead { seq, hash: keyward_wire::Sha256::of(&seq.to_be_bytes()) }
}

/// The same identity by a credential that says something else.
fn with(cred: &Cred, change: impl FnOnce(&mut CredFacts)) -> Cred {
    let Cred { kind, org, id, ik_gen, epoch, min_seq, not_after, .. } = *cred;
    let mut facts = CredFacts { kind, org, id, ik_gen, epoch, min_seq, not_after };
    change(&mut facts);
    Cred::new(facts, &cred.ik)
}
