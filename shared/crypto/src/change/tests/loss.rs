//! Losing access: F9, F10, F11 and I9.

use keyward_wire::api::write::NewKeys;
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{IdentityId, KeyId};

use super::{dek, open_view, opens, same};
use crate::change::{ChangeError, Draft, LossReason, Lost};
use crate::edit::EditError;
use crate::enrol::{ApiUser, Enroller};
use crate::fixture::{Sample, enrol, name, remove, value, variable};
use crate::state::org::Exposure;

#[test]
fn an_excluded_key_is_in_nothing_its_reader_can_open() {
    let sample = Sample::new();
    let view = open_view(&sample, &sample.agent);
    assert_eq!(sample.organisation.readable(&sample.agent), ["alpha", "beta"]);
    assert!(view.key(sample.secret).is_none());
    assert!(view.deployments.iter().all(|d| d.mappings.iter().all(|m| m.key != sample.secret)));
    assert!(view.keys.iter().all(|key| !opens(&sample, &key.dek, sample.secret)));
    assert!(sample.organisation.readable(&sample.idler).is_empty());
    assert!(open_view(&sample, &sample.idler).deployments.is_empty());
}

#[test]
fn a_key_excluded_after_it_was_read_is_resealed() {
    let mut sample = Sample::new();
    let had = dek(&sample, &sample.agent, sample.alpha).unwrap();
    assert!(opens(&sample, &had, sample.alpha));
    exclude(&mut sample);
    assert!(!opens(&sample, &had, sample.alpha));
    assert_eq!(sample.organisation.readable(&sample.agent), ["beta"]);
    let key = &sample.organisation.org().keys[0];
    assert_eq!((key.version, key.reseal), (1, 1));
    assert_eq!(key.exposed, [exposure(&sample, "agent", 1, "excluded")]);
}

#[test]
fn a_key_included_again_comes_with_another_dek_and_the_same_value() {
    let mut sample = Sample::new();
    let had = dek(&sample, &sample.agent, sample.alpha).unwrap();
    exclude(&mut sample);
    let (web, production, alpha) = (sample.web, sample.production, sample.alpha);
    sample.organisation.write(|draft| draft.org.include(web, production, &[alpha].into()).unwrap());
    let has = dek(&sample, &sample.agent, alpha).unwrap();
    assert!(!same(&had, &has) && opens(&sample, &has, alpha));
    let values = sample.organisation.read(&sample.agent, "production").unwrap();
    assert_eq!(values[0], ("ALPHA".to_owned(), "alpha-value".to_owned()));
}

#[test]
fn a_new_version_of_an_excluded_key_reaches_nobody_it_is_excluded_for() {
    let mut sample = Sample::new();
    let secret = sample.secret;
    sample.organisation.write(|draft| draft.add_version(secret, &value("new")).unwrap());
    let view = open_view(&sample, &sample.agent);
    assert!(view.keys.iter().all(|key| !opens(&sample, &key.dek, secret)));
    assert!(grants(&sample).iter().all(|id| *id == sample.robot.id));
    assert_eq!(sample.organisation.read(&sample.robot, "backup").unwrap()[0].1, "new");
}

#[test]
fn an_exclusion_in_one_group_takes_the_key_from_who_has_it_by_another() {
    let mut sample = Sample::new();
    let (ops, agent) = (sample.ops, sample.agent.id);
    sample.organisation.write(|draft| draft.org.add_member(ops, agent).unwrap());
    assert_eq!(sample.organisation.readable(&sample.agent), ["alpha", "beta"]);
    assert_eq!(sample.organisation.readable(&sample.robot), ["beta", "secret"]);
}

#[test]
fn an_unmapped_key_is_resealed_for_those_who_have_it_no_other_way() {
    let mut sample = Sample::new();
    let (production, ops, beta, agent) = (sample.production, sample.ops, sample.beta, sample.agent.id);
    let had = dek(&sample, &sample.agent, beta).unwrap();
    sample.organisation.write(|draft| {
        draft.set_loss_reason(LossReason::Unmapped);
        draft.org.unmap(production, beta).unwrap();
    });
    assert!(!opens(&sample, &had, beta));
    let key = &sample.organisation.org().keys[1];
    assert_eq!(key.exposed, [exposure(&sample, "agent", 1, "unmapped")]);
    assert_eq!(sample.organisation.read(&sample.robot, "backup").unwrap()[1].1, "beta-value");

    sample.organisation.write(|draft| draft.org.add_member(ops, agent).unwrap());
    let (reseal, alpha) = (sample.organisation.org().keys[1].reseal, sample.alpha);
    sample.organisation.write(|draft| draft.org.map(production, beta, variable("BETA")).unwrap());
    sample.organisation.write(|draft| draft.org.unmap(production, beta).unwrap());
    assert_eq!(sample.organisation.org().keys[1].reseal, reseal, "still readable by the other group");
    assert!(open_view(&sample, &sample.agent).key(alpha).is_some());
}

