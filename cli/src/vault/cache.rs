//! The last bundle of each kind, as the server sent it: sealed, and verified in full each time it is used.

use std::fs::File;
use std::time::{Duration, SystemTime};

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

    /// Whether there is one that the server confirmed less than `limit` before `now`, in milliseconds.
    pub fn is_younger_than(&self, limit: Duration, now: i64) -> bool {
        let confirmed = || {
            let (home, name) = self.place.as_ref()?;
            std::fs::metadata(home.path().join("cache").join(name)).ok()?.modified().ok()
        };
        // A time to come says nothing.
        let age = confirmed().and_then(|at| time(now).duration_since(at).ok());
        self.body.is_some() && age.is_some_and(|age| age < limit)
    }

    /// The server confirmed it `now`.
    pub fn confirm(&self, now: i64) {
        let Some((home, name)) = &self.place else { return };
        // At worst the server is asked again.
        let _ =
            File::open(home.path().join("cache").join(name)).and_then(|file| file.set_modified(time(now)));
    }

    /// Keeps a body that was verified. A folder that cannot be written only costs the next run a transfer.
    pub fn store(&self, body: &[u8]) {
        if let Some((home, name)) = &self.place {
            let _ = home.file("cache", name).and_then(|path| files::write(&path, body));
        }
    }
}

fn time(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
