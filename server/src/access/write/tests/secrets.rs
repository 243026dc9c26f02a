use keyward_wire::Purpose;
use keyward_wire::api::org::SecretRef;
use keyward_wire::api::write::Delta;
use keyward_wire::limits::OLD_VERSIONS;

use super::honest::{empty, honest, secret};
use super::world::*;

#[test]
fn versions_come_one_by_one_and_reseals_only_of_the_current_one() {
    let world = world();
    assert_eq!((world.keys[&key(1)].version, world.keys[&key(1)].reseal), (3, 0));
    for (version, reseal) in [(0, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 2), (4, 1), (5, 0), (u64::MAX, 0)] {
        let mut request = honest(&world, Vec::new(), &[key(1)]);
        request.secrets = vec![secret(key(1), version, reseal)];
        let why = "secrets[0]: neither the next version nor the current one resealed once more";
        assert_eq!(refused(&world, &request), why, "version {version}, reseal {reseal}");
    }
}

#[test]
fn a_key_has_one_secret_in_a_write() {
    let world = world();
    let mut request = honest(&world, Vec::new(), &[key(1)]);
    request.secrets.push(secret(key(1), 3, 1));
    assert_eq!(refused(&world, &request), "secrets[1]: twice in one write");
}

#[test]
fn a_secret_is_of_a_key_that_is_there_after_the_write() {
    let world = world();
    let mut request = empty(&world);
    request.secrets = vec![secret(key(9), 1, 0)];
    assert_eq!(refused(&world, &request), "secrets[0]: no such key or version in this organisation");
    let mut request = honest(&world, vec![Delta::RemoveKey { id: key(1) }], &[]);
    request.secrets.push(secret(key(1), 4, 0));
    assert_eq!(refused(&world, &request), "secrets[0]: no such key or version in this organisation");
}

#[test]
fn a_new_key_comes_with_its_first_version() {
    let world = world();
    let request = honest(&world, vec![Delta::AddKey { id: key(9) }], &[]);
    assert_eq!(applied(&world, &request, NOW + 2).keys[&key(9)].version, 1);
    for secrets in
        [vec![], vec![secret(key(9), 0, 1)], vec![secret(key(9), 2, 0)], vec![secret(key(9), 1, 1)]]
    {
        let mut without = request.clone();
        without.secrets = secrets;
        assert!(refused(&world, &without).starts_with("secrets"));
    }
}

#[test]
fn an_envelope_of_another_purpose_is_no_secret() {
    let world = world();
    let mut request = honest(&world, Vec::new(), &[key(1)]);
    request.secrets[0].env = envelope(Purpose::View);
    assert_eq!(refused(&world, &request), "secrets[0].env: an envelope of another purpose");
}

#[test]
fn five_old_versions_are_kept_with_their_reseals() {
    let mut state = world();
    for _ in 0..8 {
        state = applied(&state, &honest(&state, Vec::new(), &[key(1)]), NOW + 2);
    }
    let key = &state.keys[&key(1)];
    assert_eq!((key.version, key.old.len()), (11, OLD_VERSIONS));
    assert_eq!(key.old.keys().copied().collect::<Vec<_>>(), [6, 7, 8, 9, 10]);
}

#[test]
fn the_store_is_told_which_versions_go() {
    let mut state = world();
    for _ in 0..3 {
        state = applied(&state, &honest(&state, Vec::new(), &[key(1)]), NOW + 2);
    }
    let change = accepted(&by(OWNER), &state, &honest(&state, Vec::new(), &[key(1)]), NOW + 2);
    assert_eq!(change.diff().secrets.added, [(key(1), 7)]);
    assert_eq!(change.diff().secrets.removed, [(key(1), 1)]);
    assert_eq!(change.diff().keys.changed, [key(1)]);
}

#[test]
fn only_old_versions_are_forgotten() {
    let world = world();
    let forget = |key, version| {
        let mut request = empty(&world);
        request.drop_secrets = vec![SecretRef { key, version }];
        request
    };
    assert_eq!(
        refused(&world, &forget(key(1), 3)),
        "drop_secrets[0]: the current version goes only with its key"
    );
    for (key, version) in [(key(1), 0), (key(1), 4), (key(9), 1)] {
        let why = "drop_secrets[0]: no such key or version in this organisation";
        assert_eq!(refused(&world, &forget(key, version)), why);
    }
    let change = accepted(&by(OWNER), &world, &forget(key(1), 2), NOW + 2);
    assert_eq!(change.diff().secrets.removed, [(key(1), 2)]);
    // Everybody's bundle is as it was: nothing has to be rebuilt.
    assert!(change.diff().views.put().next().is_none());
}
