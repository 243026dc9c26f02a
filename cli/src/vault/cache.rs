//! The cache: the last bundle of each kind, as the server sent it. It is sealed, and verified in full each time it is used.
//! Beside it stands, sealed too, the time at which the server last confirmed it.
//!
//! A copy is one line with its tag, 43 characters of base64url, and the body. The server is asked about the tag at once; whether
//! the body is the tag's is checked while the server is asked: by its hash, or, which is less work, by what is sealed beside it.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use keyward_crypto::Integrity;
use keyward_crypto::state::cred::Cred;
use keyward_crypto::state::local::{Confirmed, Parts};
use keyward_wire::{CredentialId, DeploymentId, Envelope, Sha256};

use crate::session::files;
use crate::session::home::Home;

/// How old a recorded confirmation may become before it is written again, in milliseconds. It is not written at each run: it is a
/// file that must be on disk. So a copy may look up to a minute older than it is, never younger.
const GRAIN: i64 = 60_000;

/// Removes what is cached for a credential that has ended. False if something may be left.
pub fn clear(home: &Home, cred: CredentialId) -> bool {
    let Ok(entries) = std::fs::read_dir(home.path().join("cache")) else { return true };
    let prefix = format!("{cred}.");
    let mut clean = true;
    for entry in entries.flatten() {
        // One in the making that was left behind has a dot in front.
        let name = entry.file_name();
        if name.to_string_lossy().trim_start_matches('.').starts_with(&prefix) {
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
    is_broken: bool,
}

/// A cached body with its tag.
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

    /// The body, as the server sent it.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(TAG_LINE_BYTES..).unwrap_or_default()
    }

    fn has_body(&self) -> bool {
        !self.body().is_empty()
    }

    /// Whether the tag is the body's hash.
    pub fn is_whole(&self) -> bool {
        Sha256::of(self.body()) == self.tag
    }

    /// The tag, by which the server knows the body.
    pub fn tag(&self) -> Sha256 {
        self.tag
    }
}

impl Cached {
    /// Reads the cached copy, if there is a folder to read it from.
    pub fn load(home: Option<&Home>, cred: CredentialId, deployment: Option<DeploymentId>) -> Self {
        let name = match deployment {
            Some(deployment) => format!("{cred}.{deployment}"),
            None => format!("{cred}.all"),
        };
        let place = home.map(|home| (home.clone(), name));
        let mut cached = Self { place, cred, kept: None, is_broken: false };
        // A copy that cannot be read is asked for again.
        let read = cached.read(ANSWER);
        let is_there = read.is_some();
        cached.kept = read.and_then(Kept::parse);
        cached.is_broken = is_there && !cached.kept.as_ref().is_some_and(Kept::has_body);
        cached
    }

    /// Whether there is something in the place of a copy that cannot be one.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether there is no copy.
    pub fn is_empty(&self) -> bool {
        self.kept.is_none()
    }

    /// Takes the copy.
    pub fn take(&mut self) -> Option<Kept> {
        self.kept.take()
    }

    /// Whether there is a copy that was read or touched less than `limit` before `now` (milliseconds UTC), according to its
    /// file's time. That is good enough to spare a person at a prompt a wait, and for nothing else.
    pub fn is_younger_than(&self, limit: Duration, now: i64) -> bool {
        let confirmed = || {
            let (home, name) = self.place.as_ref()?;
            std::fs::metadata(home.path().join("cache").join(format!("{name}.{ANSWER}")))
                .ok()?
                .modified()
                .ok()
        };
        // A time in the future says nothing.
        let age = confirmed().and_then(|at| time(now).duration_since(at).ok());
        self.kept.is_some() && age.is_some_and(|age| age < limit)
    }

    /// Makes the copy young again, as of `now`. Only [`is_younger_than`](Self::is_younger_than) looks at this.
    pub fn touch(&self, now: i64) {
        let Some(path) = self.answer() else { return };
        // At worst the server is asked again.
        let _ = File::open(path).and_then(|file| file.set_modified(time(now)));
    }

    fn answer(&self) -> Option<PathBuf> {
        let (home, name) = self.place.as_ref()?;
        Some(home.path().join("cache").join(format!("{name}.{ANSWER}")))
    }

    /// When the server confirmed the body of this hash, with these parts; `None` if that was not recorded.
    ///
    /// # Errors
    /// [`Integrity`] if what was recorded is of another body, or was not sealed by this identity.
    pub fn confirmed(&self, cred: &Cred, body: Sha256, parts: Parts) -> Result<Option<i64>, Integrity> {
        let Some(bytes) = self.read(CONFIRMED) else { return Ok(None) };
        let envelope = Envelope::from_bytes(bytes).map_err(|_| Integrity)?;
        let confirmed = Confirmed::open(&cred.ik, cred.org, cred.id, self.cred, &envelope)?;
        if (confirmed.sha256, confirmed.parts) == (body, parts) {
            Ok(Some(confirmed.at))
        } else {
            Err(Integrity)
        }
    }

    /// Caches a body that was verified, and has this hash. If the folder cannot be written, the next run needs a transfer; if the
    /// disk is full, the older copy is removed, since it is out of date.
    pub fn store(&self, body: &[u8], sha256: Sha256) {
        if !self.write(ANSWER, &[format!("{sha256}\n").as_bytes(), body].concat()) {
            let _ = self.answer().map(std::fs::remove_file);
        }
    }

    /// Records that the server confirmed the body of this hash, with these parts, just now. `recorded` is what stands there
    /// already of this very body.
    pub fn confirm(&self, cred: &Cred, body: Sha256, parts: Parts, recorded: Option<i64>, now: i64) {
        if self.place.is_none() || recorded.is_some_and(|at| at <= now && now - at < GRAIN) {
            return;
        }
        let sealed = Confirmed::new(body, parts, now).seal(&cred.ik, cred.org, cred.id, self.cred);
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

    /// Writes a file. True if it is written, or need not be.
    fn write(&self, ending: &str, bytes: &[u8]) -> bool {
        let Some((home, name)) = &self.place else { return true };
        let path = home.file("cache", &format!("{name}.{ending}"));
        path.and_then(|path| files::write(&path, bytes)).is_ok()
    }
}

fn time(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Ending of the file with a copy.
const ANSWER: &str = "answer";

/// Ending of the file with the time at which the copy was confirmed.
const CONFIRMED: &str = "kwe";

/// Bytes of a tag in base64url, and its line end.
const TAG_LINE_BYTES: usize = 44;
