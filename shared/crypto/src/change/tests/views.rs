//! What is rebuilt, for whom, and what is not.

use std::collections::BTreeSet;

use keyward_wire::IdentityId;
use keyward_wire::limits::VIEWS;

use super::open_view;
use crate::change::{ChangeError, Draft};
use crate::enrol::Enroller;
use crate::fixture::{Sample, enrol, name, remove, value, variable};
use crate::key::material::Material as _;
use crate::verify::{Floors, verify_bundle};

#[test]
fn renaming_the_organisation_rebuilds_nothing() {
    let mut sample = Sample::new();
    assert_eq!(rebuilt(&mut sample, |draft| draft.org.org_name = name("Renamed")), (0, [].into()));
    assert_eq!(open_view(&sample, &sample.agent).org_name, name("Example Ltd"));
    assert_eq!(sample.organisation.org().org_name, name("Renamed"));
}

#[test]
fn everybodys_entry_says_the_seq_of_their_own_grant() {
    let mut sample = Sample::new();
    let before = sample.organisation.org().identity(sample.robot.id).unwrap().grant_seq;
    let (alpha, agent) = (sample.alpha, sample.agent.id);
    sample.organisation.write(|draft| draft.org.rename_key(alpha, name("a")).unwrap());
    let org = sample.organisation.org();
    assert_eq!(org.identity(agent).unwrap().grant_seq, Some(org.seq));
    assert_eq!(org.identity(sample.robot.id).unwrap().grant_seq, before);
    assert!(before.is_some_and(|seq| seq < org.seq));
    assert!(
        org.identities.iter().all(|identity| identity.grant_seq.is_none() == identity.role.administers())
    );
}

#[test]
fn a_renamed_key_rebuilds_the_views_that_show_it_and_no_other() {
    let mut sample = Sample::new();
    let (alpha, beta, secret) = (sample.alpha, sample.beta, sample.secret);
    let (agent, robot) = (sample.agent.id, sample.robot.id);
    let rename = |key, to| move |draft: &mut Draft| draft.org.rename_key(key, name(to)).unwrap();
    assert_eq!(rebuilt(&mut sample, rename(alpha, "a")), (1, [agent].into()));
    assert_eq!(rebuilt(&mut sample, rename(secret, "s")), (1, [robot].into()));
    assert_eq!(rebuilt(&mut sample, rename(beta, "b")), (2, [agent, robot].into()));
    assert_eq!(rebuilt(&mut sample, rename(beta, "b")), (0, [].into()));
    assert_eq!(sample.organisation.readable(&sample.agent), ["a", "b"]);
}

#[test]
fn a_renamed_deployment_rebuilds_the_views_that_show_it_and_no_other() {
    let mut sample = Sample::new();
    let (backup, robot) = (sample.backup, sample.robot.id);
    let rename = |draft: &mut Draft| draft.org.rename_deployment(backup, name("archive")).unwrap();
    assert_eq!(rebuilt(&mut sample, rename), (1, [robot].into()));
    assert_eq!(sample.organisation.read(&sample.robot, "archive").unwrap().len(), 2);
}

#[test]
fn what_no_reader_can_see_rebuilds_nothing() {
    let mut sample = Sample::new();
    let changes = |draft: &mut Draft| {
        let key = draft.add_key(name("new"), &value("x")).unwrap();
        let deployment = draft.org.add_deployment(name("unassigned")).unwrap();
        draft.org.map(deployment, key, variable("NEW")).unwrap();
        draft.org.add_group(name("empty")).unwrap();
    };
    assert_eq!(rebuilt(&mut sample, changes), (0, [].into()));
}

#[test]
fn a_new_member_gets_a_grant_to_the_view_that_is_there() {
    let mut sample = Sample::new();
    let (web, rk) = (sample.web, sample.organisation.root_key());
    let token = sample.organisation.write(|draft| enrol(draft, &rk, "colleague", Some(web)));
    let colleague = sample.organisation.sign_in(&token);
    assert_eq!(last(&sample), (0, [colleague.id].into()));
    assert_eq!(sample.organisation.readable(&colleague), ["alpha", "beta"]);
    let agents_view = sample.organisation.server.grants[&sample.agent.id].view;
    assert_eq!(sample.organisation.server.grants[&colleague.id].view, agents_view);
}

#[test]
fn a_rebuilt_view_keeps_its_id_and_gets_a_fresh_key() {
    let mut sample = Sample::new();
    let entry = |sample: &Sample| {
        let org = sample.organisation.org();
        let view = org.views.iter().find(|view| view.groups == [sample.web].into()).unwrap();
        (view.id, *view.vk.bytes(), view.seq)
    };
    let (before, alpha) = (entry(&sample), sample.alpha);
    sample.organisation.write(|draft| draft.add_version(alpha, &value("new")).unwrap());
    let after = entry(&sample);
    assert_eq!(before.0, after.0);
    assert_ne!(before.1, after.1);
    assert_eq!((before.2, after.2), (2, 3));
}

#[test]
fn a_view_goes_with_its_last_reader_and_comes_back_under_another_id() {
    let mut sample = Sample::new();
    let (ops, robot) = (sample.ops, sample.robot.id);
    let was = sample.organisation.server.grants[&robot].view;
    sample.organisation.write(|draft| draft.org.remove_member(ops, robot).unwrap());
    assert_eq!(sample.organisation.last().drop_views, [was]);
    sample.organisation.write(|draft| draft.org.add_member(ops, robot).unwrap());
    assert_ne!(sample.organisation.server.grants[&robot].view, was);
    assert_eq!(sample.organisation.readable(&sample.robot), ["beta", "secret"]);
    sample.organisation.write(|draft| remove(draft, robot));
    assert_eq!(sample.organisation.server.views.len(), 2);
}

