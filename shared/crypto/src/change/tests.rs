mod loss;
mod random;
mod size;
mod versions;
mod views;

use keyward_wire::KeyId;

use crate::fixture::Sample;
use crate::key::DataKey;
use crate::key::material::Material as _;
use crate::state::cred::Cred;
use crate::state::grant::{Grant, GrantPlace};
use crate::state::secret::{Secret, SecretPlace};
use crate::state::view::{View, ViewPlace};
use crate::verify::delivery_key;

/// VIEW as the holder of `cred` deciphers it, by hand: every key in it can be read.
fn open_view(sample: &Sample, cred: &Cred) -> View {
    let server = &sample.organisation.server;
    let dk = delivery_key(&cred.ik, &sample.organisation.org(), cred.id);
    let item = &server.grants[&cred.id];
    let place = GrantPlace { org: server.org, identity: cred.id, view: item.view, epoch: 1, seq: item.seq };
    let grant = Grant::open(&dk, place, &item.env).unwrap();
    let place = ViewPlace { org: server.org, view: item.view, seq: grant.view_seq };
    View::open(&grant.vk, place, &server.views[&item.view].env).unwrap()
}

/// The DEK that the holder of `cred` has for a key.
fn dek(sample: &Sample, cred: &Cred, key: KeyId) -> Option<DataKey> {
    open_view(sample, cred).key(key).map(|entry| entry.dek.duplicate())
}

/// Whether this DEK opens the stored current version of the key, whatever place it is tried at.
fn opens(sample: &Sample, dek: &DataKey, key: KeyId) -> bool {
    let server = &sample.organisation.server;
    let item = server.current(key);
    let place = SecretPlace { org: server.org, key, version: item.version, reseal: item.reseal };
    Secret::open(dek, place, &item.env).is_ok()
}

fn same(a: &DataKey, b: &DataKey) -> bool {
    a.bytes() == b.bytes()
}
