//! A new certificate without a restart, by SIGHUP: real files, real handshakes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use keyward_tests::authority::Authority;
use keyward_tests::http::Request;
use keyward_tests::server::{Engine, Server, wait_until};

#[test]
fn a_new_certificate_is_used_from_the_next_connection_on_and_a_bad_one_never() {
    let (former, new, files) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let (cert, key) = (files.path().join("chain.pem"), files.path().join("key.pem"));
    let put = |from: &Authority, name: &str, to: &Path| {
        // As renewal tools do: never half a file.
        let fresh = to.with_extension("new");
        std::fs::copy(from.path(name), &fresh).unwrap();
        std::fs::rename(fresh, to).unwrap();
    };
    put(&former, "server.pem", &cert);
    put(&former, "server.key", &key);
    let server = Server::start_with(
        Engine::Sqlite,
        &["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()],
    );
    assert!(is_trusted(&server, &former) && !is_trusted(&server, &new));
    let mut running = Connection::open(&server, &former);
    running.get_healthz();

    // A chain without its key, a file that is none, and one that is gone.
    let lines = |word: &str| server.log().lines().filter(|line| line.contains(word)).count();
    let mut refused = 0;
    let mut is_refused = |what: &str| {
        refused += 1;
        server.ask_to_reload();
        wait_until(what, || (lines("certificate and key are not changed") == refused).then_some(()));
        assert!(is_trusted(&server, &former) && !is_trusted(&server, &new), "{what}");
    };
    put(&new, "server.pem", &cert);
    is_refused("a chain with another's key");
    std::fs::write(&key, "no key").unwrap();
    is_refused("a key that is none");
    std::fs::remove_file(&cert).unwrap();
    is_refused("a chain that is gone");
    for reason in ["do not belong together", "as a PEM private key", "chain.pem: there is no such file"] {
        assert!(server.log().contains(reason), "{reason}: {}", server.log());
    }
    // At the start, too.
    let (cert_flag, key_flag) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let start = ["serve", "--listen", "127.0.0.1:0", "--tls-cert", cert_flag, "--tls-key", key_flag];
    let ended = server.another(&start);
    assert_eq!(ended.code, 1, "{}", ended.said());
    assert!(ended.stderr.contains("chain.pem: there is no such file"), "{}", ended.stderr);

    put(&new, "server.pem", &cert);
    put(&new, "server.key", &key);
    server.ask_to_reload();
    wait_until("the new pair", || (lines("were read anew") == 1).then_some(()));
    assert!(is_trusted(&server, &new) && !is_trusted(&server, &former));
    // What was connected goes on.
    running.get_healthz();
}

#[test]
fn a_server_without_a_certificate_goes_on_when_it_is_asked_to_reload() {
    let mut server = Server::start(Engine::Sqlite);
    server.ask_to_reload();
    wait_until("its word", || server.log().contains("no certificate to read anew").then_some(()));
    assert_eq!(server.send(&Request::get("/healthz")).status, 200);
    assert_eq!(server.terminate().code(), Some(0));
}

/// Whether a handshake with the server succeeds for somebody who trusts only this authority.
fn is_trusted(server: &Server, authority: &Authority) -> bool {
    let output = s_client(server, authority).stdin(Stdio::null()).output().expect("openssl is installed");
    output.status.success()
}

fn s_client(server: &Server, authority: &Authority) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-quiet", "-no_ign_eof", "-verify_return_error", "-verify_ip", "127.0.0.1"])
        .args(["-connect", &server.address.to_string(), "-CAfile"])
        .arg(authority.path("ca.pem"))
        .stderr(Stdio::null());
    command
}

/// A connection that stays open.
struct Connection {
    client: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Connection {
    fn open(server: &Server, authority: &Authority) -> Self {
        let mut client =
            s_client(server, authority).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (client.stdin.take().unwrap(), BufReader::new(client.stdout.take().unwrap()));
        Self { client, to, from }
    }

    fn get_healthz(&mut self) {
        self.to.write_all(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
        self.to.flush().unwrap();
        let (mut line, mut length) = (String::new(), 0);
        self.from.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line:?}");
        while line != "\r\n" {
            line.clear();
            self.from.read_line(&mut line).unwrap();
            if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
        }
        self.from.read_exact(&mut vec![0; length]).unwrap();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}
