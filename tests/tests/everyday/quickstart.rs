//! quickstart: from nothing to a working `eval` line, and again after whatever came between.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use keyward_tests::engines;
use keyward_tests::machine::{Ended, Machine, run};
use keyward_tests::server::{Engine, Server, program, wait_until};
use keyward_tests::terminal::Terminal;
use keyward_tests::world::{BETA, EMAIL, ORG, PASSWORD, World};

const READ: &str = "eval $(keyward deployment env-file production --stdout); echo got $A $B";

#[test]
fn from_nothing_to_a_working_eval_line_on_one_machine() {
    let place = Place::new();
    let ended = place.quickstart(&["--yes", "--api-user", "robot"]);
    let token = String::from_utf8(ended.stdout.clone()).unwrap();
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(token.starts_with("kwt1_") && token.lines().count() == 1, "{token}");
    for said in [
        "$ keyward init --org Acme",
        "$ keyward key import .env",
        "eval $(keyward deployment env-file production --stdout)",
        "kill $(cat ",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains(token.trim_end()) && !ended.stderr.contains(PASSWORD));
    assert_eq!(place.machine.shell(&["dash"], READ).ok(&[READ]), "got one two\n");

    let robot = Machine::new(&place.url()).with("KEYWARD_TOKEN", token.trim_end());
    assert_eq!(robot.shell(&["dash"], READ).ok(&[READ]), "got one two\n");

    // The server's folder is its user's alone; its process has none of the client's variables.
    for (path, mode) in
        [("server", 0o700), ("server/log", 0o600), ("server/pid", 0o600), ("server/data", 0o700)]
    {
        assert_eq!(mode_of(&place.machine.path(".keyward").join(path)), mode, "{path}");
    }
    let environment = std::fs::read(format!("/proc/{}/environ", place.pid().unwrap())).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("KEYWARD_"));
    // A doctor finds nothing to say of it.
    assert_eq!(place.machine.keyward(&["doctor"]).code, 0);
}

