//! Owners and admins: ORG, its chain and its forks (MS-40, MS-42, MS-43).

use keyward_wire::api::Role;
use keyward_wire::api::bundle::OrgItem;
use keyward_wire::{Purpose, Sha256};

use super::*;
use crate::Context;
use crate::fixture::Organisation;
use crate::state::org::{PREV_LIMIT, Prev};
use crate::state::to_json;

fn verify(
    organisation: &Organisation,
    answer: &OrgAnswer,
    local: &Local,
) -> Result<VerifiedOrg, VerifyError> {
    let floors = Floors { local: local.clone(), ..Floors::default() };
    verify_org(&organisation.owner, answer, &floors, organisation.now)
}

fn answer(organisation: &Organisation) -> OrgAnswer {
    organisation.server.answer(organisation.owner.id)
}

#[test]
fn an_owner_reads_everything_by_either_answer() {
    let sample = Sample::new();
    let organisation = &sample.organisation;
    let owner = &organisation.owner;
    let bundle = organisation.server.bundle(owner.id);
    let verified = verify_bundle(owner, &bundle, &Floors::default(), organisation.now).unwrap();
    assert_eq!(verified.view.keys.len(), 3);
    assert_eq!(verified.view.deployments.len(), 2);
    assert_eq!((verified.seq, verified.view.seq, verified.epoch), (2, 2, 1));
    assert_eq!(verified.issued_at, organisation.now);
    assert_eq!(verified.not_after, owner.not_after);
    let direct = organisation.verified();
    assert_eq!(direct.org.seq, 2);
    assert_eq!(direct.seen, verified.seen);
    assert_eq!(direct.seen.org.unwrap().sha256, organisation.server.state.env.sha256());
    assert!(direct.continuous && verified.continuous && verified.administers);
    let bundle = organisation.server.bundle(sample.agent.id);
    assert!(!believe(&sample, &bundle, &Floors::default()).unwrap().administers);
}

/// MS-42.
#[test]
fn an_older_org_is_refused() {
    let mut organisation = Organisation::new();
    let old = answer(&organisation);
    organisation.write(|_| ());
    let seen = organisation.verified().seen;
    let said = stale(verify(&organisation, &old, &seen));
    assert_eq!(said, Stale::Seq { seen: 1, floor: 2, source_of_floor: "this client's memory" });
    assert!(verify(&organisation, &answer(&organisation), &seen).is_ok());
    let pinned = Floors { min_seq: 3, ..Floors::default() };
    let said = stale(verify_org(&organisation.owner, &answer(&organisation), &pinned, organisation.now));
    assert_eq!(said, Stale::Seq { seen: 2, floor: 3, source_of_floor: "--min-seq (KEYWARD_MIN_SEQ)" });
}

/// MS-43: two writes from one base; whoever saw one refuses the other, and all that is built on it.
#[test]
fn a_fork_is_noticed_at_its_seq_and_ever_after() {
    let mut organisation = Organisation::new();
    let fork = organisation.finish(organisation.draft()).request;
    organisation.write(|_| ());
    let seen = organisation.verified().seen;
    let forked = OrgAnswer { env: fork.org.clone(), ..answer(&organisation) };
    assert_eq!(stale(verify(&organisation, &forked, &seen)), Stale::Fork { seq: 2 });

    let mut other = Organisation::new();
    other.apply(fork);
    other.write(|_| ());
    assert_eq!(stale(verify(&other, &answer(&other), &seen)), Stale::Fork { seq: 2 });
    organisation.write(|_| ());
    assert!(verify(&organisation, &answer(&organisation), &seen).unwrap().continuous);
}

#[test]
fn a_memory_of_a_state_that_never_was_is_a_fork() {
    let mut organisation = Organisation::new();
    organisation.write(|_| ());
    let pin = Pin { seq: 1, sha256: Sha256::of(b"another") };
    let local = Local { org: Some(pin), ..Local::default() };
    assert_eq!(stale(verify(&organisation, &answer(&organisation), &local)), Stale::Fork { seq: 1 });
    // Older than anything an organisation has: there is no seq 0.
    let local = Local { org: Some(Pin { seq: 0, ..pin }), ..Local::default() };
    assert!(!verify(&organisation, &answer(&organisation), &local).unwrap().continuous);
}

/// MS-42: a chain that should list the state this client saw, and does not.
#[test]
fn a_chain_with_a_gap_where_the_memory_is_is_a_fork() {
    for gap in [|prev: &Prev| prev.seq != 2, |_: &Prev| false] {
        let mut organisation = Organisation::new();
        organisation.write(|_| ());
        let seen = organisation.verified().seen;
        organisation.write(|_| ());
        organisation.write(|draft| draft.org.prev.retain(gap));
        let said = stale(verify(&organisation, &answer(&organisation), &seen));
        assert_eq!(said, Stale::Fork { seq: 2 });
    }
}

