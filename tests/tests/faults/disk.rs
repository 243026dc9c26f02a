//! The server's disk: full, read-only, and without its files.

use keyward_tests::http::Request;
use keyward_tests::machine::{Machine, run};
use keyward_tests::server::{Engine, program};
use keyward_tests::world::{ALPHA, EMAIL, ORG, PASSWORD, World, env_file, expected, read};

/// A server on a real small file system, in a mount namespace of its own: it fills up, and has room again, while it runs and
/// before it starts.
#[test]
fn a_full_disk_refuses_writes_plainly_and_loses_nothing() {
    let ended = on_a_small_disk(
        r#"
        keyward deployment create production >/dev/null
        serve_until_full() {
            n=0
            while [ $n -lt 200 ]; do
                n=$((n + 1))
                head -c 40000 /dev/zero | tr '\0' x >value
                if keyward key create "KEY_$n" --from-file value >/dev/null 2>err; then
                    echo "KEY_$n" >>acknowledged
                else
                    echo "exit $?"; cat err; return
                fi
            done
            echo "never full"
        }
        head -c 1000000 /dev/zero >disk/filler
        serve_until_full
        # Reads need an audit entry, and there is no room for one: refused, too, and said so.
        keyward key list >/dev/null 2>err; echo "read: exit $?"

        # Room under the running server: it goes on by itself.
        rm disk/filler
        keyward key list >/dev/null && echo "read on"
        keyward key create ROOM --from-file value >/dev/null && echo "written on" && echo ROOM >>acknowledged

        # Full again, to the last byte, and at its start.
        head -c 3000000 /dev/zero >disk/filler 2>/dev/null
        keyward key list >/dev/null 2>err; echo "read: exit $?"
        kill -9 "$server"; wait "$server" 2>/dev/null
        start || echo "did not start: $(cat log)"
        kill -9 "$server" 2>/dev/null; wait "$server" 2>/dev/null

        rm disk/filler
        start
        keyward key list --json >list
        while read -r n; do grep -q "\"$n\"" list || echo "lost $n"; done <acknowledged
        keyward key create AFTERWARDS --from-file value >/dev/null && echo "written again"
        keyward audit verify --all >/dev/null && echo "audit verified"
        keyward-server check --data disk >/dev/null && echo "checked"
        "#,
    );
    let said = ended.said();
    let out = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.code, 0, "{said}");
    assert!(out.contains("exit 5\n"), "{said}");
    assert!(out.contains("no room") || out.contains("disk is full"), "{said}");
    assert_eq!(out.matches("read: exit 5\n").count(), 2, "{said}");
    assert!(!out.contains("lost ") && !out.contains("never full"), "{said}");
    for line in ["read on\n", "written on\n", "written again\n", "audit verified\n", "checked\n"] {
        assert!(out.contains(line), "{line:?}: {said}");
    }
}

#[test]
fn a_read_only_database_is_named_at_the_start_and_harmed_by_nothing() {
    let ended = on_a_small_disk(
        r#"
        kill "$server"; wait "$server" 2>/dev/null
        mount -o remount,ro disk
        if start; then
            keyward key list >/dev/null 2>err; echo "read: exit $?"; cat err
        else
            echo "did not start: $(cat log)"
        fi
        mount -o remount,rw disk
        kill "$server" 2>/dev/null; wait "$server" 2>/dev/null
        start && keyward audit verify --all >/dev/null && echo "audit verified"
        "#,
    );
    let said = ended.said();
    assert_eq!(ended.code, 0, "{said}");
    assert!(said.to_lowercase().contains("read-only"), "{said}");
    assert!(said.contains("audit verified\n"), "{said}");
}

/// A file that was deleted takes writes that nobody finds again.
#[test]
fn what_is_deleted_or_replaced_under_the_server_is_not_written_to() {
    let world = World::new(Engine::Sqlite);
    let aside = world.server.data().join("aside");
    let (database, log) = ("keyward.sqlite3", "keyward.sqlite3-wal");
    // Whoever looks at a database whose log was deleted makes a new one.
    for (name, replace) in [(database, false), (log, false), (database, true), (log, true)] {
        let file = world.server.data().join(name);
        std::fs::rename(&file, &aside).unwrap();
        if replace {
            std::fs::copy(&aside, &file).unwrap();
        }
        assert_eq!(world.server.send(&Request::get("/readyz")).status, 503, "{name}");
        env_file(&world.robot).refused(5, name);
        let written = world.owner.keyward_with(&["key", "set", ALPHA.0, "--value-stdin"], b"lost");
        assert_eq!(written.code, 5, "{name}: {}", written.said());
        assert!(world.server.log().contains("deleted or replaced under the running server"), "{name}");
        std::fs::rename(&aside, &file).unwrap();
        assert_eq!(read(&world.robot), expected(), "{name}");
    }
    assert_eq!(world.server.send(&Request::get("/readyz")).status, 200);
    world.owner.keyward_with(&["key", "set", ALPHA.0, "--value-stdin"], b"kept").ok(&["key", "set"]);
    assert_eq!(world.server.another(&["check"]).code, 0);
}

/// A script with an owner signed in at a server whose data lie on a tmpfs of 3 MiB, `disk/`.
fn on_a_small_disk(script: &str) -> keyward_tests::machine::Ended {
    let machine = Machine::new("");
    machine.write("password", PASSWORD);
    let prelude = format!(
        r#"
        mkdir disk && mount -t tmpfs -o size=3m,mode=0700 none disk
        start() {{
            : >ready
            keyward-server --data disk --listen 127.0.0.1:0 >ready 2>log &
            server=$!
            until grep -q listening ready; do
                kill -0 "$server" 2>/dev/null || return 1
                sleep 0.02
            done
            KEYWARD_URL=$(sed 's/.* //' ready)
            export KEYWARD_URL
        }}
        start
        keyward init --org '{ORG}' --email {EMAIL} --password-stdin --recovery-kit kit <password >/dev/null 2>&1 || exit 1
        {script}
        kill -9 "$server" 2>/dev/null
        true
        "#
    );
    let mut command = machine.command("/usr/bin/unshare".into());
    // As root of the namespace only, whoever runs the test.
    command.args(["--map-root-user", "--mount", "--", "dash", "-c", &prelude]);
    assert!(program("keyward-server").is_file());
    run(command, b"")
}
