//! A schema that is not the server's own is served by nobody, backed up by nobody, and named.

use keyward_tests::engines;
use keyward_tests::server::Engine;
use keyward_tests::world::World;

engines! {
    fn a_schema_changed_by_hand_is_refused_and_what_changed_is_named(engine) {
        let mut world = World::new(engine);
        let server = &mut world.server;
        for (change, said, undo) in changes(engine) {
            server.sql(change);
            refused_as_unsound(server, said);
            server.stop();
            for words in [&["migrate"][..], &["serve", "--listen", "127.0.0.1:0"]] {
                let ended = server.another(words);
                assert_eq!(ended.code, 1, "{change}: {}", ended.said());
                assert!(ended.stderr.contains("its schema was changed by hand: "), "{change}: {}", ended.said());
                assert!(ended.stderr.contains(said), "{change}: {}", ended.said());
            }
            server.sql(undo);
            server.restart();
        }
        assert_eq!(server.another(&["check"]).code, 0, "not everything was undone");
    }

    fn a_database_of_another_keyward_is_not_backed_up(engine) {
        let mut world = World::new(engine);
        let server = &mut world.server;
        server.stop();
        server.sql(
            "insert into schema_migrations (version, name, sha256, applied_at)
             select 99, 'future', sha256, applied_at from schema_migrations where version = 1",
        );
        refused_as_unsound(server, "belongs to a newer keyward-server");
        server.sql("delete from schema_migrations where version = 99");
        server.sql("update schema_migrations set applied_at = 1, sha256 = (
            select m.sha256 from schema_migrations m where m.version = 1) where version = 2");
        refused_as_unsound(server, "migration 2 in the database differs");
    }
}

/// Its tables and indices among them: PostGIS has one.
#[test]
fn postgres_extensions_may_have_tables_in_the_schema() {
    let mut world = World::new(Engine::Postgres);
    let server = &mut world.server;
    server.sql(
        "create table spatial (id bigint primary key, area bigint unique references spatial (id));
         create index spatial_areas on spatial (area, id);
         alter extension plpgsql add table spatial",
    );
    assert_eq!(server.another(&["check"]).code, 0);
    server.stop();
    assert_eq!(server.another(&["migrate"]).code, 0);
    server.restart();
}

/// By `check` and by `backup`, which leaves no file.
fn refused_as_unsound(server: &keyward_tests::server::Server, said: &str) {
    let file = server.data().parent().unwrap().join("backup");
    for words in [&["check"][..], &["backup", file.to_str().unwrap()]] {
        let ended = server.another(words);
        let out = String::from_utf8_lossy(&ended.stdout);
        assert_eq!(ended.code, 6, "{words:?}: {}", ended.said());
        assert!(out.starts_with("schema: ") && out.contains(said), "{words:?}: {}", ended.said());
    }
    assert!(!file.exists());
}

/// What is done by hand, how it is named, and what undoes it.
fn changes(engine: Engine) -> Vec<(&'static str, &'static str, &'static str)> {
    let mut changes = vec![
        (
            "drop index sessions_by_expiry",
            "there is no index sessions_by_expiry on sessions: org_id, expires_at",
            "create index sessions_by_expiry on sessions (org_id, expires_at)",
        ),
        (
            "alter table groups add column note text",
            "there is a foreign column groups.note text",
            "alter table groups drop column note",
        ),
        (
            "create view readers as select identity_id from grants",
            "there is a foreign view readers",
            "drop view readers",
        ),
    ];
    match engine {
        Engine::Sqlite => changes.push((
            "create trigger forgets after insert on audit begin delete from audit where seq < new.seq - 9; end",
            "there is a foreign trigger forgets on audit",
            "drop trigger forgets",
        )),
        Engine::Postgres => changes.extend([
            (
                "create function forget() returns trigger language plpgsql as 'begin return null; end';
                 create trigger forgets before insert on audit for each row execute function forget()",
                "there is a foreign trigger forgets on audit",
                "drop trigger forgets on audit; drop function forget",
            ),
            (
                "create rule forgets as on insert to audit do instead nothing",
                "there is a foreign rule forgets on audit",
                "drop rule forgets on audit",
            ),
            (
                "alter table audit enable row level security; create policy hides on audit using (seq > 3)",
                "there is a foreign policy hides on audit",
                "drop policy hides on audit; alter table audit disable row level security",
            ),
        ]),
    }
    changes
}
