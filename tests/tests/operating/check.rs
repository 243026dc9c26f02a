//! `keyward-server check`: silent over what the server stored, and each damage is named by its ids.

use keyward_tests::engines;
use keyward_tests::server::{Engine, Server};
use keyward_tests::world::{ALPHA, World};
use serde_json::Value;

engines! {
    fn what_the_server_stored_is_found_sound_while_it_serves(engine) {
        let mut world = World::new(engine);
        for reader in [&world.robot, &world.owner] {
            reader.ok(&["deployment", "env-file", keyward_tests::world::DEPLOYMENT, "--stdout"]);
        }
        world.owner.ok(&["api-user", "create", "second", "--group", keyward_tests::world::GROUP]);
        let ended = world.server.another(&["check"]);
        assert_eq!((ended.code, ended.stdout.as_slice()), (0, &b""[..]), "{}", ended.said());
        assert!(ended.stderr.starts_with("Nothing is wrong: 1 organisations, "), "{}", ended.stderr);
        // And when it does not serve.
        world.server.stop();
        let ended = world.server.another(&["check", "--json"]);
        assert_eq!(ended.code, 0, "{}", ended.said());
        let said: Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!(said["findings"], 0);
        assert!(said["envelopes"].as_u64().unwrap() > 15 && said["audit_entries"].as_u64().unwrap() > 10, "{said}");
        world.server.restart();
    }

    fn each_damage_is_found_and_named_by_its_ids(engine) {
        let world = World::new(engine);
        let (server, hex) = (&world.server, |column: &str| world.server.hex(column));
        let key = server.sql(&format!("select {} from keys order by id limit 1", hex("id")));
        let robot = server.sql(&format!("select {} from grants", hex("identity_id")));
        // Each is done to the server as it is, found, and undone by what the third word does.
        let (key, robot) = (uuid(&key), uuid(&robot));
        let bytes = |text: &str| if engine == Engine::Sqlite { format!("x'{text}'") } else { format!("'\\x{text}'") };
        let (zeros, noise) = (bytes(&"00".repeat(32)), bytes(&"5a".repeat(600)));
        let damages: &[(String, &str, &str)] = &[
            (format!("update secrets set sha256 = {zeros}"), &format!("secret:{key}@1: the stored hash is not"), "secrets"),
            (format!("update secrets set env = {noise}"), &format!("secret:{key}@1: not an envelope"), "secrets"),
            ("update secrets set env = (select env from views)".into(), &format!("secret:{key}@1: an envelope of another purpose"), "secrets"),
            ("update secrets set version = 2".into(), &format!("key:{key}: a key has no current version"), "secrets"),
            ("delete from secrets".into(), &format!("key:{key}: a key has no current version"), "secrets"),
            ("delete from grants".into(), &format!("identity:{robot}: it is active and has no grant"), "grants"),
            ("update grants set seq = seq - 1".into(), &format!("grant:{robot}: older than the view"), "grants"),
            ("update grants set seq = 999".into(), &format!("grant:{robot}: newer than its organisation"), "grants"),
            ("delete from members".into(), &format!("grant:{robot}: to a view of other groups"), "members"),
            ("delete from exclusions".into(), "the keys noted of its build are not those", "exclusions"),
            ("update view_keys set seq = seq + 1".into(), "of a build of this view that never was", "view_keys"),
            ("delete from org_states".into(), "org: its state is not there", "org_states"),
            ("update org_states set env = (select env from grants)".into(), "org: an envelope of another purpose", "org_states"),
            (format!("update orgs set sha256 = {zeros}"), "org: the stored hash is not", "orgs"),
            ("update orgs set audit_seq = audit_seq + 1".into(), "the chain ends here", "orgs"),
            (format!("update orgs set audit_hash = {zeros}"), "the chain ends here", "orgs"),
            ("delete from audit where seq = 3".into(), "audit:4: entries are missing between 2", "audit"),
            ("update audit set entry = '{}' where seq = 3".into(), "audit:3: the link to the entry before it is broken", "audit"),
            (format!("update audit set hash = {zeros} where seq = 3"), "audit:4: the link to the entry before it is broken", "audit"),
            ("update audit set time = 1 where seq = 3".into(), "audit:3: seq, time or actor", "audit"),
            ("update identities set role = 'user' where role = 'owner'".into(), "org: there is no owner", "identities"),
            ("update identities set not_after = 1 where role = 'owner'".into(), "org: there is no owner", "identities"),
            ("update roots set generation = 7 where kind = 'orgkey_root'".into(), "orgkey_root:00000000-0000-0000-0000-000000000000: of another epoch", "roots"),
            ("delete from roots where kind = 'root'".into(), "it is not there", "roots"),
            ("update credentials set salt = null".into(), "passwords have a salt", "credentials"),
            ("update credentials set env = (select env from grants)".into(), "an envelope of another purpose", "credentials"),
            ("update escrows set env = (select env from grants)".into(), "an envelope of another purpose", "escrows"),
            ("delete from escrows".into(), "its key is in no escrow", "escrows"),
            (format!("update audit_objects set object_id = {} where audit_seq = 3", bytes(&"00".repeat(16))), "the index is not what the entries say", "audit_objects"),
            ("delete from audit_objects".into(), "the index is not what the entries say", "audit_objects"),
            ("delete from server".into(), "server: its row is not there", "server"),
            ("create index foreign_one on keys (version)".into(), "schema: there is a foreign index foreign_one on keys: version", "index"),
            ("drop index members_by_identity".into(), "schema: there is no index members_by_identity", "index"),
            ("alter table keys add column note text".into(), "schema: there is a foreign column keys.note text", "column"),
        ];
        let mut seen = std::collections::BTreeSet::new();
        for (damage, finding, table) in damages {
            // What is found does not depend on the engine, but whether it is looked for does: one of each table will do.
            if !seen.insert(table) && engine == Engine::Postgres {
                continue;
            }
            let undo = Undo::of(server, engine, table);
            server.sql(&without_triggers(engine, damage));
            let ended = server.another(&["check"]);
            let said = String::from_utf8_lossy(&ended.stdout).into_owned();
            assert_eq!(ended.code, 6, "{damage}: {}", ended.said());
            assert!(said.contains(finding), "{damage}: {said}");
            assert!(ended.stderr.contains("wrong: "), "{}", ended.stderr);
            undo.go(server);
        }
        assert_eq!(server.another(&["check"]).code, 0, "not everything was undone");
        let name = ALPHA.0;
        assert!(!server.log().contains(name));
    }

    fn what_is_no_database_of_keyward_s_is_called_that_and_left_alone(engine) {
        let mut server = Server::start(engine);
        server.stop();
        match engine {
            Engine::Sqlite => {
                std::fs::write(server.sqlite_file(), "").unwrap();
                for rest in ["-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{}{rest}", server.sqlite_file().display()));
                }
            }
            Engine::Postgres => {
                server.sql("drop schema public cascade; create schema public");
            }
        }
        let ended = server.another(&["check"]);
        assert_eq!(ended.code, 6, "{}", ended.said());
        assert!(ended.stdout.starts_with(b"schema: it is not a database of keyward-server's\n"), "{}", ended.said());
        if engine == Engine::Sqlite {
            assert_eq!(server.sqlite_file().metadata().unwrap().len(), 0);
            std::fs::write(server.sqlite_file(), vec![0x5a; 8192]).unwrap();
            let ended = server.another(&["check", "--json"]);
            assert_eq!(ended.code, 6, "{}", ended.said());
            std::fs::remove_file(server.sqlite_file()).unwrap();
            let ended = server.another(&["check"]);
            assert_eq!(ended.code, 1, "{}", ended.said());
            assert!(!server.sqlite_file().exists());
        }
    }
}

