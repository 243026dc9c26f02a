//! The client's memory (pins): the newest state that it has verified, sealed (CRYPTO.md §2.7 rule 8).

use std::io::ErrorKind;

use anyhow::Context as _;
use keyward_crypto::state::cred::Cred;
use keyward_crypto::state::local::Local;
use keyward_wire::{Envelope, IdentityId, InstallId};

use crate::ctx::Ctx;
use crate::fault::{Code, Fault, code_of};
use crate::session::config::Config;
use crate::session::files;
use crate::session::home::Home;

/// The memory of one identity, in a folder or nowhere.
pub struct Pins {
    home: Option<Home>,
    recorded: bool,
    /// The memory, as it was read.
    pub local: Local,
}

impl Pins {
    /// Reads the memory of the holder of `cred`.
    ///
    /// # Errors
    /// If this client had a memory and it is gone or damaged: a fresh start would be a silent reset.
    pub fn load(home: Option<&Home>, cred: &Cred) -> anyhow::Result<Self> {
        let Some(home) = home else {
            return Ok(Self { home: None, recorded: false, local: Local::default() });
        };
        let config = Config::load(home)?;
        let recorded = config.pinned.contains(&cred.id);
        let local = match (read(home, config.install, cred)?, recorded) {
            (Some(local), _) => local,
            (None, false) => Local::default(),
            (None, true) => return Err(lost(home, cred).into()),
        };
        Ok(Self { home: Some(home.clone()), recorded, local })
    }

    /// Remembers a state that was seen. A folder that cannot be written is a warning: the old memory stays valid.
    ///
    /// Warnings are of what is newer than the memory. Where nobody hears them, it stays as it is.
    pub fn remember(&self, ctx: &Ctx, cred: &Cred, seen: &Local) {
        let Some(home) = &self.home else { return };
        if ctx.is_unheard || (*seen == self.local && self.recorded) {
            return;
        }
        if let Err(error) = write(home, cred, seen) {
            ctx.out.warn(&format!("this client could not remember what it saw: {error:#}"));
        }
    }

    /// Forgets the memory of every identity in this folder, because its user said so.
    ///
    /// # Errors
    /// If the folder cannot be read or written.
    pub fn forget_all(home: &Home) -> anyhow::Result<()> {
        Config::update(home, |config| config.pinned.clear())?;
        let folder = home.path().join("state");
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other.with_context(|| format!("cannot read {}", folder.display()))?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "kwe") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Forgets the memory of one identity, because its user said so.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn forget(home: &Home, identity: IdentityId) -> anyhow::Result<()> {
        Config::update(home, |config| config.pinned.retain(|pinned| *pinned != identity))?;
        match std::fs::remove_file(home.file("state", &file_name(identity))?) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Writes the memory under a lock, so that processes that start together neither overwrite each other's memory nor use different
/// install ids. The id is on disk before anything is sealed for it, and the memory before it is relied on.
fn write(home: &Home, cred: &Cred, seen: &Local) -> anyhow::Result<()> {
    let lock = home.lock()?;
    let mut config = Config::load(home)?;
    if !home.config().exists() {
        config.store(home, &lock)?;
    }
    // Another process may have seen a newer state meanwhile.
    let newest = read(home, config.install, cred)?.unwrap_or_default().merge(seen);
    let envelope = newest.seal(&cred.ik, cred.org, cred.id, config.install);
    files::write(&home.file("state", &file_name(cred.id))?, envelope.as_bytes())?;
    if !config.pinned.contains(&cred.id) {
        config.pinned.push(cred.id);
        config.store(home, &lock)?;
    }
    Ok(())
}

fn read(home: &Home, install: InstallId, cred: &Cred) -> anyhow::Result<Option<Local>> {
    if !home.path().exists() {
        return Ok(None);
    }
    let path = match home.file("state", &file_name(cred.id)) {
        Ok(path) => path,
        // That others may enter it does not mean that nothing is there.
        Err(error) if code_of(&error) == Code::Policy => return Err(error),
        // A folder that cannot be written and has no state/ has no memory.
        Err(_) => return Ok(None),
    };
    let Some(mut bytes) = files::read(&path)? else { return Ok(None) };
    let envelope = Envelope::from_bytes(std::mem::take(&mut *bytes)).ok();
    let local =
        envelope.and_then(|envelope| Local::open(&cred.ik, cred.org, cred.id, install, &envelope).ok());
    // One that is there and does not open is lost, whether or not it is on record: the record may have been lost with it.
    Ok(Some(local.ok_or_else(|| lost(home, cred))?))
}

fn lost(home: &Home, cred: &Cred) -> Fault {
    let path = home.path().join("state").join(file_name(cred.id));
    Fault::new(Code::Stale, format!("this client's memory {} is gone or damaged", path.display())).next(
        format!(
            "without it an old state of the server would go unnoticed. If you know why, start afresh with: \
         keyward --home {} pin --forget",
            home.path().display()
        ),
    )
}

fn file_name(identity: IdentityId) -> String {
    format!("{identity}.kwe")
}
