//! A PostgreSQL that cannot be used, and one that is used from a place where nothing may be written.

use keyward_tests::server::{Engine, Server, wait_until};
use keyward_tests::world::World;

#[test]
fn to_migrate_and_to_restore_into_postgresql_no_directory_is_made() {
    let world = World::new(Engine::Postgres);
    let file = world.server.data().parent().unwrap().join("backup");
    let backup = ["backup", file.to_str().unwrap()];
    world.server.another(&backup).ok(&backup);
    let mut target = Server::start(Engine::Postgres);
    target.stop();
    std::fs::remove_dir_all(target.data()).unwrap();
    for words in [&["migrate"][..], &["restore", file.to_str().unwrap()]] {
        target.another(words).ok(words);
        assert!(!target.data().exists(), "{words:?}");
    }
}

#[test]
fn what_is_wrong_with_a_database_is_said_with_what_to_do() {
    let server = Server::start(Engine::Postgres);
    let url = server.postgres_url();
    let (_, name) = url.rsplit_once('/').unwrap();
    let role = format!("poor_{name}");
    server.sql(&format!("create role {role} login password 'poor'"));
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, host) = rest.split_once('@').unwrap();
    let cases = [
        (format!("{url}_gone"), "there is no such database: create it"),
        (format!("{scheme}://{role}:poor@{host}"), "its user lacks a right: "),
    ];
    for (url, said) in cases {
        let ended = server.another(&["migrate", "--database-url", &url]);
        assert_eq!(ended.code, 1, "{}", ended.said());
        assert!(ended.stderr.contains(said), "{}", ended.said());
    }
    server.sql(&format!("drop role {role}"));
}

/// Only the clock that decides is wrong: no client compares its own with it.
#[test]
fn a_database_whose_clock_is_wrong_is_said_to_be_at_the_start() {
    let mut server = Server::start(Engine::Postgres);
    let warns = |server: &Server| server.log().contains("the database's clock is ahead of this machine's");
    let (_, name) = server.postgres_url().rsplit_once('/').unwrap();
    server.sql(&format!(
        "create schema wrong;
         create function wrong.clock_timestamp() returns timestamptz language sql
            as 'select pg_catalog.clock_timestamp() - interval ''2 minutes''';
         alter database {name} set search_path = public, wrong, pg_catalog"
    ));
    assert!(!warns(&server), "{}", server.log());
    server.restart();
    wait_until("the warning", || warns(&server).then_some(()));
    assert!(
        ["seconds=-119", "seconds=-120"].iter().any(|ahead| server.log().contains(ahead)),
        "{}",
        server.log()
    );
}
