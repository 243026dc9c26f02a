//! Bundles that are asked for again: from memory, recorded together, and on the disk before they are answered.

use std::collections::BTreeSet;
use std::sync::Mutex;

use keyward_tests::engines;
use keyward_tests::http::{self, Request};
use keyward_tests::insider::token_halves;
use keyward_tests::server::wait_until;
use keyward_tests::world::World;
use keyward_wire::Sha256;
use keyward_wire::api::bundle::AUDIT_HEADER;

engines! {
    fn a_bundle_comes_from_memory_until_the_organisation_moves(engine) {
        let world = World::new(engine);
        let request = request(&world);
        let first = world.server.send(&request);
        let again = || world.server.send(&request);
        // A hand in the database, and no write of ORG: nobody but the database knows.
        world.server.sql("update grants set seq = seq + 1000");
        assert_eq!((again().status, again().body), (200, first.body.clone()));
        // As another process over the same database would write.
        world.server.sql("update orgs set seq = seq + 1");
        assert_eq!(again().status, 200);
        assert_ne!(again().body, first.body);
        world.server.sql("update identities set not_after = 1 where kind = 'api'");
        assert_eq!(again().status, 401);
        world.server.sql("update identities set not_after = null where kind = 'api'");
        assert_eq!(again().status, 200);
    }

    fn whatever_was_answered_is_recorded_when_the_server_is_killed(engine) {
        let mut world = World::new(engine);
        let request = request(&world);
        let tag = world.server.send(&request).of("etag").unwrap().to_owned();
        let requests = [request.clone(), request.header("if-none-match", &tag)];
        let (address, told) = (world.server.address, Mutex::new(BTreeSet::new()));
        std::thread::scope(|scope| {
            for reader in 0..8 {
                let (told, request) = (&told, &requests[reader % 2]);
                scope.spawn(move || {
                    while let Ok(answer) = http::send(address, request) {
                        assert!(matches!(answer.status, 200 | 304), "{}", answer.status);
                        let hash: Sha256 = answer.of(AUDIT_HEADER).unwrap().parse().unwrap();
                        assert!(told.lock().unwrap().insert(hash), "two answers have one entry");
                    }
                });
            }
            wait_until("answers", || (told.lock().unwrap().len() > 300).then_some(()));
            world.server.stop();
        });
        world.server.restart();
        world.owner.redirect(&world.server.url());
        world.owner.ok(&["audit", "verify"]);
        let hash = world.server.hex("hash");
        let kept = world.server.sql(&format!("select {hash} from audit"));
        let kept: BTreeSet<&str> = kept.lines().collect();
        for hash in told.into_inner().unwrap() {
            let hash = data_encoding::HEXLOWER.encode(hash.as_bytes());
            assert!(kept.contains(hash.as_str()), "an answer has no entry");
        }
    }
}

fn request(world: &World) -> Request {
    let halves = token_halves(&world.token);
    Request::get("/v1/me/bundle").by(&halves.auth.authorization(halves.id))
}
