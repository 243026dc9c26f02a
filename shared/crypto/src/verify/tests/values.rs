//! Authentic states that ask for something this client refuses: MS-35, and values as they were written.

use super::*;
use crate::fixture::{name, variable};
use crate::state::org::Mapping;

/// MS-35.
#[test]
fn a_variable_that_steers_programs_is_refused_unless_exactly_it_is_allowed() {
    for steering in ["LD_PRELOAD", "PATH", "NODE_OPTIONS", "https_proxy", "KEYWARD_TOKEN"] {
        let mut sample = Sample::new();
        let (production, alpha) = (sample.production, sample.alpha);
        sample.organisation.write(|draft| draft.org.map(production, alpha, variable(steering)).unwrap());
        let bundle = sample.organisation.server.bundle(sample.agent.id);
        let refused = agent_reads(&sample, &bundle);
        let expected = Refused::Steers(variable(steering));
        assert!(matches!(refused, Err(VerifyError::Refused(said)) if said == expected), "{steering}");

        let verified = believe(&sample, &bundle, &Floors::default()).unwrap();
        let with = |allowed: &str| {
            let deployment = verified.deployment("production").unwrap();
            verified.variables(deployment, &bundle.secrets, &[variable(allowed)])
        };
        assert_eq!(with(steering).unwrap().len(), 3);
        assert!(matches!(with("LD_LIBRARY_PATH"), Err(VerifyError::Refused(Refused::Steers(_)))));
    }
}

/// An admin whose client lets two keys share a variable, or one key have it twice.
#[test]
fn a_variable_that_stands_twice_is_refused() {
    for same_key in [true, false] {
        let mut sample = Sample::new();
        let key = if same_key { sample.alpha } else { sample.beta };
        sample.organisation.write(|draft| {
            let mapping = Mapping { id: crate::new_id(), key, env: variable("ALPHA") };
            draft.org.deployments[0].mappings.push(mapping);
        });
        let refused = sample.organisation.read(&sample.agent, "production");
        let expected = Refused::Twice(variable("ALPHA"));
        assert!(matches!(refused, Err(VerifyError::Refused(said)) if said == expected));
    }
}

#[test]
fn a_value_with_a_nul_byte_is_no_variable_but_can_be_read() {
    let mut sample = Sample::new();
    let alpha = sample.alpha;
    sample.organisation.write(|draft| draft.add_version(alpha, &value("a\0b")).unwrap());
    let bundle = sample.organisation.server.bundle(sample.agent.id);
    let refused = agent_reads(&sample, &bundle);
    assert!(matches!(refused, Err(VerifyError::Refused(Refused::Nul(said))) if said == name("alpha")));
    let verified = believe(&sample, &bundle, &Floors::default()).unwrap();
    let read = verified.secret(verified.key("alpha").unwrap(), &bundle.secrets).unwrap();
    assert_eq!(read.value.as_slice(), b"a\0b");
}

/// The bytes of MS-36, up to the shell.
#[test]
fn every_other_byte_comes_back_as_it_was() {
    let all: Vec<u8> = (1..=255).chain(b"\n\r\n'\"$(id)`id`\\ *\t".iter().copied()).collect();
    for bytes in [all, Vec::new(), b"\n".to_vec(), "é\u{202e}😀".as_bytes().to_vec()] {
        let mut sample = Sample::new();
        let alpha = sample.alpha;
        let secret = Secret::new(Zeroizing::new(bytes.clone()));
        sample.organisation.write(|draft| draft.add_version(alpha, &secret).unwrap());
        let bundle = sample.organisation.server.bundle(sample.agent.id);
        let verified = believe(&sample, &bundle, &Floors::default()).unwrap();
        let deployment = verified.deployment("production").unwrap();
        let variables = verified.variables(deployment, &bundle.secrets, &[]).unwrap();
        assert_eq!(variables[0].value.as_slice(), bytes);
    }
}

#[test]
fn a_mapping_to_a_key_that_the_view_does_not_hold_is_noticed() {
    let sample = Sample::new();
    let bundle = sample.organisation.server.bundle(sample.agent.id);
    let mut verified = believe(&sample, &bundle, &Floors::default()).unwrap();
    verified.view.keys.remove(0);
    let deployment = verified.deployment("production").unwrap();
    assert_integrity(verified.variables(deployment, &bundle.secrets, &[]));
}

#[test]
fn a_note_comes_with_its_key() {
    let mut sample = Sample::new();
    let alpha = sample.alpha;
    let noted = Secret { note: Some(Zeroizing::new("from the vault".to_owned())), ..value("v") };
    sample.organisation.write(|draft| draft.add_version(alpha, &noted).unwrap());
    let bundle = sample.organisation.server.bundle(sample.agent.id);
    let verified = believe(&sample, &bundle, &Floors::default()).unwrap();
    let secret = verified.secret(verified.key("alpha").unwrap(), &bundle.secrets).unwrap();
    assert_eq!(secret.note.as_deref().map(String::as_str), Some("from the vault"));
}

/// What people see of a refusal says what to do, and never a value.
#[test]
fn refusals_name_the_variable_and_not_the_value() {
    let steers = VerifyError::Refused(Refused::Steers(variable("LD_PRELOAD"))).to_string();
    assert!(steers.contains("--allow-env LD_PRELOAD"), "{steers}");
    let nul = VerifyError::Refused(Refused::Nul(name("alpha"))).to_string();
    assert!(nul.contains("alpha") && !nul.contains("value\0"), "{nul}");
}