#[test]
fn what_is_done_is_not_done_twice() {
    let place = Place::new();
    assert_eq!(place.quickstart(&["--yes", "--api-user", "robot"]).code, 0);
    let (pid, seq) = (place.pid(), seq(&place.machine));
    let again = place.quickstart(&["--yes", "--api-user", "robot"]);
    assert_eq!((again.code, again.stdout.as_slice()), (0, &b""[..]), "{}", again.said());
    for said in ["it is used", "is signed in at", "robot is there already", "eval $("] {
        assert!(again.stderr.contains(said), "{said}: {}", again.stderr);
    }
    assert_eq!(place.pid(), pid, "a second server");
    assert!(!again.stderr.contains("keyward init") && !again.stderr.contains("deployment create"));
    // Nothing new but perhaps a state that says the same.
    assert!(self::seq(&place.machine) <= seq + 1, "{}", again.said());
    assert_eq!(place.machine.shell(&["dash"], READ).ok(&[READ]), "got one two\n");

    // After the machine was started anew, without a flag: it knows.
    place.stop();
    let ended = place.machine.keyward(&["quickstart"]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert_ne!(place.pid(), pid);
    assert_eq!(place.machine.shell(&["dash"], READ).ok(&[READ]), "got one two\n");
}

#[test]
fn an_organisation_that_was_founded_before_it_was_written_down_is_signed_in_to() {
    let place = Place::new();
    assert_eq!(place.quickstart(&[]).code, 0);
    for lost in ["config.toml", "state", "cache"] {
        let path = place.machine.path(".keyward").join(lost);
        let _ = std::fs::remove_file(&path);
        let _ = std::fs::remove_dir_all(&path);
    }
    std::fs::rename(place.machine.path("kit"), place.machine.path("first-kit")).unwrap();
    let again = place.quickstart(&["--env", ".env"]);
    assert_eq!(again.code, 0, "{}", again.said());
    assert!(again.stderr.contains("signing in to it"), "{}", again.stderr);
    assert!(!place.machine.path("kit").exists(), "a kit that opens nothing");
    assert_eq!(place.machine.shell(&["dash"], READ).ok(&[READ]), "got one two\n");
}

#[test]
fn a_second_deployment_gets_the_keys_that_are_there_with_the_same_value() {
    let place = Place::new();
    assert_eq!(place.quickstart(&["--env", ".env"]).code, 0);
    place.machine.write(".env", "A=one\nB=another\n");
    let staging = ["--deployment", "staging", "--env", ".env"];
    let ended = place.quickstart(&staging);
    assert_eq!(ended.code, 0, "{}", ended.said());
    let read =
        |name: &str| place.machine.ok(&["deployment", "env-file", name, "--stdout", "--format", "dotenv"]);
    assert_eq!(read("staging"), "A='one'\n", "what has another value is another thing");
    assert_eq!(read("production"), "A='one'\nB='two'\n");
    // What was mapped otherwise meanwhile stays so.
    place.machine.ok(&["deployment", "unmap", "staging", "A"]);
    place.machine.ok(&["deployment", "map", "staging", "A=OTHER"]);
    assert_eq!(place.quickstart(&staging).code, 0);
    assert_eq!(read("staging"), "OTHER='one'\n");
}

#[test]
fn a_weak_password_founds_nothing_and_is_said_to_be_weak() {
    let place = Place::new();
    let words = ["quickstart", "--local", "--listen", &place.listen, "--org", "Acme", "--email", EMAIL];
    let words = [&words[..], &["--password-stdin", "--recovery-kit", "kit"]].concat();
    let ended = place.machine.keyward_with(&words, b"abc");
    assert_eq!(ended.code, 9, "{}", ended.said());
    assert!(ended.stderr.contains("too short"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("has its organisation"), "{}", ended.stderr);
    assert!(!place.machine.path("kit").exists());
    assert_eq!(place.quickstart(&[]).code, 0);
}

#[test]
fn a_step_that_fails_ends_it_with_its_code_and_can_be_repeated() {
    let place = Place::new();
    place.machine.write("broken.env", "A=1\nB 2\n");
    let ended = place.quickstart(&["--env", "broken.env"]);
    assert_eq!(ended.code, 2, "{}", ended.said());
    assert!(ended.stderr.contains("`keyward key import` did not succeed"), "{}", ended.stderr);
    assert!(ended.stderr.contains("run `keyward quickstart` again"), "{}", ended.stderr);
    let ended = place.quickstart(&["--env", ".env"]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert_eq!(place.machine.shell(&["dash"], READ).ok(&[READ]), "got one two\n");
}

engines! {
    fn a_server_that_is_elsewhere_is_signed_in_to(engine) {
        let world = World::new(engine);
        let machine = Machine::new("").without("KEYWARD_URL");
        machine.write(".env", "GAMMA=three\n");
        let words =
            ["quickstart", "--url", &world.server.url(), "--email", EMAIL, "--password-stdin", "--deployment", "canary-production"];
        let ended = machine.keyward_with(&words, PASSWORD.as_bytes());
        assert_eq!(ended.code, 0, "{}", ended.said());
        assert!(ended.stderr.contains("there is a .env here; it is not imported"), "{}", ended.stderr);
        assert!(!machine.path(".keyward/server").exists(), "a server was started");
        let read = "eval $(keyward deployment env-file canary-production --stdout); printenv CANARY_BETA";
        assert_eq!(machine.shell(&["sh"], read).ok(&[read]).trim_end(), BETA.1);
        let document = machine.ok(&["quickstart", "--json", "--deployment", "canary-production"]);
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["next"][0], "eval $(keyward deployment env-file canary-production --stdout)");
        assert_eq!(document["url"], world.server.url());
        // The lines it shows work in any folder.
        let there = machine.keyward(&["quickstart", "--deployment", "canary-production", "--home", ".keyward"]);
        let line = format!("export KEYWARD_HOME={}", machine.path(".keyward").display());
        assert!(there.stderr.contains(&line), "{}", there.stderr);
        // Nobody is signed out by it, and nothing is done for somebody else or elsewhere.
        let seq = world.insider().org.seq;
        for (option, other, shown) in [("--email", "zoe@canary.example", EMAIL), ("--org", "Other Ltd", ORG)] {
            let ended = machine.keyward(&["quickstart", option, other]);
            assert_eq!(ended.code, 2, "{option}: {}", ended.said());
            for said in [other, shown, "keyward logout", "nothing was stored"] {
                assert!(ended.stderr.contains(said), "{option}: {said}: {}", ended.stderr);
            }
        }
        machine.ok(&["quickstart", "--email", EMAIL, "--org", ORG, "--deployment", "canary-production"]);
        assert_eq!(world.insider().org.seq, seq);
        let other = machine.keyward(&["quickstart", "--url", "http://127.0.0.1:1"]);
        assert_eq!(other.code, 10, "{}", other.said());
    }

    fn who_administers_nothing_is_told_what_there_is_to_use(engine) {
        let world = World::new(engine);
        let machine = Machine::new(&world.server.url());
        machine.keyward_with(&["auth", "api-user", "--token-stdin"], world.token.as_bytes()).ok(&["auth"]);
        let ended = machine.keyward(&["quickstart"]);
        assert_eq!(ended.code, 0, "{}", ended.said());
        assert!(ended.stderr.contains("eval $(keyward deployment env-file canary-production --stdout)"), "{}", ended.stderr);
        assert!(ended.stderr.contains("no owner or admin"), "{}", ended.stderr);
    }
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_done() {
    let other = Server::start(Engine::Sqlite);
    let alone = Machine::new("").without("KEYWARD_URL");
    for (words, code, hint) in [
        (&["quickstart"][..], 2, "--local"),
        (
            &["quickstart", "--local", "--listen", "0.0.0.0:8420", "--email", EMAIL],
            2,
            "must be an address of this machine",
        ),
        (&["quickstart", "--local", "--listen", "127.0.0.1:0", "--email", EMAIL], 2, "127.0.0.1:PORT"),
        (&["quickstart", "--local"], 2, "--email"),
        (&["quickstart", "--local", "--url", &other.url()], 2, "exclude each other"),
        (&["quickstart", "--json", "--api-user", "x", "--url", &other.url()], 2, "api-user create --json"),
    ] {
        let ended = alone.keyward(words);
        assert_eq!(ended.code, code, "{words:?}: {}", ended.said());
        assert!(ended.stderr.contains(hint), "{words:?}: {}", ended.stderr);
    }
    let robot = Machine::new(&other.url()).with("KEYWARD_TOKEN", "kwt1_x");
    let ended = robot.keyward(&["quickstart"]);
    assert_eq!(ended.code, 2, "{}", ended.said());
    assert!(ended.stderr.contains("unset KEYWARD_TOKEN"), "{}", ended.stderr);
    assert!(!alone.path(".keyward/server").exists());
}

#[test]
fn another_program_at_the_port_and_a_missing_server_are_told_apart() {
    let place = Place::new();
    let listener = TcpListener::bind(place.listen.as_str()).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten().take(8) {
            let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
            let _ = std::io::Write::write_all(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
            );
        }
    });
    let ended = place.quickstart(&[]);
    assert_eq!(ended.code, 10, "{}", ended.said());
    assert!(ended.stderr.contains("something else answers"), "{}", ended.stderr);

    let place = Place::new();
    let copy = place.machine.path("keyward");
    std::fs::copy(program("keyward"), &copy).unwrap();
    let mut command = Command::new(&copy);
    command.args(["quickstart", "--local", "--listen", &place.listen, "--email", EMAIL]);
    command.env_clear().env("HOME", place.machine.home()).env("PATH", "/usr/bin:/bin");
    let ended = run(command, b"");
    assert_eq!(ended.code, 4, "{}", ended.said());
    assert!(ended.stderr.contains("there is no keyward-server"), "{}", ended.stderr);
}

#[test]
fn a_server_that_does_not_start_is_quoted() {
    let place = Place::new();
    std::fs::create_dir_all(place.machine.path(".keyward/server")).unwrap();
    for folder in [".keyward", ".keyward/server"] {
        std::fs::set_permissions(place.machine.path(folder), std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    place.machine.write(".keyward/server/data", "no folder");
    let ended = place.quickstart(&[]);
    assert_eq!(ended.code, 5, "{}", ended.said());
    assert!(ended.stderr.contains("the server did not start: keyward-server:"), "{}", ended.stderr);
    assert!(ended.stderr.contains("server/log"), "{}", ended.stderr);
}

#[test]
fn at_a_terminal_it_asks_for_what_it_needs() {
    let place = Place::new();
    // A port of the test's own in place of the usual one.
    std::fs::create_dir_all(place.machine.path(".keyward/server")).unwrap();
    for folder in [".keyward", ".keyward/server"] {
        std::fs::set_permissions(place.machine.path(folder), std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    let address = place.machine.write(".keyward/server/address", place.url());
    std::fs::set_permissions(&address, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut terminal = Terminal::open(&place.machine, "quickstart");
    terminal.asked("Number or address", "1");
    terminal.asked("Name of your new organisation", "Acme");
    terminal.asked("Your e-mail address", EMAIL);
    terminal.asked("Import .env?", "q");
    terminal.asked("Import .env?", "");
    terminal.asked("Name of the deployment", "");
    terminal.asked("A token for", "robot");
    for (first, again) in [("abc", "abc"), (PASSWORD, "another"), (PASSWORD, PASSWORD)] {
        terminal.asked("Password", first);
        terminal.asked("Once more", again);
    }
    assert!(terminal.seen().contains("too short") && terminal.seen().contains("differ"));
    terminal.shows("recovery code");
    let seen = terminal.seen();
    let code = seen.split_whitespace().find(|word| word.starts_with("kwr1_")).unwrap().to_owned();
    terminal.asked("last 6 characters", code.rsplit('_').next().unwrap());
    assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
    assert!(terminal.seen().contains("kwt1_"), "{}", terminal.seen());
    assert_eq!(place.machine.shell(&["dash"], READ).ok(&[READ]), "got one two\n");
}

/// systemd does not run here. A small program in place of `systemctl` writes down what it is told, and starts what the unit
/// says; systemd's own verifier reads the unit.
#[test]
fn with_systemd_the_server_becomes_a_service_of_its_user() {
    let place = Place::new();
    place.machine.write("password", PASSWORD);
    std::fs::create_dir(place.machine.path("bin")).unwrap();
    std::fs::create_dir(place.machine.path("run")).unwrap();
    let fake = place.machine.write("bin/systemctl", FAKE_SYSTEMCTL);
    std::fs::set_permissions(fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let line = format!(
        "export PATH=$HOME/bin:$PATH XDG_RUNTIME_DIR=$HOME/run; keyward quickstart --local --listen {} --org Acme \
         --email {EMAIL} --password-stdin --recovery-kit kit --yes < password",
        place.listen
    );
    for _ in 0..2 {
        let ended = place.machine.shell(&["sh"], &line);
        assert_eq!(ended.code, 0, "{}", ended.said());
    }
    let told = std::fs::read_to_string(place.machine.path("told")).unwrap();
    // The second time it runs already.
    assert_eq!(
        told,
        "--user show-environment\n--user daemon-reload\n--user enable --now keyward-server.service\n"
    );
    assert_eq!(place.machine.shell(&["dash"], READ).ok(&[READ]), "got one two\n");

    let unit = place.machine.path(".config/systemd/user/keyward-server.service");
    let mut verify = place.machine.command("systemd-analyze".into());
    verify.args(["--user", "verify"]).arg(&unit).env("XDG_RUNTIME_DIR", place.machine.path("run"));
    let ended = run(verify, b"");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.said());
    let text = std::fs::read_to_string(&unit).unwrap();
    let exec = format!(
        "ExecStart=\"{}\" serve --data \"{}\" --listen {}\n",
        program("keyward-server").display(),
        place.machine.path(".keyward/server/data").display(),
        place.listen
    );
    assert!(text.contains(&exec), "{text}");
    for wall in ["NoNewPrivileges=yes", "UMask=0077", "LimitCORE=0", "SystemCallFilter=@system-service"] {
        assert!(text.contains(wall), "{wall}");
    }

    // What somebody changed is left alone.
    place.stop();
    std::fs::write(&unit, text.replace("RestartSec=2", "RestartSec=9")).unwrap();
    let ended = place.machine.shell(&["sh"], &line);
    assert_eq!(ended.code, 10, "{}", ended.said());
    assert!(std::fs::read_to_string(&unit).unwrap().contains("RestartSec=9"));
    assert!(ended.stderr.contains("says something else"), "{}", ended.stderr);
    std::fs::write(&unit, text).unwrap();
    // And what systemd cannot do is said.
    place.machine.write("refuse", "");
    let ended = place.machine.shell(&["sh"], &line);
    assert_eq!(ended.code, 1, "{}", ended.said());
    assert!(ended.stderr.contains("`systemctl --user daemon-reload` did not succeed"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--background"), "{}", ended.stderr);
}

const FAKE_SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >> "$HOME/told"
test ! -e "$HOME/refuse" || test "$2" = show-environment || exit 1
test "$2" = enable || exit 0
eval "set -- $(sed -n 's/^ExecStart=//p' "$HOME/.config/systemd/user/$4")"
setsid env -i "$@" > "$HOME/service.log" 2>&1 < /dev/null &
echo $! > "$HOME/.keyward/server/pid"
"#;

/// A machine where nothing is set up, with a `.env` of two variables, and a free port.
struct Place {
    machine: Machine,
    listen: String,
}

impl Place {
    fn new() -> Self {
        let machine = Machine::new("").without("KEYWARD_URL");
        machine.write(".env", "A=one\nB=two\n");
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        Self { machine, listen }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    fn quickstart(&self, more: &[&str]) -> Ended {
        let words = ["quickstart", "--local", "--listen", &self.listen, "--org", "Acme", "--email", EMAIL];
        let words = [&words[..], &["--password-stdin", "--recovery-kit", "kit"], more].concat();
        self.machine.keyward_with(&words, PASSWORD.as_bytes())
    }

    fn pid(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.machine.path(".keyward/server/pid")).ok()?;
        Some(text.trim().to_owned())
    }

    fn stop(&self) {
        let Some(pid) = self.pid() else { return };
        let _ = Command::new("kill").arg(&pid).output();
        wait_until("the server to end", || (!is_alive(&pid)).then_some(()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = Command::new("kill").args(["-9", &pid]).output();
        }
    }
}

/// Whether a process has not ended, or has ended and waits for its parent.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn seq(machine: &Machine) -> u64 {
    let pin = machine.ok(&["pin"]);
    pin.lines().next().unwrap().split_once('=').unwrap().1.parse().unwrap()
}

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
