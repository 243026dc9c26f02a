//! `kill -9` at any moment, under writes and reads.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use keyward_crypto::change::open_current;
use keyward_tests::engines;
use keyward_tests::http::{self, Request};
use keyward_tests::insider::token_halves;
use keyward_tests::world::{ALPHA, BETA, World, read, secret};
use keyward_wire::KeyId;

use crate::admin::Admin;
use crate::random_fraction;

engines! {
    fn killed_at_any_moment_a_server_keeps_what_it_acknowledged(engine) {
        let mut world = World::new(engine);
        let keys = [ALPHA, BETA].map(|(name, _)| world.insider().key(name));
        let mut writers = keys.map(|key| Writer { admin: Admin::of(&world.owner), key, acknowledged: 0, tried: 0 });
        let halves = token_halves(&world.token);
        let proof = halves.auth.authorization(halves.id);
        let mut acknowledged_reads = BTreeSet::new();
        // Whatever the machine is busy with, a round has time for a few writes, or for a part of one.
        let longest = writers[0].time_of_a_write(world.server.address) * 5;
        for round in 0..ROUNDS {
            let server = world.server.address;
            let moment = longest.mul_f64(random_fraction());
            let reads = std::thread::scope(|scope| {
                for writer in &mut writers {
                    scope.spawn(|| writer.write_until_gone(server));
                }
                let readers = [(); 2].map(|()| scope.spawn(|| read_until_gone(server, &proof)));
                std::thread::sleep(moment);
                world.server.stop();
                readers.map(|reader| reader.join().unwrap())
            });
            acknowledged_reads.extend(reads.into_iter().flatten());
            world.server.restart();
            let insider = world.insider();
            for writer in &mut writers {
                let envelope = insider.envelope(&world.server, writer.key);
                let value = open_current(&insider.org, insider.org.key(writer.key).unwrap(), &envelope).unwrap().value;
                writer.check(&value, round, moment);
            }
        }
        world.follow_server();
        assert!(writers.iter().all(|writer| writer.acknowledged > 10), "hardly anything was written");
        assert!(acknowledged_reads.len() > 10, "hardly anything was read");
        let kept = world.server.sql(&format!("select {} from audit", world.server.hex("hash")));
        let kept: BTreeSet<&str> = kept.lines().collect();
        let lost = acknowledged_reads.iter().filter(|hash| !kept.contains(hash.as_str())).count();
        assert_eq!(lost, 0, "reads were answered without a durable entry");

        let names: BTreeSet<String> = read(&world.robot).into_keys().collect();
        assert_eq!(names, [ALPHA.0, BETA.0].map(str::to_owned).into());
        world.owner.ok(&["audit", "verify", "--all"]);
        world.server.another(&["check"]).ok(&["keyward-server", "check"]);
    }
}

/// Writes 1, 2, 3 … as the value of a key.
struct Writer {
    admin: Admin,
    key: KeyId,
    acknowledged: u64,
    tried: u64,
}

impl Writer {
    fn write_until_gone(&mut self, server: SocketAddr) {
        loop {
            let next = self.tried.max(self.acknowledged) + 1;
            let key = self.key;
            let mut sent = false;
            let answer = self.admin.write(server, |draft| {
                sent = true;
                draft.add_version(key, &secret(next.to_string())).unwrap();
            });
            if sent {
                self.tried = next;
            }
            match answer {
                Ok(answer) if answer.status == 200 => self.acknowledged = next,
                // The other writer was faster.
                Ok(answer) if answer.status == 409 => {}
                Ok(answer) => panic!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
                Err(_) => return,
            }
        }
    }

    fn time_of_a_write(&mut self, server: SocketAddr) -> Duration {
        let start = Instant::now();
        self.tried += 1;
        let (key, value) = (self.key, self.tried.to_string());
        let answer = self.admin.write(server, |draft| {
            draft.add_version(key, &secret(value)).unwrap();
        });
        assert_eq!(answer.unwrap().status, 200);
        self.acknowledged = self.tried;
        start.elapsed()
    }

    /// Checks that nothing is lost that was acknowledged. What was only tried may be there: then the answer was lost.
    fn check(&mut self, value: &[u8], round: u64, moment: Duration) {
        let text = std::str::from_utf8(value).unwrap();
        let Ok(number) = text.parse::<u64>() else {
            assert_eq!(
                self.acknowledged, 0,
                "round {round}, killed after {moment:?}: the first value is back"
            );
            return;
        };
        assert!(
            (self.acknowledged..=self.tried).contains(&number),
            "round {round}, killed after {moment:?}: {number} is there, {} was acknowledged, {} tried",
            self.acknowledged,
            self.tried
        );
    }
}

/// The audit hashes, in hexadecimal, of the reads that were answered.
fn read_until_gone(server: SocketAddr, proof: &str) -> Vec<String> {
    let mut hashes = Vec::new();
    let request = Request::get("/v1/me/bundle").by(proof);
    while let Ok(answer) = http::send(server, &request) {
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let hash = answer.of("keyward-audit").unwrap();
        let hash = data_encoding::BASE64URL_NOPAD.decode(hash.as_bytes()).unwrap();
        hashes.push(data_encoding::HEXLOWER.encode(&hash));
    }
    hashes
}

const ROUNDS: u64 = 200;
