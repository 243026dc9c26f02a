//! Authentic but hostile: blobs that an evil owner, or whoever stole one's keys, could have sealed.

use keyward_crypto::{Context, Key, open, seal};
use keyward_wire::api::bundle::Bundle;
use keyward_wire::{Envelope, KeyId};
use serde_json::{Value, json};

use crate::insider::Insider;

/// A reader's bundle under an owner's hands. Whatever is changed, everything above it is sealed again, so that only the
/// change itself is wrong.
pub struct Forge<'a> {
    insider: &'a Insider,
    reader: &'a str,
    /// The bundle as it is to be served.
    pub bundle: Bundle,
}

impl<'a> Forge<'a> {
    /// A forgery for the reader of this name, begun from its true bundle.
    pub fn new(insider: &'a Insider, reader: &'a str, bundle: Bundle) -> Self {
        Self { insider, reader, bundle }
    }

    /// Seals a key's value again, for another place.
    #[must_use]
    pub fn move_secret(mut self, key: KeyId, elsewhere: impl FnOnce(Context) -> Context) -> Self {
        let (dek, here) = self.insider.secret(key);
        let item = self.bundle.secrets.iter_mut().find(|item| item.key == key).unwrap();
        item.env = rewrite(&dek, &here, &elsewhere(here), &item.env, |_| ());
        let sha256 = json!(item.env.sha256());
        let id = data_encoding::BASE64URL_NOPAD.encode(key.as_bytes());
        self.view(|view| {
            let keys = view["keys"].as_array_mut().unwrap();
            keys.iter_mut().find(|key| key["id"] == id).unwrap()["sha256"] = sha256;
        })
    }

    /// Changes what the reader may read.
    #[must_use]
    pub fn view(self, change: impl FnOnce(&mut Value)) -> Self {
        self.move_view(|here| here, change)
    }

    /// Changes it, and seals it for another place.
    #[must_use]
    pub fn move_view(
        mut self,
        elsewhere: impl FnOnce(Context) -> Context,
        change: impl FnOnce(&mut Value),
    ) -> Self {
        let (vk, here) = self.insider.view(self.reader);
        let item = self.bundle.view.as_mut().unwrap();
        item.env = rewrite(&vk, &here, &elsewhere(here), &item.env, change);
        self.grant(|_| ())
    }

    /// Changes the grant.
    #[must_use]
    pub fn grant(self, change: impl FnOnce(&mut Value)) -> Self {
        self.move_grant(|here| here, change)
    }

    /// Changes it, and seals it for another place.
    #[must_use]
    pub fn move_grant(
        mut self,
        elsewhere: impl FnOnce(Context) -> Context,
        change: impl FnOnce(&mut Value),
    ) -> Self {
        let sha256 = json!(self.bundle.view.as_ref().unwrap().env.sha256());
        let item = self.bundle.grant.as_mut().unwrap();
        let (dk, here) = self.insider.grant(self.reader, item);
        item.env = rewrite(&dk, &here, &elsewhere(here), &item.env, |grant| {
            grant["view_sha256"] = sha256;
            change(grant);
        });
        self
    }
}

/// Opens an envelope, changes its JSON, and seals it under the same key for a place.
pub fn rewrite<K: Key>(
    key: &K,
    here: &Context,
    there: &Context,
    env: &Envelope,
    change: impl FnOnce(&mut Value),
) -> Envelope {
    let mut value: Value = serde_json::from_slice(&open(key, here, env).unwrap()).unwrap();
    change(&mut value);
    seal(key, there, &document(&value)).unwrap()
}

/// A sealed document's JSON: its version comes first.
fn document(value: &Value) -> Vec<u8> {
    let mut rest = value.clone();
    let version = rest.as_object_mut().unwrap().remove("v").unwrap();
    let rest = serde_json::to_string(&rest).unwrap();
    format!("{{\"v\":{version},{}", rest.strip_prefix('{').unwrap()).into_bytes()
}
