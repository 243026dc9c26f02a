//! The snippet for `/etc/profile.d`: a login gets its variables, or at least goes on.

use std::io::Read as _;
use std::net::TcpListener;

use keyward_tests::machine::Ended;
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, DEPLOYMENT, World};

use crate::room::Room;

const PROFILE: &str = "for script in /etc/profile.d/*.sh; do . \"$script\"; done\n";

/// What a login shell does with these lines typed at it.
fn log_in(room: &Room, shell: &[&str], env: &[(&str, &str)], typed: &str) -> Ended {
    let mut all = vec![("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/tmp"), ("PS1", ""), ("PS2", "")];
    all.extend(env);
    room.run(&all, shell, typed.as_bytes())
}

fn room() -> Room {
    let room = Room::new();
    room.file("etc/profile", PROFILE, 0o644);
    room
}

fn settings<'a>(url: &'a str, token: &'a str) -> [(&'a str, &'a str); 3] {
    [("KEYWARD_URL", url), ("KEYWARD_TOKEN", token), ("KEYWARD_DEPLOYMENT", DEPLOYMENT)]
}

const INTERACTIVE: &[&str] = &["/bin/sh", "-l", "-i"];
const SHOW: &str = "echo \"<${CANARY_ALPHA-none}> <${kw_exports-none}>\"\n";

#[test]
fn an_interactive_login_gets_its_variables() {
    let world = World::new(Engine::Sqlite);
    let room = room();
    let url = world.server.url();
    let ended = log_in(&room, INTERACTIVE, &settings(&url, &world.token), SHOW);
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(said.contains(&format!("<{}> <none>", ALPHA.1)), "{}", ended.said());
    assert_eq!(ended.code, 0);
}

#[test]
fn every_shell_that_reads_etc_profile_takes_it() {
    let world = World::new(Engine::Sqlite);
    let url = world.server.url();
    let typed = format!(". /etc/profile.d/keyward.sh\n{SHOW}");
    for shell in [
        &["/usr/bin/dash", "-i"][..],
        &["/bin/bash", "--norc", "-i"],
        &["/bin/zsh", "-f", "-i"],
        &["/bin/mksh", "-i"],
    ] {
        let room = Room::with_shell("dash");
        let mut env = settings(&url, &world.token).to_vec();
        env.push(("ENV", "/dev/null"));
        let ended = log_in(&room, shell, &env, &typed);
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(said.contains(&format!("<{}> <none>", ALPHA.1)), "{shell:?}: {}", ended.said());
    }
}

#[test]
fn what_is_not_interactive_is_left_alone() {
    let world = World::new(Engine::Sqlite);
    let room = room();
    let url = world.server.url();
    let reads = || world.server.sql("select count(*) from audit");
    let before = reads();
    let ended = log_in(&room, &["/bin/sh", "-l", "-c", SHOW], &settings(&url, &world.token), "");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "<none> <none>\n", "{}", ended.said());
    assert_eq!(ended.stderr, "");
    assert_eq!(reads(), before, "the server was asked");
}

#[test]
fn whatever_fails_a_login_goes_on() {
    let mut world = World::new(Engine::Sqlite);
    let room = room();
    let url = world.server.url();
    let token = world.token.clone();
    let wrong = settings(&url, "kwt1_wrong");
    let unknown = [("KEYWARD_URL", &*url), ("KEYWARD_TOKEN", &*token), ("KEYWARD_DEPLOYMENT", "elsewhere")];
    // Somebody is signed in, if not well.
    room.file("etc/signed-in/config.toml", "[login]\n", 0o644);
    let signed_in = [("KEYWARD_DEPLOYMENT", DEPLOYMENT), ("KEYWARD_HOME", "/etc/signed-in")];
    let no_file = [("KEYWARD_DEPLOYMENT", DEPLOYMENT), ("KEYWARD_TOKEN_FILE", "/run/secrets/none")];
    let strict = |typed: &str| format!("set -eu\n. /etc/profile.d/keyward.sh\nset +eu\n{typed}");
    let mut cases = vec![
        ("a wrong token", log_in(&room, INTERACTIVE, &wrong, SHOW)),
        ("no such deployment", log_in(&room, INTERACTIVE, &unknown, SHOW)),
        ("a login that is none", log_in(&room, INTERACTIVE, &signed_in, SHOW)),
        ("a token file that is not there", log_in(&room, INTERACTIVE, &no_file, SHOW)),
        ("a strict shell", log_in(&room, INTERACTIVE, &wrong, &strict(SHOW))),
    ];
    world.server.stop();
    cases.push(("no server", log_in(&room, INTERACTIVE, &settings(&url, &token), SHOW)));
    for (case, ended) in cases {
        assert_eq!(ended.code, 0, "{case}: {}", ended.said());
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(said.ends_with("<none> <none>\n"), "{case}: {}", ended.said());
        assert!(ended.stderr.contains("were not loaded"), "{case}: {}", ended.stderr);
    }
    // Without a deployment, without keyward, or where nobody is signed in, there is nothing to say.
    room.file("etc/signed-out/config.toml", "install = \"x\"\n", 0o644);
    let nobody = [("KEYWARD_DEPLOYMENT", DEPLOYMENT), ("KEYWARD_URL", &*url)];
    let signed_out = [nobody[0], nobody[1], ("KEYWARD_HOME", "/etc/signed-out")];
    for env in [&[][..], &nobody, &signed_out] {
        let ended = log_in(&room, INTERACTIVE, env, SHOW);
        assert!(ended.code == 0 && !ended.stderr.contains("keyward"), "{env:?}: {}", ended.said());
        let ended = log_in(&room, INTERACTIVE, env, &strict(SHOW));
        assert!(ended.code == 0 && !ended.stderr.contains("keyward"), "{env:?}: {}", ended.said());
    }
    std::fs::remove_file(room.path("usr/local/bin/keyward")).unwrap();
    let ended = log_in(&room, INTERACTIVE, &settings(&url, &token), SHOW);
    assert_eq!(ended.code, 0);
    assert!(!ended.stderr.contains("keyward"), "{}", ended.stderr);
}

#[test]
fn a_server_that_does_not_answer_does_not_keep_anybody_out() {
    let room = room();
    // It takes the connection, reads, and says nothing until the login is over.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stalling = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Ends when the client lets go.
        let mut read = [0; 1024];
        while stream.read(&mut read).is_ok_and(|count| count > 0) {}
    });
    // The limit is the snippet's; a test does not wait that long.
    let snippet = std::fs::read_to_string(room.path("etc/profile.d/keyward.sh")).unwrap();
    assert!(snippet.contains("timeout 10 keyward"));
    room.file("etc/profile.d/keyward.sh", &snippet.replace("timeout 10", "timeout 1"), 0o644);
    // Well formed, and good elsewhere.
    let token = World::new(Engine::Sqlite).token;
    let ended = log_in(&room, INTERACTIVE, &settings(&url, &token), SHOW);
    assert!(String::from_utf8_lossy(&ended.stdout).ends_with("<none> <none>\n"), "{}", ended.said());
    assert!(ended.stderr.contains("were not loaded"), "{}", ended.stderr);
    stalling.join().unwrap();
}
