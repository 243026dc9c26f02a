//! The last bundle of each kind, as the server sent it: sealed, and verified in full each time it is used.

use keyward_wire::{CredentialId, DeploymentId, Sha256};

use crate::session::files;
use crate::session::home::Home;

/// Removes what was kept for a credential that has ended.
pub fn clear(home: &Home, cred: CredentialId) {
    let Ok(entries) = std::fs::read_dir(home.path().join("cache")) else { return };
    let prefix = format!("{cred}.");
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// A place in `cache/` for one credential and deployment.
pub struct Cached {
    place: Option<(Home, String)>,
    body: Option<Vec<u8>>,
}

impl Cached {
    /// Reads it, if there is a folder to read it from.
    pub fn load(home: Option<&Home>, cred: CredentialId, deployment: Option<DeploymentId>) -> Self {
        let name = match deployment {
            Some(deployment) => format!("{cred}.{deployment}.json"),
            None => format!("{cred}.all.json"),
        };
        let place = home.map(|home| (home.clone(), name));
        // What cannot be read is asked for again.
        let body = place.as_ref().and_then(|(home, name)| {
            if !home.path().exists() {
                return None;
            }
            files::read(&home.file("cache", name).ok()?).ok()?.map(|mut bytes| std::mem::take(&mut *bytes))
        });
        Self { place, body }
    }

    /// The hash to name in the request.
    pub fn known(&self) -> Option<Sha256> {
        self.body.as_ref().map(|body| Sha256::of(body))
    }

    /// The body, once the server said that it is still current.
    pub fn take_body(&mut self) -> Option<Vec<u8>> {
        self.body.take()
    }

    /// Keeps a body that was verified. A folder that cannot be written only costs the next run a transfer.
    pub fn store(&self, body: &[u8]) {
        if let Some((home, name)) = &self.place {
            let _ = home.file("cache", name).and_then(|path| files::write(&path, body));
        }
    }
}