#[test]
fn a_heartbeat_grants_everybody_anew_and_builds_nothing() {
    let mut sample = Sample::new();
    let everybody = [sample.agent.id, sample.robot.id, sample.idler.id];
    assert_eq!(rebuilt(&mut sample, Draft::regrant_all), (0, everybody.into()));
    let floors = Floors { max_age: Some(500), ..Floors::default() };
    let organisation = &sample.organisation;
    let bundle = organisation.server.bundle(sample.agent.id);
    let verified = verify_bundle(&sample.agent, &bundle, &floors, organisation.now).unwrap();
    assert_eq!((verified.seq, verified.view.seq, verified.issued_at), (3, 2, organisation.now));
}

#[test]
fn org_knows_the_seq_of_every_grant_and_of_no_other() {
    let mut sample = Sample::new();
    let (alpha, agent) = (sample.alpha, sample.agent.id);
    sample.organisation.write(|draft| draft.org.rename_key(alpha, name("a")).unwrap());
    let seqs = |sample: &Sample| -> Vec<Option<u64>> {
        sample.organisation.org().identities.iter().map(|identity| identity.grant_seq).collect()
    };
    assert_eq!(seqs(&sample), [None, Some(3), Some(2), Some(2)]);
    let mut draft = sample.organisation.draft();
    let promoted = draft.org.identities.iter_mut().find(|identity| identity.id == agent).unwrap();
    promoted.role = keyward_wire::api::Role::Admin;
    sample.organisation.apply(sample.organisation.finish(draft).request);
    assert_eq!(seqs(&sample), [None, None, Some(2), Some(2)]);
}

#[test]
fn a_token_is_never_older_than_the_grant_that_comes_with_it() {
    let mut sample = Sample::new();
    let agent = sample.agent.id;
    let rk = sample.organisation.root_key();
    let escrow = sample.organisation.server.escrows[&agent].clone();
    let ik = Enroller::Owner(&rk).open(sample.organisation.server.org, &escrow).unwrap();
    let old_bundle = sample.organisation.server.bundle(agent);
    let token = sample.organisation.write(|draft| draft.issue_token(agent, 1, &ik));
    assert_eq!(last(&sample), (0, [agent].into()));
    let renewed = sample.organisation.sign_in(&token);
    assert_eq!((renewed.id, renewed.min_seq, renewed.epoch), (agent, 3, 1));
    assert_eq!(sample.organisation.readable(&renewed), ["alpha", "beta"]);
    let verified = verify_bundle(&renewed, &old_bundle, &Floors::default(), sample.organisation.now);
    assert!(verified.is_err(), "the new token refuses what the old one believed");
    assert_eq!(sample.organisation.server.credentials.values().filter(|c| c.identity == agent).count(), 1);
}

#[test]
fn a_changed_end_of_an_identity_reaches_it() {
    let mut sample = Sample::new();
    let (agent, end) = (sample.agent.id, sample.organisation.now + 5000);
    let shorten = |draft: &mut Draft| {
        draft.org.identities.iter_mut().find(|i| i.id == agent).unwrap().not_after = Some(end);
    };
    assert_eq!(rebuilt(&mut sample, shorten), (0, [agent].into()));
    let organisation = &sample.organisation;
    let bundle = organisation.server.bundle(agent);
    let at = |now| verify_bundle(&sample.agent, &bundle, &Floors::default(), now).map(|v| v.not_after);
    assert_eq!(at(end - 1).unwrap(), Some(end));
    assert!(at(end).is_err());
}

#[test]
fn sixty_five_combinations_of_groups_are_refused_and_sixty_four_are_not() {
    let mut sample = Sample::new();
    let (agent, rk) = (sample.agent.id, sample.organisation.root_key());
    // Three are in use: web, ops and none.
    sample.organisation.write(|draft| {
        for n in 3..VIEWS {
            let group = draft.org.add_group(name(&format!("group {n}"))).unwrap();
            enrol(draft, &rk, &format!("user {n}"), Some(group));
        }
    });
    assert_eq!(sample.organisation.server.views.len(), VIEWS);
    let mut draft = sample.organisation.draft();
    let group = draft.org.add_group(name("one more")).unwrap();
    enrol(&mut draft, &rk, "one more", Some(group));
    let ok = sample.organisation.verified().ok;
    assert!(matches!(draft.finish(&ok), Err(ChangeError::TooManyViews)));
    sample.organisation.write(|draft| remove(draft, agent));
    assert_eq!(sample.organisation.server.views.len(), VIEWS - 1);
}

/// Does `change`; how many views it rebuilt, and who got a new grant.
fn rebuilt(sample: &mut Sample, change: impl FnOnce(&mut Draft)) -> (usize, BTreeSet<IdentityId>) {
    sample.organisation.write(change);
    last(sample)
}

fn last(sample: &Sample) -> (usize, BTreeSet<IdentityId>) {
    let write = sample.organisation.last();
    (write.views.len(), write.grants.iter().map(|grant| grant.identity).collect())
}