#[test]
fn a_member_who_leaves_a_group_loses_its_keys_and_the_rest_keep_them() {
    let mut sample = Sample::new();
    let (web, agent) = (sample.web, sample.agent.id);
    let rk = sample.organisation.root_key();
    let token = sample.organisation.write(|draft| enrol(draft, &rk, "colleague", Some(web)));
    let colleague = sample.organisation.sign_in(&token);
    let had = dek(&sample, &sample.agent, sample.alpha).unwrap();
    sample.organisation.write(|draft| {
        draft.set_loss_reason(LossReason::LeftGroup);
        draft.org.remove_member(web, agent).unwrap();
    });
    assert!(sample.organisation.readable(&sample.agent).is_empty());
    assert!(!opens(&sample, &had, sample.alpha));
    assert_eq!(sample.organisation.readable(&colleague), ["alpha", "beta"]);
    let exposed = &sample.organisation.org().keys[0].exposed;
    assert_eq!(*exposed, [exposure(&sample, "agent", 1, "left group")]);
}

#[test]
fn an_identity_removed_as_usual_leaves_the_keys_as_they_were() {
    let mut sample = Sample::new();
    let (agent, alpha) = (sample.agent.id, sample.alpha);
    let had = dek(&sample, &sample.agent, alpha).unwrap();
    sample.organisation.write(|draft| remove(draft, agent));
    assert!(opens(&sample, &had, alpha));
    assert!(sample.organisation.last().secrets.is_empty());
}

#[test]
fn whatever_a_compromised_identity_could_read_is_resealed() {
    let mut sample = Sample::new();
    let agent = sample.agent.id;
    let had = open_view(&sample, &sample.agent);
    sample.organisation.write(|draft| {
        draft.mark_compromised(agent);
        remove(draft, agent);
    });
    assert_eq!(resealed(&sample), [sample.alpha, sample.beta].into());
    assert!(had.keys.iter().all(|key| !opens(&sample, &key.dek, key.id)));
    let exposed = |at: usize| sample.organisation.org().keys[at].exposed.clone();
    assert_eq!(exposed(0), [exposure(&sample, "agent", 1, "compromised")]);
    assert!(exposed(2).is_empty());
    assert_eq!(sample.organisation.read(&sample.robot, "backup").unwrap()[1].1, "beta-value");
}

#[test]
fn a_compromised_identity_can_be_replaced_under_its_name_in_the_same_write() {
    let mut sample = Sample::new();
    let (agent, web) = (sample.agent.id, sample.web);
    let had = dek(&sample, &sample.agent, sample.alpha).unwrap();
    let rk = sample.organisation.root_key();
    let token = sample.organisation.write(|draft| {
        draft.mark_compromised(agent);
        remove(draft, agent);
        enrol(draft, &rk, "agent", Some(web))
    });
    let replaced = sample.organisation.sign_in(&token);
    assert!(replaced.id != agent);
    assert!(!opens(&sample, &had, sample.alpha));
    assert_eq!(sample.organisation.readable(&replaced), ["alpha", "beta"]);
}

#[test]
fn a_key_lost_with_a_new_version_in_the_same_write_is_not_resealed_twice() {
    let mut sample = Sample::new();
    let (web, production, alpha) = (sample.web, sample.production, sample.alpha);
    let had = dek(&sample, &sample.agent, alpha).unwrap();
    sample.organisation.write(|draft| {
        draft.org.exclude(web, production, &[alpha].into()).unwrap();
        draft.add_version(alpha, &value("rotated")).unwrap();
        assert_eq!(draft.to_reseal(), []);
        assert_eq!(draft.lost(), [Lost { key: alpha, identities: vec![agent_of(draft)] }]);
    });
    assert!(!opens(&sample, &had, alpha));
    let key = &sample.organisation.org().keys[0];
    assert_eq!((key.version, key.reseal), (2, 0));
    assert_eq!(key.exposed, [exposure(&sample, "agent", 1, "excluded")]);
}

#[test]
fn who_loses_a_key_once_more_is_marked_once_with_the_version_it_knew_last() {
    let mut sample = Sample::new();
    let (web, production, alpha) = (sample.web, sample.production, sample.alpha);
    exclude(&mut sample);
    sample.organisation.write(|draft| draft.org.include(web, production, &[alpha].into()).unwrap());
    sample.organisation.write(|draft| draft.add_version(alpha, &value("new")).unwrap());
    exclude(&mut sample);
    let key = &sample.organisation.org().keys[0];
    assert_eq!((key.version, key.reseal), (2, 1));
    assert_eq!(key.exposed, [exposure(&sample, "agent", 2, "excluded")]);
}

