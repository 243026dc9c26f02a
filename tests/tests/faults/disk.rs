//! The server's disk: full, and read-only.

use keyward_tests::machine::{Machine, run};
use keyward_tests::server::program;
use keyward_tests::world::{EMAIL, ORG, PASSWORD};

/// A server on a real small file system, in a mount namespace of its own: it fills up, and has room again.
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
                    echo "$n" >>acknowledged
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
        kill -9 "$server"; wait "$server" 2>/dev/null

        # Full at its start.
        start || echo "did not start: $(cat log)"
        kill -9 "$server" 2>/dev/null; wait "$server" 2>/dev/null

        rm disk/filler
        start
        keyward key list --json >list
        while read -r n; do grep -q "\"KEY_$n\"" list || echo "lost KEY_$n"; done <acknowledged
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
    assert!(!out.contains("lost ") && !out.contains("never full"), "{said}");
    for line in ["written again\n", "audit verified\n", "checked\n"] {
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
