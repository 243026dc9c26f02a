//! With a terminal people are asked; without one nobody is, and nothing waits.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use keyward_tests::machine::Machine;
use keyward_tests::server::{Engine, Server, program, wait_until};
use keyward_tests::world::{ALPHA, DEPLOYMENT, PASSWORD, World};

#[test]
fn without_a_terminal_nobody_is_asked_and_nothing_is_done() {
    let world = World::new(Engine::Sqlite);
    let before = world.insider().org.seq;
    let nobody = Machine::new(&world.server.url());
    for (machine, line, hint) in [
        (&nobody, "init --org Acme --email a@acme.example --password-stdin", "--recovery-kit"),
        (&nobody, "init --org Acme --email a@acme.example --recovery-kit kit", "--password-stdin"),
        (&nobody, "login --email olga@canary.example", "--password-stdin"),
        (&nobody, "auth api-user", "--token-stdin"),
        (&world.owner, "key create NEW", "--value-stdin"),
        (&world.owner, "key set CANARY_ALPHA", "--value-stdin"),
        (&world.owner, "key delete CANARY_ALPHA", "--yes"),
        (&world.owner, "deployment delete canary-production", "--yes"),
        (&world.owner, "group delete canary-agents", "--yes"),
        (&world.owner, "pin --forget", "--yes"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = machine.keyward_with(&words, PASSWORD.as_bytes());
        assert_eq!((ended.code, ended.stdout.as_slice()), (2, &b""[..]), "{line}: {}", ended.said());
        assert!(ended.stderr.contains(hint), "{line}: {}", ended.stderr);
    }
    assert_eq!(world.insider().org.seq, before);
    let kept: Vec<_> =
        std::fs::read_dir(nobody.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!kept.iter().any(|name| name == "kit"), "{kept:?}");
}

#[test]
fn a_kit_is_never_overwritten() {
    let server = Server::start(Engine::Sqlite);
    let owner = Machine::new(&server.url());
    owner.write("kit", "the kit of another organisation");
    let words =
        ["init", "--org", "Acme", "--email", "a@acme.example", "--password-stdin", "--recovery-kit", "kit"];
    let ended = owner.keyward_with(&words, PASSWORD.as_bytes());
    assert_eq!(ended.code, 10, "{}", ended.said());
    assert_eq!(std::fs::read_to_string(owner.path("kit")).unwrap(), "the kit of another organisation");
    assert_eq!(server.sql("select count(*) from orgs"), "0", "signed up, and the kit is lost");
}

#[test]
fn an_owner_signs_up_on_a_terminal_and_shows_to_have_the_recovery_code() {
    let server = Server::start(Engine::Sqlite);
    let owner = Machine::new(&server.url());
    let mut terminal = Terminal::open(&owner, "init --org Acme --email olga@acme.example");
    terminal.asked("Password", PASSWORD);
    terminal.asked("Once more", PASSWORD);
    terminal.asked("last 6 characters", "zzzzzz");
    let shown = terminal.seen();
    let code = shown.split_whitespace().find(|word| word.starts_with("kwr1_")).unwrap().to_owned();
    assert_eq!(
        server.sql("select count(*) from orgs"),
        "0",
        "signed up before the code was shown to be there"
    );
    terminal.asked("last 6 characters", code.rsplit('_').next().unwrap());
    assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
    assert!(!terminal.seen().contains(PASSWORD), "the password was shown: {}", terminal.seen());
    owner.ok(&["key", "list"]);
}

#[test]
fn a_value_is_asked_for_twice_unseen_and_got_with_a_newline() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let value = "canary-typed-value";
    let mut terminal = Terminal::open(owner, "key create TYPED");
    terminal.asked("Value of TYPED", value);
    terminal.asked("Once more", "something else");
    assert_eq!(terminal.ends(), 2, "{}", terminal.seen());
    assert_eq!(owner.keyward(&["key", "show", "TYPED"]).code, 4, "two different values were taken");

    let mut terminal = Terminal::open(owner, "key create TYPED");
    terminal.asked("Value of TYPED", value);
    terminal.asked("Once more", value);
    assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
    assert!(!terminal.seen().contains(value), "{}", terminal.seen());
    assert_eq!(owner.ok(&["key", "get", "TYPED"]), value);

    let mut terminal = Terminal::open(owner, "key get TYPED");
    assert_eq!(terminal.ends(), 0);
    assert_eq!(terminal.seen(), format!("{value}\r\n"));
}

#[test]
fn what_destroys_is_done_only_when_its_name_was_typed() {
    let world = World::new(Engine::Sqlite);
    for (typed, code) in [("yes", 2), ("", 2), (DEPLOYMENT, 0)] {
        assert_eq!(world.owner.keyward(&["deployment", "show", DEPLOYMENT]).code, 0);
        let mut terminal = Terminal::open(&world.owner, &format!("deployment delete {DEPLOYMENT}"));
        terminal.asked(&format!("Type {DEPLOYMENT}"), typed);
        assert_eq!(terminal.ends(), code, "{typed}: {}", terminal.seen());
    }
    assert_eq!(world.owner.keyward(&["deployment", "show", DEPLOYMENT]).code, 4);
    world.owner.ok(&["key", "show", ALPHA.0]);
}

/// `keyward` on a terminal of its own, at which somebody types.
struct Terminal {
    process: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// How much of the screen was answered.
    answered: usize,
}

impl Terminal {
    fn open(machine: &Machine, line: &str) -> Self {
        let mut command = machine.command("script".into());
        command.args(["-qefc", &format!("{} {line}", program("keyward").display()), "/dev/null"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("script is installed (Debian: bsdutils)");
        let (keys, mut output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let screen = Arc::new(Mutex::new(String::new()));
        let reading = Arc::clone(&screen);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                reading.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { process, keys, screen, reader: Some(reader), answered: 0 }
    }

    /// Waits for a question, and types.
    fn asked(&mut self, question: &str, answer: &str) {
        let screen = Arc::clone(&self.screen);
        let from = self.answered;
        self.answered = wait_until(question, || {
            let screen = screen.lock().unwrap();
            let new = screen.get(from..).unwrap_or_default();
            // The question is out when its colon is: then the answer is read.
            let at = new.find(question)?;
            let colon = new.get(at..)?.find(": ")?;
            Some(from + at + colon + 2)
        });
        // A terminal shows what is typed before it was told not to.
        wait_until("keyward to wait for an answer", || is_waiting(self.process.id()).then_some(()));
        writeln!(self.keys, "{answer}").unwrap();
        self.keys.flush().unwrap();
    }

    /// Its exit code.
    fn ends(&mut self) -> i32 {
        let process = &mut self.process;
        let status = wait_until("the command to end", || process.try_wait().unwrap());
        self.reader.take().unwrap().join().unwrap();
        status.code().unwrap()
    }

    /// Everything on the screen.
    fn seen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether the youngest descendant of this process sleeps.
fn is_waiting(mut process: u32) -> bool {
    let read = |process: u32, name: &str| {
        std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default()
    };
    while let Ok(child) = read(process, &format!("task/{process}/children")).trim().parse() {
        process = child;
    }
    read(process, "stat").rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}
