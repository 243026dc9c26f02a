//! Envelopes: what was not sealed does not open, and what was sealed by somebody hostile is read without harm.

use std::sync::LazyLock;

use keyward_crypto::state::cred::Cred;
use keyward_crypto::state::grant::{Grant, GrantPlace};
use keyward_crypto::state::local::Local;
use keyward_crypto::state::org::{Org, OrgPlace};
use keyward_crypto::state::roots::{OrgKeyDocument, Recovery};
use keyward_crypto::state::secret::{Secret, SecretPlace};
use keyward_crypto::state::view::{View, ViewPlace};
use keyward_crypto::{Context, DataKey, DeliveryKey, IdentityKey, OrgKey, UnlockKey, ViewKey, open, seal};
use keyward_wire::{
    CredentialId, DeploymentId, Envelope, IdentityId, InstallId, KeyId, OrgId, Purpose, ViewId,
};
use zeroize::Zeroizing;

/// The bytes as an envelope, as a change of an authentic one, and as what an authentic one holds.
pub fn holds(bytes: &[u8]) {
    foreign(bytes);
    changed(bytes);
    sealed(bytes);
}

/// Bytes that pass for an envelope keep every byte, and open under no key that they were not sealed under.
fn foreign(bytes: &[u8]) {
    let Ok(envelope) = Envelope::from_bytes(bytes.to_vec()) else { return };
    assert_eq!(envelope.as_bytes(), bytes);
    let text = serde_json::to_string(&envelope).expect("an envelope is a string");
    let again: Envelope = serde_json::from_str(&text).expect("its own text is read");
    assert_eq!(again.as_bytes(), bytes);
    // That of `changed` is authentic, and may be found.
    if envelope.as_bytes() != AUTHENTIC.as_bytes() {
        assert!(open(&key::<DataKey>(), &Context::new(envelope.purpose()), &envelope).is_err());
    }
}

/// `bytes` laid over an authentic envelope: `place u16 ‖ mask…`. Any bit that differs, and it does not open.
fn changed(bytes: &[u8]) {
    let Some((place, mask)) = bytes.split_first_chunk::<2>() else { return };
    let mut forged = AUTHENTIC.as_bytes().to_vec();
    let start = usize::from(u16::from_be_bytes(*place)) % forged.len();
    for (byte, mask) in forged.iter_mut().skip(start).zip(mask) {
        *byte ^= mask;
    }
    let same = forged == AUTHENTIC.as_bytes();
    let opened = Envelope::from_bytes(forged)
        .ok()
        .and_then(|envelope| open(&key::<DataKey>(), &Context::new(Purpose::Secret), &envelope).ok());
    assert_eq!(opened.is_some(), same);
}

/// `bytes` as the plaintext of every document: whoever has the key may be hostile too.
fn sealed(bytes: &[u8]) {
    let (org, id) = (OrgId::from_bytes([1; 16]), [2; 16]);
    let identity = IdentityId::from_bytes(id);
    let with = |purpose| Context::new(purpose).org(org);

    let place = SecretPlace { org, key: KeyId::from_bytes(id), version: 1, reseal: 0 };
    let context = with(Purpose::Secret).b(&id).n1(0).n2(1);
    if let Some(envelope) = as_document(&key::<DataKey>(), &context, bytes)
        && let Ok(secret) = Secret::open(&key(), place, &envelope)
    {
        let again = secret.seal(&key(), place).expect("what fitted fits");
        let again = Secret::open(&key(), place, &again).expect("just sealed");
        assert!(again.value == secret.value && again.note == secret.note);
        assert!(again.fields == secret.fields && again.inject == secret.inject);
    }
    let place = ViewPlace { org, view: ViewId::from_bytes(id), seq: 1 };
    if let Some(envelope) = as_document(&key::<ViewKey>(), &with(Purpose::View).b(&id).n2(1), bytes)
        && let Ok(view) = View::open(&key(), place, &envelope)
    {
        let _ = view.deployment(DeploymentId::from_bytes(id));
        view.seal(&key(), place).expect("what fitted fits");
    }
    let place = OrgPlace { org, epoch: 1, seq: 1 };
    if let Some(envelope) = as_document(&key::<OrgKey>(), &with(Purpose::Org).n1(1).n2(1), bytes)
        && let Ok(state) = Org::open(&key(), place, &envelope)
    {
        let _ = (state.facts(), state.readers().count(), keyward_crypto::view::whole(&state));
    }
    let place = GrantPlace { org, identity, view: ViewId::from_bytes(id), epoch: 1, seq: 1 };
    let context = with(Purpose::Grant).a(&id).b(&id).n1(1).n2(1);
    if let Some(envelope) = as_document(&key::<DeliveryKey>(), &context, bytes) {
        let _ = Grant::open(&key(), place, &envelope);
    }
    let credential = CredentialId::from_bytes(id);
    if let Some(envelope) = as_document(&key::<UnlockKey>(), &Context::new(Purpose::Cred).b(&id), bytes) {
        let _ = Cred::open(&key(), credential, &envelope);
    }
    if let Some(envelope) = as_document(&key::<UnlockKey>(), &Context::new(Purpose::Recovery).b(&id), bytes) {
        let _ = Recovery::open(&key(), credential, &envelope);
    }
    let context = with(Purpose::Local).a(&id).b(&id);
    if let Some(envelope) = as_document(&key::<IdentityKey>(), &context, bytes) {
        let _ = Local::open(&key(), org, identity, InstallId::from_bytes(id), &envelope);
    }
    let context = with(Purpose::OrgKeyAdmin).a(&id).n1(1);
    if let Some(envelope) = as_document(&key::<DeliveryKey>(), &context, bytes) {
        let _ = OrgKeyDocument::open_for_admin(&key(), org, identity, 1, &envelope);
    }
}

fn as_document<K: keyward_crypto::Key>(key: &K, context: &Context, bytes: &[u8]) -> Option<Envelope> {
    seal(key, context, bytes).ok()
}

/// The one key of this test, in whatever role.
fn key<K: From32>() -> K {
    K::from_32(Zeroizing::new([7; 32]))
}

/// A key type that can be made of 32 bytes.
trait From32: keyward_crypto::Key {
    fn from_32(bytes: Zeroizing<[u8; 32]>) -> Self;
}

macro_rules! from_32 {
    ($($key:ty),*) => {$(
        impl From32 for $key {
            fn from_32(bytes: Zeroizing<[u8; 32]>) -> Self {
                Self::from_bytes(bytes)
            }
        }
    )*};
}

from_32!(DataKey, DeliveryKey, IdentityKey, OrgKey, UnlockKey, ViewKey);

/// Vector V4's plaintext under this test's key.
static AUTHENTIC: LazyLock<Envelope> = LazyLock::new(|| {
    let plaintext = br#"{"v":1,"value":"hunter2"}"#;
    seal(&key::<DataKey>(), &Context::new(Purpose::Secret), plaintext).expect("it fits")
});