#[test]
fn a_write_that_leaves_a_lost_key_as_it_was_is_refused() {
    let sample = Sample::new();
    let mut draft = sample.organisation.draft();
    draft.org.unassign(sample.web, sample.production).unwrap();
    let finished = draft.finish(&sample.organisation.verified().ok);
    assert!(matches!(finished, Err(ChangeError::NotResealed)));
}

#[test]
fn only_the_current_value_can_be_resealed() {
    let mut sample = Sample::new();
    let (alpha, beta) = (sample.alpha, sample.beta);
    let old = sample.organisation.server.current(alpha).env.clone();
    sample.organisation.write(|draft| draft.add_version(alpha, &value("new")).unwrap());
    let mut draft = sample.organisation.draft();
    let of_another = sample.organisation.server.current(beta).env.clone();
    for lie in [old, of_another] {
        assert!(matches!(draft.reseal(alpha, &lie), Err(ChangeError::Integrity(_))));
    }
    let unknown = KeyId::from_bytes([9; 16]);
    let current = sample.organisation.server.current(alpha).env.clone();
    assert!(matches!(draft.reseal(unknown, &current), Err(ChangeError::Edit(EditError::NotThere))));
    draft.reseal(alpha, &current).unwrap();
    assert!(
        matches!(draft.reseal(alpha, &current), Err(ChangeError::Integrity(_))),
        "it is not current any more"
    );
}

#[test]
fn a_key_mapped_where_new_keys_are_denied_is_absent_until_included() {
    let mut sample = Sample::new();
    let (web, production) = (sample.web, sample.production);
    let new = sample.organisation.write(|draft| {
        draft.org.assign(web, production, [].into(), NewKeys::Deny).unwrap();
        let new = draft.add_key(name("new"), &value("new-value")).unwrap();
        draft.org.map(production, new, variable("NEW")).unwrap();
        new
    });
    assert_eq!(sample.organisation.readable(&sample.agent), ["alpha", "beta"]);
    sample.organisation.write(|draft| draft.org.include(web, production, &[new].into()).unwrap());
    assert_eq!(sample.organisation.readable(&sample.agent), ["alpha", "beta", "new"]);
}

#[test]
fn a_key_removed_after_it_was_written_leaves_no_value_behind() {
    let mut sample = Sample::new();
    let (web, production, alpha) = (sample.web, sample.production, sample.alpha);
    sample.organisation.write(|draft| {
        draft.add_version(alpha, &value("new")).unwrap();
        let fleeting = draft.add_key(name("fleeting"), &value("x")).unwrap();
        draft.org.exclude(web, production, &[alpha].into()).unwrap();
        draft.org.remove_key(alpha).unwrap();
        draft.org.remove_key(fleeting).unwrap();
    });
    assert!(sample.organisation.last().secrets.is_empty());
    assert_eq!(sample.organisation.readable(&sample.agent), ["beta"]);
}

#[test]
fn a_reader_who_becomes_an_admin_loses_nothing() {
    let sample = Sample::new();
    let mut draft = sample.organisation.draft();
    let agent = draft.org.identities.iter_mut().find(|i| i.id == sample.agent.id).unwrap();
    agent.role = Role::Admin;
    agent.groups.clear();
    assert_eq!(draft.lost(), []);
}

#[test]
fn only_readers_of_this_organisation_are_enrolled() {
    let sample = Sample::new();
    let rk = sample.organisation.root_key();
    let mut draft = sample.organisation.draft();
    let user = |text, groups| ApiUser {
        kind: IdentityKind::Api,
        name: name(text),
        role: Role::User,
        groups,
        not_after: None,
    };
    let taken = draft.enrol_api_user(user("agent", [].into()), &Enroller::Owner(&rk));
    assert!(matches!(taken, Err(ChangeError::Edit(EditError::NameTaken { .. }))));
    let nowhere = keyward_wire::GroupId::from_bytes([9; 16]);
    let dangling = draft.enrol_api_user(user("new", [nowhere].into()), &Enroller::Owner(&rk));
    assert!(matches!(dangling, Err(ChangeError::Edit(EditError::NotThere))));
    assert_eq!(draft.org.identities.len(), 4);
}

fn exclude(sample: &mut Sample) {
    let (web, production, alpha) = (sample.web, sample.production, sample.alpha);
    sample.organisation.write(|draft| draft.org.exclude(web, production, &[alpha].into()).unwrap());
}

fn exposure(sample: &Sample, who: &str, version: u64, why: &str) -> Exposure {
    Exposure { identity_name: name(who), version, at: sample.organisation.now, why: why.to_owned() }
}

fn agent_of(draft: &Draft) -> IdentityId {
    draft.org.identities.iter().find(|identity| identity.name == name("agent")).unwrap().id
}

fn resealed(sample: &Sample) -> std::collections::BTreeSet<KeyId> {
    sample.organisation.last().secrets.iter().map(|secret| secret.key).collect()
}

fn grants(sample: &Sample) -> Vec<IdentityId> {
    sample.organisation.last().grants.iter().map(|grant| grant.identity).collect()
}
