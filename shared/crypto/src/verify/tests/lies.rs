//! Things that are not what was sealed for this reader.

use keyward_wire::api::bundle::{GrantItem, ViewItem};
use keyward_wire::{KeyId, ViewId};

use super::*;
use crate::fixture::Organisation;

/// MS-01. Every part of every envelope: header, N, commitment, ciphertext, tag.
#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let sample = Sample::new();
    let length = sample.organisation.server.bundle(sample.agent.id).secrets[0].env.as_bytes().len();
    let mut told = 0;
    for at in (0..72).chain([72, 73, 300, length - 17, length - 16, length - 1]) {
        for which in 0..4 {
            let mut changed = false;
            let bundle = lie(&sample, &sample.agent, |bundle| {
                let envelope = match which {
                    0 => &mut bundle.grant.as_mut().unwrap().env,
                    1 => &mut bundle.view.as_mut().unwrap().env,
                    nth => &mut bundle.secrets[nth - 2].env,
                };
                if let Some(flipped) = flipped(envelope, at) {
                    (*envelope, changed) = (flipped, true);
                }
            });
            if changed {
                assert_integrity(agent_reads(&sample, &bundle));
                told += 1;
            }
        }
    }
    // In the header only the purpose can be another and still be one: 28 is 29, 26 is 27, and the other way round.
    assert_eq!(told, 4 * (1 + 64 + 6));
}

/// MS-06.
#[test]
fn the_values_of_two_keys_swapped_are_noticed() {
    let sample = Sample::new();
    let bundle = lie(&sample, &sample.agent, |bundle| {
        let first = bundle.secrets[0].env.clone();
        bundle.secrets[0].env = std::mem::replace(&mut bundle.secrets[1].env, first);
    });
    assert_integrity(agent_reads(&sample, &bundle));
}

/// MS-07.
#[test]
fn an_older_version_for_the_current_one_is_noticed() {
    let mut sample = Sample::new();
    let (alpha, old) = (sample.alpha, sample.organisation.server.current(sample.alpha).clone());
    sample.organisation.write(|draft| draft.add_version(alpha, &value("new")).unwrap());
    let bundle = lie(&sample, &sample.agent, |bundle| *secret_of(bundle, alpha) = old);
    assert_integrity(agent_reads(&sample, &bundle));
}

/// MS-08.
#[test]
fn the_value_as_it_was_before_a_reseal_is_noticed() {
    let mut sample = Sample::new();
    let (web, production, alpha) = (sample.web, sample.production, sample.alpha);
    let old = sample.organisation.server.current(alpha).clone();
    sample.organisation.write(|draft| draft.org.exclude(web, production, &[alpha].into()).unwrap());
    sample.organisation.write(|draft| draft.org.include(web, production, &[alpha].into()).unwrap());
    let bundle = lie(&sample, &sample.agent, |bundle| *secret_of(bundle, alpha) = old);
    assert_integrity(agent_reads(&sample, &bundle));
}

/// The same value, sealed once more under the same key for the same place: right in all but the hash.
#[test]
fn a_value_sealed_again_behind_the_admins_back_is_noticed() {
    let sample = Sample::new();
    let honest = believe(&sample, &sample.organisation.server.bundle(sample.agent.id), &Floors::default());
    let honest = honest.unwrap();
    let key = honest.key("alpha").unwrap();
    let place = SecretPlace { org: honest.org, key: key.id, version: key.version, reseal: key.reseal };
    let forged = value("forged").seal(&key.dek, place).unwrap();
    let bundle = lie(&sample, &sample.agent, |bundle| secret_of(bundle, sample.alpha).env = forged.clone());
    assert_integrity(agent_reads(&sample, &bundle));
    assert_integrity(honest.secret(key, &bundle.secrets));
}

/// MS-09.
#[test]
fn parts_of_another_organisation_are_noticed() {
    let (sample, other) = (Sample::new(), Sample::new());
    let foreign = other.organisation.server.bundle(other.agent.id);
    for part in 0..4 {
        let bundle = lie(&sample, &sample.agent, |bundle| match part {
            0 => bundle.grant = foreign.grant.clone(),
            1 => bundle.view = foreign.view.clone(),
            2 => secret_of(bundle, sample.alpha).env = foreign.secrets[0].env.clone(),
            _ => *bundle = foreign.clone(),
        });
        assert_integrity(agent_reads(&sample, &bundle));
    }
}

/// MS-09: the very same ids and keys, sealed for another organisation.
#[test]
fn a_grant_for_another_organisation_with_the_same_ids_is_noticed() {
    let sample = Sample::new();
    let elsewhere = crate::new_id();
    let bundle = reseal_grant(&sample, |place| GrantPlace { org: elsewhere, ..place });
    assert_integrity(agent_reads(&sample, &bundle));
    let bundle = reseal_grant(&sample, |place| place);
    assert!(agent_reads(&sample, &bundle).is_ok(), "the forgery is right in everything else");
}

