//! What it takes to start a server on this machine, by whichever way.

use std::net::SocketAddr;
use std::path::PathBuf;

/// How a server is started.
pub(super) struct Start {
    /// `keyward-server`.
    pub(super) program: PathBuf,
    /// Its own folder, absolute.
    pub(super) folder: PathBuf,
    /// Where it will listen.
    pub(super) listen: SocketAddr,
}

impl Start {
    /// Its database and setup code.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}
