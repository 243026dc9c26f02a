//! PostgreSQL gone, and back.

use keyward_tests::http::Request;
use keyward_tests::relay::Relay;
use keyward_tests::server::Server;
use keyward_tests::world::{ALPHA, World, env_file, expected, read};

#[test]
fn a_database_that_goes_away_is_said_to_be_and_nothing_is_lost_when_it_is_back() {
    let relay = Relay::before_postgres();
    let world = World::on(Server::start_through(&relay));
    assert_eq!(read(&world.robot), expected());
    let audit = world.server.sql("select count(*) from audit");

    relay.cut();
    let refused = world.server.send(&Request::get("/readyz"));
    assert_eq!(refused.status, 503, "{}", String::from_utf8_lossy(&refused.body));
    assert_eq!(world.server.send(&Request::get("/healthz")).status, 200);
    let ended = env_file(&world.robot);
    assert!(ended.stderr.contains("database"), "{}\n{}", ended.stderr, world.server.log());
    ended.refused(5, "a server without its database");
    let written = world.owner.keyward_with(&["key", "set", ALPHA.0, "--value-stdin"], b"unwritten");
    assert_eq!(written.code, 5, "{}", written.said());

    relay.mend();
    assert_eq!(world.server.sql("select count(*) from audit"), audit, "something was half written");
    assert_eq!(read(&world.robot), expected());
    world.owner.keyward_with(&["key", "set", ALPHA.0, "--value-stdin"], b"written").ok(&["key", "set"]);
    assert_eq!(read(&world.robot)[ALPHA.0], "written");
    world.owner.ok(&["audit", "verify", "--all"]);
    world.server.another(&["check"]).ok(&["keyward-server", "check"]);
}
