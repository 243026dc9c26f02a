//! The server of the story: started, watched until it is ready, stopped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::say;

/// A running `keyward-server`; dropping it stops it.
pub(super) struct Server {
    process: Option<Child>,
    url: String,
    dir: PathBuf,
}

impl Server {
    /// Starts `bin/keyward-server` with all its data, and all it prints, in `dir`.
    pub(super) fn start(bin: &Path, dir: &Path) -> Result<Self> {
        fs::create_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let log = File::create_new(dir.join("server.log")).context("cannot write the server's log")?;
        say::out("  server$ keyward-server --data data --listen 127.0.0.1:0");
        let process = Command::new(bin.join("keyward-server"))
            .args(["--data", "data", "--listen", "127.0.0.1:0"])
            .env_clear()
            .env("HOME", dir)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start keyward-server")?;
        let mut server = Self { process: Some(process), url: String::new(), dir: dir.to_owned() };
        server.url = server.ready()?;
        say::out(&format!("  | {}", server.url));
        Ok(server)
    }

    /// `http://127.0.0.1:port`
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Everything the server wrote: its data directory and its log.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Lets the server outlive this program; returns its process id.
    pub(super) fn leave_running(mut self) -> u32 {
        self.process.take().map_or(0, |process| process.id())
    }

    /// Waits for the line with the address.
    fn ready(&mut self) -> Result<String> {
        let log = self.dir.join("server.log");
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(&log).context("cannot read the server's log")?;
            if let Some(url) = address(&text) {
                return Ok(url);
            }
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            if let Some(status) = ended {
                bail!("keyward-server ended with {status}:\n{text}");
            }
            if start.elapsed() > PATIENCE {
                bail!("keyward-server printed no address in {} s:\n{text}", PATIENCE.as_secs());
            }
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            _ = process.kill();
            _ = process.wait();
        }
    }
}

/// The first `http://127.0.0.1:port` on a whole line of `text`.
fn address(text: &str) -> Option<String> {
    let line = text.split_inclusive('\n').find(|line| line.ends_with('\n') && line.contains(PREFIX))?;
    let (_, rest) = line.split_once(PREFIX)?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!port.is_empty()).then(|| format!("{PREFIX}{port}"))
}

const PREFIX: &str = "http://127.0.0.1:";
const PATIENCE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn the_address_is_read_from_a_whole_line_only() {
        assert_eq!(address("starting\nlistening on http://127.0.0.1:80"), None);
        assert_eq!(address("x http://127.0.0.1:8420/ y\n").as_deref(), Some("http://127.0.0.1:8420"));
        assert_eq!(address("nothing\n"), None);
    }
}
