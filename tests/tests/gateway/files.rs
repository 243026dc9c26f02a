//! The files of a gateway, and who finds them: programs that start elsewhere, other users, and nobody if it did not start.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keyward_tests::machine::Machine;

use crate::behind::start;
use crate::{Scene, private};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_a_program_is_told_leads_there_from_every_folder() {
    let scene = Scene::new();
    private(&scene.gateway.write("bot.txt", &scene.credential));
    let env = "proxy env --agent bot --credential-file bot.txt --no-keys";
    for (before, words) in [("", "--state state"), ("export KEYWARD_HOME=folder;", "")] {
        let script = format!(
            "{before} keyward proxy ca {words} >ca.pem && eval \"$(keyward {env} {words})\" && cd / && test -s \"$SSL_CERT_FILE\" \
             && printf '%s' \"$JAVA_TOOL_OPTIONS\""
        );
        let ended = scene.gateway.shell(&["sh"], &script);
        let out = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(ended.code, 0, "{script}: {}", ended.said());
        assert!(out.starts_with("-Djavax.net.ssl.trustStore=/"), "{out}");
    }
    let ended =
        start(&scene, &["proxy", "--agent", "bot"], "cd / && test -s \"$SSL_CERT_FILE\" && echo there");
    assert_eq!(ended.stdout, b"there\n", "{}", ended.said());
    // In which folder the program will be, nobody knows here.
    for more in [&["--bundle", "ca.pem"][..], &["--bundle", "/ca.pem", "--java-bundle", "ca.jks"]] {
        let words = [&env.split(' ').collect::<Vec<_>>()[..], more].concat();
        let ended = scene.gateway.keyward(&words);
        assert!(ended.code == 2 && ended.stderr.contains("from / on"), "{}", ended.said());
    }
}

#[test]
fn everybody_may_read_a_certificate_that_is_written_to_a_file() {
    let machine = Machine::new("http://127.0.0.1:9");
    let ca = |to: &str| {
        let ended = machine.shell(&["sh"], &format!("umask 077; keyward proxy ca {to}"));
        assert_eq!(ended.code, 0, "{}", ended.said());
    };
    for _ in 0..2 {
        ca("--out ca.crt");
        assert_eq!(mode(&machine.path("ca.crt")), 0o644);
        std::fs::set_permissions(machine.path("ca.crt"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    // Where a shell sends it is the shell's to say.
    for to in [">plain.crt", "--out /dev/stdout >linked.crt"] {
        ca(to);
        let path = machine.path(to.split('>').next_back().unwrap());
        assert_eq!((mode(&path), std::fs::read(&path).unwrap().is_empty()), (0o600, false), "{to}");
    }
}

#[test]
fn who_is_not_signed_in_leaves_nothing_behind() {
    let machine = Machine::new("http://127.0.0.1:9");
    let home = machine.path("nobody");
    let machine = machine.with("HOME", &home);
    for words in
        [&["proxy"][..], &["proxy", "--agent", "bot", "--", "true"], &["run", "--proxy", "--", "true"]]
    {
        let ended = machine.keyward(words);
        assert!(ended.code == 3 && ended.stderr.contains("not signed in"), "{words:?}: {}", ended.said());
        assert!(!home.exists(), "{words:?}");
    }
}

/// The gateway's authority is in memory, but its log must be readable afterwards.
#[test]
fn a_gateway_for_one_program_says_why_it_needs_a_folder() {
    let scene = Scene::new();
    let machine = Machine::new(&scene.world.server.url()).with("KEYWARD_TOKEN", &scene.token);
    let machine = machine.without("HOME");
    let words = ["run", "--proxy", "--agent", "bot", "--", "true"];
    let ended = machine.keyward(&words);
    assert_eq!(ended.code, 2, "{}", ended.said());
    for part in ["--state", "neither HOME", "one program, too, keeps its log"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    let state = machine.path("state").display().to_string();
    machine.ok(&["run", "--proxy", "--agent", "bot", "--state", &state, "--", "true"]);
    assert!(machine.path("state").join("requests.log").exists());
}