/// CRYPTO.md §2.7, “Admin client”: visible, not refused.
#[test]
fn a_memory_older_than_the_chain_is_said_to_be_unverifiable() {
    let mut organisation = Organisation::new();
    let first = organisation.verified().seen;
    organisation.write(|_| ());
    let second = organisation.verified().seen;
    while organisation.server.state.seq < PREV_LIMIT as u64 + 2 {
        organisation.write(|_| ());
    }
    let verified = verify(&organisation, &answer(&organisation), &first).unwrap();
    assert!(!verified.continuous);
    assert_eq!(verified.seen.org.map(|pin| pin.seq), Some(66));
    assert!(verify(&organisation, &answer(&organisation), &second).unwrap().continuous);
    let bundle = organisation.server.bundle(organisation.owner.id);
    let floors = Floors { local: first, ..Floors::default() };
    let verified = verify_bundle(&organisation.owner, &bundle, &floors, organisation.now).unwrap();
    assert!(!verified.continuous);
}

#[test]
fn a_lie_about_org_or_its_key_is_noticed() {
    let sample = Sample::new();
    let organisation = &sample.organisation;
    let honest = answer(organisation);
    let lies: [fn(&mut OrgAnswer); 7] = [
        |answer| answer.nonce = Nonce::from_bytes([7; 32]),
        |answer| answer.epoch = 2,
        |answer| answer.seq = 3,
        |answer| answer.seq = 1,
        |answer| answer.env = flipped(&answer.env, 100).unwrap(),
        |answer| answer.orgkey = flipped(&answer.orgkey, 100).unwrap(),
        |answer| answer.orgkey = answer.env.clone(),
    ];
    for tell in lies {
        let mut answer = honest.clone();
        tell(&mut answer);
        assert_integrity(verify(organisation, &answer, &Local::default()));
    }
    let mut bundle = organisation.server.bundle(organisation.owner.id);
    bundle.org.as_mut().unwrap().seq = 9;
    assert_integrity(read(&organisation.owner, &bundle, "production", organisation.now));
}

/// What stands inside ORG must be its place, though only an admin could make it otherwise.
#[test]
fn an_org_that_says_another_place_than_its_own_is_noticed() {
    let sample = Sample::new();
    let organisation = &sample.organisation;
    let ok = organisation.verified().ok;
    let place = OrgPlace { org: organisation.server.org, epoch: 1, seq: 2 };
    let lies: [fn(&mut Org); 4] = [
        |org| org.seq = 9,
        |org| org.epoch = 9,
        |org| org.org = crate::new_id(),
        |org| org.nonce = Nonce::from_bytes([7; 32]),
    ];
    for tell in lies {
        let mut org = organisation.org();
        tell(&mut org);
        let ctx = Context::new(Purpose::Org).org(place.org).n1(place.epoch).n2(place.seq);
        let env = crate::seal(&ok, &ctx, &to_json(&org)).unwrap();
        let answer = OrgAnswer { env, ..answer(organisation) };
        assert_integrity(verify(organisation, &answer, &Local::default()));
    }
}

/// MS-40, seen from below: even with the organisation key in hand, a reader is no admin.
#[test]
fn only_who_administers_by_org_reads_org() {
    let sample = Sample::new();
    let organisation = &sample.organisation;
    let verified = organisation.verified();
    let server = &organisation.server;
    for (cred, works) in [(&sample.agent, false), (&organisation.owner, true)] {
        let dk = delivery_key(&cred.ik, &verified.org, cred.id);
        let document = OrgKeyDocument::new(&verified.ok, server.nonce);
        let bundle = lie(&sample, &sample.agent, |bundle| {
            bundle.orgkey = Some(document.seal_for_admin(&dk, server.org, cred.id, 1));
            bundle.org = Some(OrgItem { seq: 2, env: server.state.env.clone() });
        });
        let believed = verify_bundle(cred, &bundle, &Floors::default(), organisation.now);
        assert_eq!(believed.is_ok(), works);
        if !works {
            assert_integrity(believed);
        }
    }
    assert!(verified.org.readers().all(|reader| reader.role == Role::User));
}

#[test]
fn an_organisation_key_of_another_nonce_is_noticed() {
    let organisation = Organisation::new();
    let verified = organisation.verified();
    let dk = delivery_key(&organisation.owner.ik, &verified.org, organisation.owner.id);
    let document = OrgKeyDocument::new(&verified.ok, Nonce::from_bytes([7; 32]));
    let orgkey = document.seal_for_admin(&dk, organisation.server.org, organisation.owner.id, 1);
    let answer = OrgAnswer { orgkey, ..answer(&organisation) };
    assert_integrity(verify(&organisation, &answer, &Local::default()));
}

#[test]
fn an_owners_device_ends_like_any_other() {
    let organisation = Organisation::new();
    let end = organisation.owner.not_after.unwrap();
    let at = |now| verify_org(&organisation.owner, &answer(&organisation), &Floors::default(), now);
    assert!(at(end - 1).is_ok());
    assert_eq!(stale(at(end)), Stale::Ended);
    let bundle = organisation.server.bundle(organisation.owner.id);
    let ended = verify_bundle(&organisation.owner, &bundle, &Floors::default(), end);
    assert_eq!(stale(ended), Stale::Ended);
    let floors = Floors { min_epoch: 2, ..Floors::default() };
    let early = verify_org(&organisation.owner, &answer(&organisation), &floors, organisation.now);
    assert!(matches!(stale(early), Stale::Epoch { seen: 1, floor: 2, .. }));
}
