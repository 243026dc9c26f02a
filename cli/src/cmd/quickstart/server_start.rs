//! What it takes to start a server on this machine, by whichever way.

use std::net::SocketAddr;
use std::path::PathBuf;

/// How a server is started.
pub(super) struct ServerStart {
    /// `keyward-server`.
    pub(super) program: PathBuf,
    /// The server's own folder, absolute.
    pub(super) folder: PathBuf,
    /// The address that the server will listen at.
    pub(super) listen: SocketAddr,
}

impl ServerStart {
    /// The directory of the server's database and setup code.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}
