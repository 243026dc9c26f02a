//! A backup is whole, taken while the server serves, and goes back into either engine. What is not whole goes nowhere.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keyward_tests::engines;
use keyward_tests::http::Request;
use keyward_tests::machine::{Ended, Machine};
use keyward_tests::server::{Engine, Server, program, wait_until};
use keyward_tests::world::{DEPLOYMENT, EMAIL, GROUP, PASSWORD, World};

engines! {
    fn a_backup_goes_back_into_either_engine_with_everything_but_sessions(engine) {
        let world = World::new(engine);
        let memory = world.remembering_robot();
        let before = memory.ok(&env_file());
        let file = backup(&world.server, "backup").0;
        // Since then: another exclusion, which the restored server does not know.
        world.owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, keyward_tests::world::BETA.0]);
        assert_ne!(memory.ok(&env_file()), before);

        for target in [Engine::Sqlite, Engine::Postgres] {
            let mut restored = Server::start(target);
            let code = restored.data().join("setup-code");
            assert!(code.exists());
            restored.stop();
            let ended = restored.another(&["restore", text(&file)]);
            assert_eq!((ended.code, ended.stdout.as_slice()), (0, &b""[..]), "{}", ended.said());
            for word in ["rows are restored. Nothing is wrong: 1 organisations", "Logins of devices", "pin --forget", "org heartbeat"] {
                assert!(ended.stderr.contains(word), "{}", ended.stderr);
            }
            restored.restart();
            assert!(!code.exists(), "the setup code is asked for again");
            assert_eq!(restored.another(&["check"]).code, 0);
            assert_eq!(restored.sql("select count(*) from sessions"), "0");
            for table in ["credentials", "audit", "secrets", "view_keys", "grants", "server"] {
                let count = format!("select count(*) from {table}");
                assert_ne!(restored.sql(&count), "0", "{table}");
            }

            // The same ids, credentials and values; the token goes on.
            let robot = Machine::new(&restored.url()).without("HOME").with("KEYWARD_TOKEN", &world.token);
            assert_eq!(robot.ok(&env_file()), before);
            let owner = Machine::new(&restored.url());
            let login = ["login", "--email", EMAIL, "--password-stdin"];
            owner.keyward_with(&login, PASSWORD.as_bytes()).ok(&login);
            owner.ok(&["audit", "verify"]);
            // Whoever remembers the exclusion refuses to read what was excluded since.
            let mut memory = world.remembering_robot().with("KEYWARD_HOME", memory.path("memory"));
            memory.redirect(&restored.url());
            memory.keyward(&env_file()).refused(7, "a restored older state");
        }
    }

    fn a_backup_is_one_private_file_and_is_never_written_over_another(engine) {
        let world = World::new(engine);
        let (file, ended) = backup(&world.server, "backup");
        assert!(ended.stderr.contains(" rows are in "), "{}", ended.stderr);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        let names = || -> Vec<_> {
            let entries = file.parent().unwrap().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = entries.collect();
            names.sort();
            names
        };
        assert!(!names().iter().any(|name| name.to_string_lossy().contains("keyward-backup")), "{:?}", names());
        let (bytes, before) = (std::fs::read(&file).unwrap(), names());
        let again = world.server.another(&["backup", text(&file)]);
        assert_eq!(again.code, 1, "{}", again.said());
        assert!(again.stderr.contains("is there already"), "{}", again.stderr);
        assert_eq!((std::fs::read(&file).unwrap(), names()), (bytes, before));
        let nowhere = world.server.another(&["backup", "/no/such/directory/backup"]);
        assert_eq!(nowhere.code, 1, "{}", nowhere.said());
    }

    fn nothing_is_restored_over_an_organisation(engine) {
        let mut world = World::new(engine);
        let file = backup(&world.server, "backup").0;
        world.owner.ok(&["key", "delete", keyward_tests::world::BETA.0, "--yes"]);
        if engine == Engine::Sqlite {
            let running = world.server.another(&["restore", text(&file)]);
            assert_eq!(running.code, 1, "{}", running.said());
            assert!(running.stderr.contains("another keyward-server uses"), "{}", running.stderr);
        }
        world.server.stop();
        let ended = world.server.another(&["restore", text(&file)]);
        assert_eq!(ended.code, 1, "{}", ended.said());
        assert!(ended.stderr.contains("there is an organisation already"), "{}", ended.stderr);
        world.server.restart();
        assert_eq!(world.server.sql("select count(*) from keys"), "2");
    }

    fn a_backup_that_was_changed_is_not_restored_and_leaves_nothing(engine) {
        let world = World::new(engine);
        let good = backup(&world.server, "backup").0;
        let mut target = Server::start(engine);
        target.stop();
        let cases: &[(&str, &str, i32)] = &[
            // What the check finds,
            ("delete from grants", "is not sound", 6),
            ("update audit set entry = '{}' where seq = 2", "is not sound", 6),
            ("drop index members_by_identity", "is not sound", 6),
            ("update schema_migrations set sha256 = zeroblob(32)", "is not sound", 6),
            ("delete from audit_objects", "is not sound", 6),
            // what only the hash tells,
            ("update identities set last_used_at = 1", "does not hold the rows", 1),
            ("update identities set email = 'mallory@example.com' where email is not null", "does not hold the rows", 1),
            ("update orgs set created_at = 1", "does not hold the rows", 1),
            ("update backup_manifest set rows = rows + 1", "does not hold the rows", 1),
            // and what is no backup at all.
            ("update backup_manifest set format = 2", "is not a backup", 1),
            ("delete from backup_manifest", "is not a backup", 1),
            ("pragma application_id = 0", "is not a backup", 1),
        ];
        for (change, word, code) in cases {
            let bad = good.with_extension("bad");
            std::fs::copy(&good, &bad).unwrap();
            keyward_tests::server::change_file(&bad, change);
            let ended = target.another(&["restore", text(&bad)]);
            assert_eq!(ended.code, *code, "{change}: {}", ended.said());
            assert!(ended.stderr.contains(word), "{change}: {}", ended.said());
        }
        let cut = good.with_extension("cut");
        let bytes = std::fs::read(&good).unwrap();
        std::fs::write(&cut, &bytes[..bytes.len() / 3]).unwrap();
        assert_ne!(target.another(&["restore", text(&cut)]).code, 0);
        std::fs::write(&cut, b"no database at all").unwrap();
        let ended = target.another(&["restore", text(&cut)]);
        assert!(ended.code == 1 && ended.stderr.contains("is not a backup"), "{}", ended.said());
        let live = world.server.data().join("keyward.sqlite3");
        if live.exists() {
            let ended = target.another(&["restore", text(&live)]);
            assert!(ended.code == 1 && ended.stderr.contains("is not a backup"), "{}", ended.said());
        }
        target.restart();
        for table in ["orgs", "identities", "audit"] {
            assert_eq!(target.sql(&format!("select count(*) from {table}")), "0", "{table}");
        }
        // The good one still goes in.
        target.stop();
        assert_eq!(target.another(&["restore", text(&good)]).code, 0);
    }

    fn writes_go_on_while_a_backup_is_taken_and_it_is_of_one_moment(engine) {
        let world = World::new(engine);
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut writes = 0;
                while writes < 3 || !done.load(std::sync::atomic::Ordering::SeqCst) {
                    world.owner.ok(&["org", "heartbeat"]);
                    assert_eq!(world.server.send(&Request::get("/readyz")).status, 200);
                    writes += 1;
                }
                writes
            });
            let files: Vec<PathBuf> = (0..4).map(|n| backup(&world.server, &format!("backup-{n}")).0).collect();
            done.store(true, std::sync::atomic::Ordering::SeqCst);
            assert!(writer.join().unwrap() >= 3);
            for file in files {
                let mut target = Server::start(Engine::Sqlite);
                target.stop();
                let ended = target.another(&["restore", text(&file)]);
                assert_eq!(ended.code, 0, "{}", ended.said());
            }
        });
    }
}