/// MS-10.
#[test]
fn the_grant_or_view_of_another_identity_is_noticed() {
    let sample = Sample::new();
    let others = sample.organisation.server.bundle(sample.robot.id);
    for (grant, view) in [(true, false), (false, true), (true, true)] {
        let bundle = lie(&sample, &sample.agent, |bundle| {
            if grant {
                bundle.grant = others.grant.clone();
            }
            if view {
                bundle.view = others.view.clone();
            }
        });
        assert_integrity(agent_reads(&sample, &bundle));
    }
    let robot = sample.robot.id;
    let bundle = reseal_grant(&sample, |place| GrantPlace { identity: robot, ..place });
    assert_integrity(agent_reads(&sample, &bundle));
}

/// MS-11.
#[test]
fn a_grant_and_a_view_of_different_builds_are_noticed() {
    let mut sample = Sample::new();
    let alpha = sample.alpha;
    let old = sample.organisation.server.bundle(sample.agent.id);
    sample.organisation.write(|draft| draft.add_version(alpha, &value("new")).unwrap());
    let bundle = lie(&sample, &sample.agent, |bundle| bundle.grant = old.grant.clone());
    assert_integrity(agent_reads(&sample, &bundle));
    let bundle = lie(&sample, &sample.agent, |bundle| bundle.view = old.view.clone());
    assert_integrity(agent_reads(&sample, &bundle));
}

/// I5. Whoever shares a view knows its key, so only the hash in each reader's own grant tells who wrote it.
#[test]
fn a_view_written_by_somebody_who_shares_it_is_noticed() {
    let sample = Sample::new();
    let (item, grant) = opened_grant(&sample);
    let place = ViewPlace { org: sample.agent.org, view: item.view, seq: grant.view_seq };
    let honest = sample.organisation.server.bundle(sample.agent.id);
    let mut view = View::open(&grant.vk, place, &honest.view.as_ref().unwrap().env).unwrap();
    view.deployments[0].mappings.swap(0, 1);
    let env = view.seal(&grant.vk, place).unwrap();
    let bundle = lie(&sample, &sample.agent, |bundle| bundle.view.as_mut().unwrap().env = env);
    assert_integrity(agent_reads(&sample, &bundle));
}

/// A view that was authentic, under the key of another build, at the hash of this one: the seq inside tells.
#[test]
fn a_view_that_says_another_seq_than_its_grant_is_noticed() {
    let sample = Sample::new();
    let (item, grant) = opened_grant(&sample);
    let place = ViewPlace { org: sample.agent.org, view: item.view, seq: grant.view_seq };
    let honest = sample.organisation.server.bundle(sample.agent.id);
    let mut view = View::open(&grant.vk, place, &honest.view.as_ref().unwrap().env).unwrap();
    view.seq += 1;
    let env = view.seal(&grant.vk, place).unwrap();
    let dk = delivery_key(&sample.agent.ik, &sample.organisation.org(), sample.agent.id);
    let place = grant_place(&sample, &item);
    let forged = Grant::new(&grant.vk, grant.view_seq, env.sha256(), grant.issued_at, None);
    let bundle = lie(&sample, &sample.agent, |bundle| {
        bundle.grant = Some(GrantItem { env: forged.seal(&dk, place), ..item });
        bundle.view = Some(ViewItem { seq: grant.view_seq, env });
    });
    assert_integrity(agent_reads(&sample, &bundle));
}

/// MS-02, MS-12: the right key and the right content, under another purpose.
#[test]
fn an_envelope_of_another_purpose_is_noticed() {
    let sample = Sample::new();
    let memory = Local::default();
    let reflected = memory.seal(&sample.agent.ik, sample.agent.org, sample.agent.id, crate::new_id());
    for part in 0..3 {
        let bundle = lie(&sample, &sample.agent, |bundle| match part {
            0 => bundle.grant.as_mut().unwrap().env = reflected.clone(),
            1 => bundle.view.as_mut().unwrap().env = bundle.grant.as_ref().unwrap().env.clone(),
            _ => secret_of(bundle, sample.alpha).env = bundle.grant.as_ref().unwrap().env.clone(),
        });
        assert_integrity(agent_reads(&sample, &bundle));
    }
}

