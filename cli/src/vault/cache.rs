//! The last bundle of each kind, as the server sent it: sealed, and verified in full each time it is used. Beside it, sealed
//! too, when the server last confirmed it.
//!
//! A copy is one line with its tag, 43 characters of base64url, and the body. The tag is what the server is asked about, before
//! anybody has looked whether it is the body's hash: that is done while the server is asked.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use keyward_crypto::Integrity;
use keyward_crypto::state::cred::Cred;
use keyward_crypto::state::local::Confirmed;
use keyward_wire::{CredentialId, DeploymentId, Envelope, Sha256};

use crate::session::files;
use crate::session::home::Home;

/// How old a recorded confirmation may become before it is written again, in milliseconds. Not for each run: it is a file
/// that must be on disk. A copy so looks up to a minute older than it is, never younger.
const GRAIN: i64 = 60_000;

/// Removes what was kept for a credential that has ended. False if something may be left.
pub fn clear(home: &Home, cred: CredentialId) -> bool {
    let Ok(entries) = std::fs::read_dir(home.path().join("cache")) else { return true };
    let prefix = format!("{cred}.");
    let mut clean = true;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            clean &= std::fs::remove_file(entry.path()).is_ok();
        }
    }
    clean
}

/// A place in `cache/` for one credential and deployment.
pub struct Cached {
    place: Option<(Home, String)>,
    cred: CredentialId,
    kept: Option<Kept>,
}

/// A body that was kept.
pub struct Kept {
    bytes: Vec<u8>,
    tag: Sha256,
}

impl Kept {
    fn parse(bytes: Vec<u8>) -> Option<Self> {
        let (tag, _) = bytes.split_at_checked(TAG_LINE_BYTES)?;
        let tag = std::str::from_utf8(tag).ok()?.strip_suffix('\n')?.parse().ok()?;
        Some(Self { bytes, tag })
    }

    /// As the server sent it.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(TAG_LINE_BYTES..).unwrap_or_default()
    }

    /// Whether the tag is its hash.
    pub fn is_whole(&self) -> bool {
        Sha256::of(self.body()) == self.tag
    }

    /// By which the server knows it.
    pub fn tag(&self) -> Sha256 {
        self.tag
    }
}

impl Cached {
    /// Reads it, if there is a folder to read it from.
    pub fn load(home: Option<&Home>, cred: CredentialId, deployment: Option<DeploymentId>) -> Self {
        let name = match deployment {
            Some(deployment) => format!("{cred}.{deployment}"),
            None => format!("{cred}.all"),
        };
        let place = home.map(|home| (home.clone(), name));
        let mut cached = Self { place, cred, kept: None };
        // What cannot be read is asked for again.
        cached.kept = cached.read(ANSWER).and_then(Kept::parse);
        cached
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_none()
    }

    /// What was kept.
    pub fn take(&mut self) -> Option<Kept> {
        self.kept.take()
    }

    /// Whether there is one that was read or touched less than `limit` before `now`, in milliseconds, as its file says: good
    /// enough to spare somebody at a prompt a wait, and for nothing else.
    pub fn is_younger_than(&self, limit: Duration, now: i64) -> bool {
        let confirmed = || {
            let (home, name) = self.place.as_ref()?;
            std::fs::metadata(home.path().join("cache").join(format!("{name}.{ANSWER}")))
                .ok()?
                .modified()
                .ok()
        };
        // A time to come says nothing.
        let age = confirmed().and_then(|at| time(now).duration_since(at).ok());
        self.kept.is_some() && age.is_some_and(|age| age < limit)
    }

    /// It is young again, as of `now`. Only [`is_younger_than`](Self::is_younger_than) goes by this.
    pub fn touch(&self, now: i64) {
        let Some(path) = self.answer() else { return };
        // At worst the server is asked again.
        let _ = File::open(path).and_then(|file| file.set_modified(time(now)));
    }

    fn answer(&self) -> Option<PathBuf> {
        let (home, name) = self.place.as_ref()?;
        Some(home.path().join("cache").join(format!("{name}.{ANSWER}")))
    }

    /// When the server confirmed this body; `None` if that was not recorded.
    ///
    /// # Errors
    /// [`Integrity`] if what was recorded is of another body, or was not sealed by this identity.
    pub fn confirmed(&self, cred: &Cred, body: Sha256) -> Result<Option<i64>, Integrity> {
        let Some(bytes) = self.read(CONFIRMED) else { return Ok(None) };
        let envelope = Envelope::from_bytes(bytes).map_err(|_| Integrity)?;
        let confirmed = Confirmed::open(&cred.ik, cred.org, cred.id, self.cred, &envelope)?;
        if confirmed.sha256 == body { Ok(Some(confirmed.at)) } else { Err(Integrity) }
    }

    /// Keeps a body that was verified, and has this hash. A folder that cannot be written only costs the next run a transfer; a
    /// full disk costs the older copy, which would otherwise stand for what is no longer so.
    pub fn store(&self, body: &[u8], sha256: Sha256) {
        if !self.write(ANSWER, &[format!("{sha256}\n").as_bytes(), body].concat()) {
            let _ = self.answer().map(std::fs::remove_file);
        }
    }

    /// Records that the server confirmed this body just now.
    pub fn confirm(&self, cred: &Cred, body: Sha256, now: i64) {
        if self.place.is_none() {
            return;
        }
        let recorded = self.confirmed(cred, body).ok().flatten();
        if recorded.is_some_and(|at| at <= now && now - at < GRAIN) {
            return;
        }
        let sealed = Confirmed::new(body, now).seal(&cred.ik, cred.org, cred.id, self.cred);
        self.write(CONFIRMED, sealed.as_bytes());
    }

    fn read(&self, ending: &str) -> Option<Vec<u8>> {
        let (home, name) = self.place.as_ref()?;
        if !home.path().exists() {
            return None;
        }
        let path = home.file("cache", &format!("{name}.{ending}")).ok()?;
        files::read(&path).ok()?.map(|mut bytes| std::mem::take(&mut *bytes))
    }

    /// Whether it is written, or need not be.
    fn write(&self, ending: &str, bytes: &[u8]) -> bool {
        let Some((home, name)) = &self.place else { return true };
        let path = home.file("cache", &format!("{name}.{ending}"));
        path.and_then(|path| files::write(&path, bytes)).is_ok()
    }
}

fn time(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Ending of a copy.
const ANSWER: &str = "answer";

/// Ending of the time at which it was confirmed.
const CONFIRMED: &str = "kwe";

/// A tag in base64url, and its line end.
const TAG_LINE_BYTES: usize = 44;