/// A backup that waits for a lock, and is then asked to end.
#[test]
fn a_backup_that_is_ended_leaves_nothing() {
    let world = World::new(Engine::Postgres);
    let dir = world.server.data().parent().unwrap().to_owned();
    let mut lock = Command::new("psql")
        .args(["-Xq", "-d", world.server.postgres_url()])
        .args(["-c", "begin; lock table orgs in access exclusive mode; select pg_sleep(60)"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the lock", || {
        let locks = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and relation = 'orgs'::regclass";
        (world.server.sql(locks) == "1").then_some(())
    });
    let draft = || {
        let entries = dir.read_dir().unwrap().map(|entry| entry.unwrap().path());
        entries.into_iter().find(|path| path.to_string_lossy().contains(".keyward-backup."))
    };
    let mut backup = Command::new(program("keyward-server"))
        .args(["backup", "backup", "--data", "data"])
        .env("KEYWARD_SERVER_DATABASE_URL", world.server.postgres_url())
        .current_dir(&dir)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let folder = wait_until("its folder", draft);
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    wait_until("its file", || folder.join("backup").exists().then_some(()));
    assert!(Command::new("kill").args(["-TERM", &backup.id().to_string()]).status().unwrap().success());
    let status = backup.wait().unwrap();
    let mut said = String::new();
    backup.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    lock.kill().unwrap();
    lock.wait().unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("there is no backup"), "{said}");
    assert_eq!(draft(), None);
    assert!(!dir.join("backup").exists());
}

fn env_file() -> [&'static str; 4] {
    ["deployment", "env-file", DEPLOYMENT, "--stdout"]
}

/// A backup beside the server's data, while it serves.
fn backup(server: &Server, name: &str) -> (PathBuf, Ended) {
    let file = server.data().parent().unwrap().join(name);
    let ended = server.another(&["backup", text(&file)]);
    assert_eq!((ended.code, ended.stdout.as_slice()), (0, &b""[..]), "{}", ended.said());
    (file, ended)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