/// MS-18. A selector that is wrong opens nothing.
#[test]
fn a_wrong_selector_opens_nothing() {
    let sample = Sample::new();
    let wrong: [fn(&mut Bundle); 6] = [
        |bundle| bundle.nonce = Nonce::from_bytes([7; 32]),
        |bundle| bundle.epoch = 2,
        |bundle| bundle.grant.as_mut().unwrap().seq += 1,
        |bundle| bundle.grant.as_mut().unwrap().seq = u64::MAX,
        |bundle| bundle.grant.as_mut().unwrap().view = ViewId::from_bytes([7; 16]),
        |bundle| (bundle.epoch, bundle.nonce) = (u64::MAX, Nonce::from_bytes([0; 32])),
    ];
    for (nth, tell) in wrong.into_iter().enumerate() {
        let result = agent_reads(&sample, &lie(&sample, &sample.agent, tell));
        assert!(matches!(result, Err(VerifyError::Integrity(_))), "{nth}: {result:?}");
    }
}

/// MS-22, MS-24: what stands beside the envelopes says nothing.
#[test]
fn what_the_server_says_beside_the_envelopes_changes_nothing() {
    let sample = Sample::new();
    let honest = agent_reads(&sample, &sample.organisation.server.bundle(sample.agent.id)).unwrap();
    let bundle = lie(&sample, &sample.agent, |bundle| {
        bundle.view.as_mut().unwrap().seq = 77;
        for secret in &mut bundle.secrets {
            (secret.version, secret.reseal) = (9, 9);
        }
        // Secrets of others, and one of no key at all.
        let mut extra = sample.organisation.server.bundle(sample.robot.id).secrets;
        extra.retain(|secret| secret.key == sample.secret);
        extra[0].key = KeyId::from_bytes([9; 16]);
        bundle.secrets.extend(extra);
        bundle.secrets.push(sample.organisation.server.current(sample.secret).clone());
        bundle.secrets.reverse();
    });
    assert_eq!(agent_reads(&sample, &bundle).unwrap(), honest);
}

/// MS-23.
#[test]
fn a_second_envelope_for_a_key_is_noticed_first_and_last() {
    let sample = Sample::new();
    let honest = agent_reads(&sample, &sample.organisation.server.bundle(sample.agent.id)).unwrap();
    for first in [true, false] {
        for tampered in [true, false] {
            let bundle = lie(&sample, &sample.agent, |bundle| {
                let mut copy = secret_of(bundle, sample.alpha).clone();
                if tampered {
                    copy.env = flipped(&copy.env, 200).unwrap();
                }
                bundle.secrets.insert(if first { 0 } else { bundle.secrets.len() }, copy);
            });
            let result = agent_reads(&sample, &bundle);
            if tampered { assert_integrity(result) } else { assert_eq!(result.unwrap(), honest) }
        }
    }
}

/// Only administrators' own envelopes make one read ORG.
#[test]
fn an_owners_answer_makes_nobody_an_owner() {
    let sample = Sample::new();
    let owners = sample.organisation.server.bundle(sample.organisation.owner.id);
    let bundle = lie(&sample, &sample.agent, |bundle| {
        bundle.orgkey = owners.orgkey.clone();
        bundle.org = owners.org.clone();
    });
    assert_integrity(agent_reads(&sample, &bundle));
    assert_integrity(agent_reads(&sample, &owners));
}

#[test]
fn another_sign_up_of_the_same_person_shares_nothing() {
    let (one, mut other) = (Organisation::new(), Organisation::new());
    other.write(|draft| draft.org.org_name = "Other".parse().unwrap());
    assert!(one.server.state.env != other.server.state.env);
    let answer = other.server.answer(other.owner.id);
    let lie = OrgAnswer { env: one.server.state.env.clone(), ..answer };
    assert_integrity(verify_org(&other.owner, &lie, &Floors::default(), other.now));
}

fn secret_of(bundle: &mut Bundle, key: KeyId) -> &mut SecretItem {
    bundle.secrets.iter_mut().find(|secret| secret.key == key).unwrap()
}

fn opened_grant(sample: &Sample) -> (GrantItem, Grant) {
    let item = sample.organisation.server.bundle(sample.agent.id).grant.unwrap();
    let dk = delivery_key(&sample.agent.ik, &sample.organisation.org(), sample.agent.id);
    let grant = Grant::open(&dk, grant_place(sample, &item), &item.env).unwrap();
    (item, grant)
}

fn grant_place(sample: &Sample, item: &GrantItem) -> GrantPlace {
    let Cred { org, id: identity, .. } = sample.agent;
    GrantPlace { org, identity, view: item.view, epoch: 1, seq: item.seq }
}

/// The agent's own grant, sealed once more under its own DK at another place.
fn reseal_grant(sample: &Sample, moved: impl FnOnce(GrantPlace) -> GrantPlace) -> Bundle {
    let (item, grant) = opened_grant(sample);
    let dk = delivery_key(&sample.agent.ik, &sample.organisation.org(), sample.agent.id);
    let env = grant.seal(&dk, moved(grant_place(sample, &item)));
    lie(sample, &sample.agent, |bundle| bundle.grant = Some(GrantItem { env, ..item }))
}
