//! A server and machines to measure on: the programs that stand beside this one, in a temporary directory.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

/// Where everything of one run is, removed at its end.
pub struct Lab {
    dir: TempDir,
    bin: PathBuf,
}

impl Lab {
    /// An empty one.
    ///
    /// # Errors
    /// If there is no temporary directory.
    pub fn new() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("keyward-bench.").tempdir()?;
        let this = std::env::current_exe()?;
        let bin = this.parent().context("this program has no directory")?.to_owned();
        Ok(Self { dir, bin })
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file in it.
    ///
    /// # Errors
    /// If that fails.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// A program that was built with this one.
    ///
    /// # Errors
    /// If it was not.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let path = self.bin.join(name);
        ensure!(path.is_file(), "{} is not there: run `cargo xtask bench`", path.display());
        Ok(path)
    }

    /// Makes a certificate authority, and a certificate of this machine by it: `ca.pem`, `server.pem`, `server.key`.
    ///
    /// # Errors
    /// If openssl is missing or fails.
    pub fn certify(&self) -> Result<()> {
        self.write("extensions", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")?;
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        for words in [
            format!("req -x509 {new_key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca"),
            format!("req {new_key} -keyout server.key -out server.csr -subj /CN=keyward"),
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -extfile extensions -out server.pem"
                .to_owned(),
        ] {
            let output = Command::new("openssl").args(words.split(' ')).current_dir(self.dir.path()).output();
            let output = output.context("openssl did not start")?;
            ensure!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

/// A running `keyward-server`; dropping it kills it.
pub struct Server {
    process: Child,
    /// `https://127.0.0.1:port`, or `http://…`.
    pub url: String,
    /// The address that the server listens at.
    pub address: SocketAddr,
}

impl Server {
    /// Starts one that keeps everything in the lab's directory `name`, on a free port.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start(lab: &Lab, name: &str, flags: &[&OsStr]) -> Result<Self> {
        let dir = lab.path(name);
        fs::create_dir_all(&dir)?;
        let (out, log) = (dir.join("out"), dir.join("log"));
        let process = Command::new(lab.program("keyward-server")?)
            .args(["--data", "data", "--listen", "127.0.0.1:0"])
            .args(flags)
            .env_clear()
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&log)?)
            .spawn()
            .context("keyward-server did not start")?;
        let mut server = Self { process, url: String::new(), address: SocketAddr::from(([0; 4], 0)) };
        let start = Instant::now();
        loop {
            if let Some((url, address)) = ready(&fs::read_to_string(&out)?) {
                (server.url, server.address) = (url, address);
                return Ok(server);
            }
            if let Some(status) = server.process.try_wait()? {
                bail!("keyward-server ended with {status}:\n{}", fs::read_to_string(&log)?);
            }
            ensure!(start.elapsed() < PATIENCE, "keyward-server did not get ready");
            sleep(Duration::from_millis(5));
        }
    }

    /// The server's process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Starts one with the certificate of [`Lab::certify`].
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start_tls(lab: &Lab, name: &str) -> Result<Self> {
        let (cert, key) = (lab.path("server.pem"), lab.path("server.key"));
        Self::start(lab, name, &["--tls-cert".as_ref(), cert.as_ref(), "--tls-key".as_ref(), key.as_ref()])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// The address in the server's ready line, once the line is whole.
fn ready(text: &str) -> Option<(String, SocketAddr)> {
    let url = text.strip_suffix('\n')?.rsplit_once(' ')?.1;
    Some((url.to_owned(), url.split_once("://")?.1.parse().ok()?))
}

/// A machine with `keyward` and a home of its own, and nothing else in its environment.
pub struct Machine {
    home: PathBuf,
    keyward: PathBuf,
    environment: Vec<(String, String)>,
}

impl Machine {
    /// A machine whose home is the lab's directory `name`.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn new(lab: &Lab, name: &str) -> Result<Self> {
        let home = lab.path(name);
        fs::create_dir_all(&home)?;
        Ok(Self { home, keyward: lab.program("keyward")?, environment: Vec::new() })
    }

    /// The machine with this variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The machine's home.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// `keyward WORD…`, to be run.
    pub fn keyward(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.keyward);
        command
            .args(words)
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.home)
            .stdin(Stdio::null());
        command
    }

    /// What `keyward WORD…` prints with this standard input.
    ///
    /// # Errors
    /// If it fails, with what it said.
    pub fn ok(&self, words: &[&str], input: &str) -> Result<String> {
        let mut command = self.keyward(words);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input is no failure.
            _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "keyward {}: {said}", words.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }
}

const PATIENCE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_a_whole_line_only() {
        assert!(ready("keyward-server listening on https://127.0.0.1:84").is_none());
        let (url, address) = ready("keyward-server listening on https://127.0.0.1:8420\n").unwrap();
        assert_eq!((url.as_str(), address.port()), ("https://127.0.0.1:8420", 8420));
    }
}