/// A damaged page of a file, as a disk makes it.
#[test]
fn a_damaged_file_is_a_finding() {
    let mut world = World::new(Engine::Sqlite);
    world.server.stop();
    let file = world.server.sqlite_file();
    world.server.sql("pragma wal_checkpoint(truncate)");
    let mut bytes = std::fs::read(&file).unwrap();
    let half = bytes.len() / 2 / 4096 * 4096;
    bytes[half..half + 4096].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();
    let ended = world.server.another(&["check"]);
    assert_eq!(ended.code, 6, "{}", ended.said());
    assert!(ended.stdout.starts_with(b"database: "), "{}", ended.said());
}

/// A table as it was before.
enum Undo {
    Rows(String),
    Ddl(&'static str),
}

impl Undo {
    fn of(server: &Server, engine: Engine, table: &str) -> Self {
        match table {
            "index" => Self::Ddl(
                "drop index if exists foreign_one; create index if not exists members_by_identity on members (org_id, identity_id)",
            ),
            "column" => Self::Ddl("alter table keys drop column note"),
            table => {
                // Beside the database: in it, it would be foreign.
                let (beside, again) = match engine {
                    Engine::Sqlite => (
                        format!("attach '{}/saved' as saved", server.data().parent().unwrap().display()),
                        String::new(),
                    ),
                    Engine::Postgres => (
                        "create schema if not exists saved".to_owned(),
                        "set session_replication_role = replica; ".to_owned(),
                    ),
                };
                server.sql(&format!("{beside}; create table saved.{table} as select * from {table}"));
                Self::Rows(format!(
                    "{again}{beside}; delete from {table}; insert into {table} select * from saved.{table};
                     drop table saved.{table}"
                ))
            }
        }
    }

    fn go(&self, server: &Server) {
        match self {
            Self::Rows(back) => server.sql(back),
            Self::Ddl(statement) => server.sql(statement),
        };
    }
}

/// SQLite's shell does not look at references; PostgreSQL must be told not to.
fn without_triggers(engine: Engine, statement: &str) -> String {
    match engine {
        Engine::Sqlite => statement.to_owned(),
        Engine::Postgres => format!("set session_replication_role = replica; {statement}"),
    }
}

fn uuid(hex: &str) -> String {
    let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    keyward_wire::KeyId::from_bytes(bytes.try_into().unwrap()).to_string()
}
