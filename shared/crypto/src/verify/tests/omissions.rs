//! Things that are not there: MS-21, MS-25.

use super::*;
use crate::fixture::name;

#[test]
fn one_value_left_out_is_said_by_name_and_gives_nothing() {
    let sample = Sample::new();
    for (key, text) in [(sample.alpha, "alpha"), (sample.beta, "beta")] {
        let bundle = lie(&sample, &sample.agent, |bundle| bundle.secrets.retain(|secret| secret.key != key));
        assert_eq!(missing(agent_reads(&sample, &bundle)), Missing::Secret(name(text)));
    }
}

#[test]
fn all_values_left_out_is_never_an_empty_success() {
    let sample = Sample::new();
    let bundle = lie(&sample, &sample.agent, |bundle| bundle.secrets.clear());
    assert_eq!(missing(agent_reads(&sample, &bundle)), Missing::Secret(name("alpha")));
}

#[test]
fn an_answer_without_grant_view_or_state_is_said_so() {
    let sample = Sample::new();
    let part = |tell: fn(&mut Bundle)| missing(agent_reads(&sample, &lie(&sample, &sample.agent, tell)));
    assert_eq!(part(|bundle| bundle.grant = None), Missing::Part("this identity's grant"));
    assert_eq!(part(|bundle| bundle.view = None), Missing::Part("this identity's view"));
    let owner = &sample.organisation.owner;
    for tell in [(|b| b.org = None) as fn(&mut Bundle), |b| b.orgkey = None] {
        let bundle = lie(&sample, owner, tell);
        missing(read(owner, &bundle, "production", sample.organisation.now));
    }
}

/// MS-25.
#[test]
fn another_deployments_values_are_not_taken_for_this_ones() {
    let mut sample = Sample::new();
    let (web, backup) = (sample.web, sample.backup);
    sample.organisation.write(|draft| {
        draft.org.assign(web, backup, [].into(), keyward_wire::api::write::NewKeys::Allow).unwrap();
    });
    let bundle =
        lie(&sample, &sample.agent, |bundle| bundle.secrets.retain(|secret| secret.key == sample.beta));
    assert_eq!(missing(agent_reads(&sample, &bundle)), Missing::Secret(name("alpha")));
    let backup = read(&sample.agent, &bundle, "backup", sample.organisation.now).unwrap();
    assert_eq!(backup, [("S3_KEY".to_owned(), "beta-value".to_owned())]);
}

#[test]
fn a_deployment_or_key_that_is_not_in_the_view_is_not_there() {
    let sample = Sample::new();
    let verified =
        believe(&sample, &sample.organisation.server.bundle(sample.agent.id), &Floors::default()).unwrap();
    let backup = sample.backup.to_string();
    for absent in ["backup", "Production", "production ", "", backup.as_str()] {
        let result = verified.deployment(absent);
        assert!(
            matches!(result, Err(VerifyError::NotThere { kind: "deployment", ref name }) if name == absent),
            "{absent:?}"
        );
    }
    for absent in ["secret", "ALPHA", &sample.secret.to_string()] {
        assert!(matches!(verified.key(absent), Err(VerifyError::NotThere { kind: "key", .. })), "{absent}");
    }
    assert_eq!(verified.deployment("production").unwrap().id, sample.production);
    assert_eq!(verified.deployment(&sample.production.to_string()).unwrap().id, sample.production);
    assert_eq!(verified.key("alpha").unwrap().id, sample.alpha);
    assert_eq!(verified.key(&sample.alpha.to_string()).unwrap().id, sample.alpha);
}

#[test]
fn a_deployment_of_which_every_key_is_excluded_has_no_variables() {
    let mut sample = Sample::new();
    let (web, production) = (sample.web, sample.production);
    let all = [sample.alpha, sample.beta, sample.secret].into();
    sample.organisation.write(|draft| draft.org.exclude(web, production, &all).unwrap());
    assert_eq!(sample.organisation.read(&sample.agent, "production").unwrap(), []);
}

#[test]
fn one_key_can_be_read_without_the_values_of_the_others() {
    let sample = Sample::new();
    let bundle =
        lie(&sample, &sample.agent, |bundle| bundle.secrets.retain(|secret| secret.key == sample.beta));
    let verified = believe(&sample, &bundle, &Floors::default()).unwrap();
    let value = verified.secret(verified.key("beta").unwrap(), &bundle.secrets).unwrap().value;
    assert_eq!(value.as_slice(), b"beta-value");
    let absent = verified.secret(verified.key("alpha").unwrap(), &bundle.secrets);
    assert_eq!(missing(absent), Missing::Secret(name("alpha")));
}
