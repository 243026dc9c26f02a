//! A static program resolves names by itself: from `/etc/hosts`, and from the server that `/etc/resolv.conf` names, in a
//! room that holds nothing else of glibc's: no `nsswitch.conf`, no library.
//!
//! `resolv.conf` knows one port only, 53. So these tests run in a network of their own, where it is free: each test starts
//! this very program again in a fresh network namespace, with the ignored part of the test named.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::Command;

use keyward_tests::machine::{Ended, run};
use keyward_tests::server::{Engine, wait_until};
use keyward_tests::world::{DEPLOYMENT, World, expected};

use crate::release::Unpacked;
use crate::room::Room;

const NAME: &str = "keyward.test";
const DNS_SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);

#[test]
fn the_client_resolves_names_in_a_room_without_a_library() {
    in_own_network("names::inside::client");
}

#[test]
fn the_server_runs_and_resolves_names_in_a_room_without_a_library() {
    in_own_network("names::inside::server");
}

/// Runs an ignored test of this program where loopback is all there is.
fn in_own_network(test: &str) {
    let mut command = Command::new("unshare");
    command.args(["--net", "--", "sh", "-ec", "busybox ip link set lo up\nexec \"$@\"", "sh"]);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--ignored", "--nocapture"]);
    let ended = run(command, b"");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.code == 0 && said.contains("1 passed"), "{}", ended.said());
}

mod inside {
    use super::*;

    #[test]
    #[ignore = "its caller runs it in a network of its own"]
    fn client() {
        let world = World::new(Engine::Sqlite);
        answer_questions();
        let room = Room::new();
        let fetch = || fetch(&room, &world);

        let ended = fetch();
        assert_eq!(ended.code, 5, "a name that nobody knows: {}", ended.said());
        assert!(ended.stderr.contains(NAME), "{}", ended.stderr);

        room.file("etc/hosts", &format!("127.0.0.1 localhost\n127.0.0.1 other.test {NAME}\n"), 0o644);
        gets_all(&fetch(), "/etc/hosts");

        room.file("etc/hosts", "127.0.0.1 localhost\n", 0o644);
        room.file("etc/resolv.conf", &format!("nameserver {DNS_SERVER}\n"), 0o644);
        gets_all(&fetch(), "a DNS server");

        // As glibc does it by default, and as Debian's nsswitch.conf asks for modules that are not there.
        let modules = "passwd: files systemd\nhosts: files mdns4_minimal myhostname dns\n";
        room.file("etc/nsswitch.conf", modules, 0o644);
        gets_all(&fetch(), "a DNS server, with nsswitch.conf");
    }

    fn gets_all(ended: &Ended, how: &str) {
        assert_eq!(ended.code, 0, "{how}: {}", ended.said());
        let read: std::collections::BTreeMap<String, String> = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!(read, expected(), "{how}");
    }

    fn fetch(room: &Room, world: &World) -> Ended {
        let url = format!("http://{NAME}:{}", world.server.address.port());
        let words = [
            "/usr/local/bin/keyward",
            "--allow-http",
            "deployment",
            "env-file",
            "--stdout",
            "--format",
            "json",
        ];
        let words: Vec<&str> = words.into_iter().chain([DEPLOYMENT]).collect();
        room.run(&[("KEYWARD_URL", &url), ("KEYWARD_TOKEN", &world.token)], &words, b"")
    }

    #[test]
    #[ignore = "its caller runs it in a network of its own"]
    fn server() {
        answer_questions();
        let release = Unpacked::new();
        let room = Room::new();
        room.copy(&release.path("bin/keyward-server"), "usr/local/bin/keyward-server");
        room.file("etc/resolv.conf", &format!("nameserver {DNS_SERVER}\n"), 0o644);

        // Its database's name is resolved: whoever listens there is called.
        let database = TcpListener::bind("127.0.0.1:0").unwrap();
        database.set_nonblocking(true).unwrap();
        let url = format!("postgres://user:word@{NAME}:{}/db", database.local_addr().unwrap().port());
        let room = room.keeps("data");
        let words = ["/usr/local/bin/keyward-server", "--data", "/data", "--database-url", &url];
        let mut process = room.command(&[], &words).spawn().unwrap();
        wait_until("a call to the database", || database.accept().ok());
        process.kill().unwrap();
        process.wait().unwrap();

        // And it serves, with all it needs in one folder.
        let words = ["/usr/local/bin/keyward-server", "--data", "/data", "--listen", "127.0.0.1:8420"];
        let mut process = room.command(&[], &words).spawn().unwrap();
        let answer = wait_until("an answer", || {
            let mut command = Command::new("busybox");
            command.args(["wget", "-q", "-O", "-", "http://127.0.0.1:8420/healthz"]);
            Some(run(command, b"")).filter(|ended| ended.code == 0)
        });
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(!answer.stdout.is_empty());
    }
}

/// A DNS server for one name, for as long as this process lives: A is loopback, everything else is unknown.
fn answer_questions() {
    let socket = UdpSocket::bind((DNS_SERVER, 53)).unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, asker)) = socket.recv_from(&mut packet) {
            if let Some(answer) = answer(&packet[..length]) {
                socket.send_to(&answer, asker).unwrap();
            }
        }
    });
}

/// RFC 1035: the question back, and for A of [`NAME`] one record.
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    let mut at = 12;
    while let Some(length @ 1..) = question.get(at).copied().map(usize::from) {
        name.push(String::from_utf8(question.get(at + 1..at + 1 + length)?.to_vec()).ok()?);
        at += 1 + length;
    }
    let end = at + 5;
    let kind = question.get(at + 1..at + 3)?;
    let known = name.join(".").eq_ignore_ascii_case(NAME);
    let address = known && kind == [0, 1];
    let mut answer = question.get(..2)?.to_vec();
    // An answer, recursion desired and there; NXDOMAIN for what is not known. One question, nothing more but the answer.
    answer.extend([0x81, if known { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(address), 0, 0, 0, 0]);
    answer.extend(question.get(12..end)?);
    if address {
        // The name of the question, A, IN, a minute, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}
