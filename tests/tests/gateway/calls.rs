//! Whom a gateway calls: seen by the packets.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use keyward_tests::leak::{Secret, absent};

use super::commands::status;
use super::*;

/// The gateway, its server, a service and an agent, in a network of which every packet is written down; then the packets.
#[test]
fn l7_a_gateway_calls_its_server_and_judged_upstreams_only_and_no_packet_has_the_key() {
    if let Some(ports) = std::env::var_os(INSIDE) {
        return inside(Path::new(&ports));
    }
    let folder = tempfile::tempdir().unwrap();
    let (ports, packets) = (folder.path().join("ports"), folder.path().join("packets"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/calls.py");
    let name = "calls::l7_a_gateway_calls_its_server_and_judged_upstreams_only_and_no_packet_has_the_key";
    let run = Command::new("/usr/bin/unshare")
        .args(["--map-root-user", "--net", "--", "python3"])
        .args([&script, &packets])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, &ports)
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    let ports = fs::read_to_string(&ports).unwrap();
    let expected: BTreeSet<u16> = ports.split_whitespace().map(|port| port.parse().unwrap()).collect();
    let (mut called, mut elsewhere) = (BTreeSet::new(), BTreeSet::new());
    let mut said: std::collections::BTreeMap<(u16, u16), Vec<u8>> = std::collections::BTreeMap::new();
    for packet in Packet::all(&fs::read(&packets).unwrap()) {
        if !packet.to.is_loopback() {
            elsewhere.insert((packet.kind, packet.port));
        } else if packet.kind != TCP {
            panic!("something else than TCP: {} to port {}", packet.kind, packet.port);
        } else if packet.begins {
            called.insert(packet.port);
        }
        said.entry((packet.from, packet.port)).or_default().extend(packet.payload);
    }
    assert_eq!(called, expected, "whom somebody called on this machine");
    // Those that the script made, by which it is known that others would have been seen.
    assert_eq!(elsewhere, [(TCP, 443), (UDP, 53)].into(), "whom somebody called elsewhere");
    for ((from, to), bytes) in said {
        absent(&[Secret::new("the key", SECRET)], &bytes, &format!("what port {from} told port {to}"));
    }
}

fn inside(ports: &Path) {
    let scene = Scene::new();
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at);
    assert_eq!(status(&scene, &agent), "200 200");
    // It hears of changes.
    scene.world.owner.ok(&["agent", "revoke", "bot", BETA.0]);
    keyward_tests::server::wait_until("the key is taken away", || {
        (status(&scene, &agent) != "200 200").then_some(())
    });
    assert!(scene.service.seen().contains(SECRET), "the service got the key");
    let own = gateway.at.rsplit_once(':').unwrap().1.to_owned();
    gateway.end();
    fs::write(ports, format!("{own} {} {}", scene.world.server.address.port(), scene.service.port)).unwrap();
}

struct Packet {
    kind: u8,
    to: IpAddr,
    from: u16,
    port: u16,
    /// Whether the connection is one that somebody asks for.
    begins: bool,
    payload: Vec<u8>,
}

impl Packet {
    fn all(mut bytes: &[u8]) -> Vec<Self> {
        let mut all = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk() {
            let (packet, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
            all.extend(Self::read(packet));
            bytes = rest;
        }
        all
    }

    /// What is not of the Internet's protocols, or says how the interface is, is nobody's call.
    fn read(frame: &[u8]) -> Option<Self> {
        let (kind, to, inner) = match frame.get(12..14)? {
            [0x08, 0x00] => {
                let packet = &frame[14..];
                let to: [u8; 4] = packet[16..20].try_into().unwrap();
                let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
                // 0: larger than the field has room for, as on this interface.
                let end = if length == 0 { packet.len() } else { length };
                (packet[9], IpAddr::from(to), &packet[usize::from(packet[0] & 15) * 4..end])
            }
            [0x86, 0xdd] => {
                let packet = &frame[14..];
                let to: [u8; 16] = packet[24..40].try_into().unwrap();
                (packet[6], IpAddr::from(to), &packet[40..])
            }
            _ => return None,
        };
        if !matches!(kind, TCP | UDP) {
            return None;
        }
        let number = |at: usize| u16::from_be_bytes([inner[at], inner[at + 1]]);
        let (begins, head) = if kind == TCP {
            (inner[13] & 0x12 == 0x02, usize::from(inner[12] >> 4) * 4)
        } else {
            (false, 8)
        };
        Some(Self { kind, to, from: number(0), port: number(2), begins, payload: inner[head..].to_vec() })
    }
}

/// Set where the test runs in the network that is looked at: where to write which ports may be called.
const INSIDE: &str = "KEYWARD_TEST_CALLS";
const TCP: u8 = 6;
const UDP: u8 = 17;
