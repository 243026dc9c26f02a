//! Signals around a program behind a gateway: whose they are, and how all of it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use keyward_tests::server::program;
use keyward_tests::terminal::Terminal;

use crate::behind::{RUN, start};
use crate::{Scene, Service, Stream};

#[test]
fn signals_are_the_programs_and_how_it_ends_is_how_the_command_ends() {
    let scene = Scene::new();
    for (signal, code) in [("-TERM", 15), ("-USR1", 10), ("-INT", 2), ("-HUP", 1), ("-QUIT", 3)] {
        let mut command = scene.gateway.command(program("keyward"));
        command.args(RUN).args(scene.reach()).args(["--", "python3", "-c", SIGNALS]);
        // Not of this terminal's programs: what is typed there is not for it.
        let mut wrapped = Command::new("setsid");
        wrapped.arg("--wait").arg(command.get_program()).args(command.get_args());
        wrapped.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        wrapped.current_dir(scene.gateway.home());
        let mut process = wrapped.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let pid = keyward_of(process.id());
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        assert_eq!(process.wait().unwrap().code(), Some(code), "{signal}");
    }
    assert_eq!(start(&scene, RUN, "kill -KILL $$").code, 137);
}

/// A program that ends with the number of the signal that it gets. The signal is waited for, not caught: none comes too early.
const SIGNALS: &str = "
import signal, sys
all = {signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
signal.pthread_sigmask(signal.SIG_BLOCK, all)
print('ready', flush=True)
sys.exit(signal.sigwait(all))
";

/// The process of `keyward` below this one, or this one.
fn keyward_of(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    if name.trim_end() == "keyward" {
        return pid.to_string();
    }
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    keyward_of(children.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
fn a_key_that_is_typed_reaches_the_program_once() {
    let scene = Scene::new();
    let script = scene.gateway.write("count.py", COUNT).to_string_lossy().into_owned();
    // A shell in between would be interrupted, too.
    let keyward = program("keyward");
    let line =
        format!("exec {} run --proxy {} -- python3 {script}", keyward.display(), scene.reach().join(" "));
    let mut terminal = Terminal::run(&scene.gateway, &line);
    terminal.shows("ready");
    for count in ["got 1", "got 2", "got 3"] {
        terminal.types("\x03");
        terminal.shows(count);
    }
    terminal.types("\n");
    terminal.shows("no more");
    assert_eq!(terminal.ends(), 5, "{}", terminal.seen());
}

const COUNT: &str = "
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
print('ready', flush=True)
for count in 1, 2, 3:
    signal.sigwait({signal.SIGINT})
    print('got', count, flush=True)
sys.stdin.readline()
print('one too many' if signal.SIGINT in signal.sigpending() else 'no more', flush=True)
sys.exit(5)
";

/// `keyward run --proxy -- sh -c SCRIPT`, started by a shell after `before`, in a session of its own.
fn begin(scene: &Scene, before: &str, script: &str) -> (Child, BufReader<ChildStdout>) {
    let keyward = program("keyward");
    let line = format!("{before} exec \"$@\"");
    let mut command = scene.gateway.command("setsid".into());
    command.args(["--wait", "sh", "-c", &line, "sh"]).arg(keyward).args(RUN).args(scene.reach());
    command.args(["--", "sh", "-c", script]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let out = BufReader::new(process.stdout.take().unwrap());
    (process, out)
}

fn line(out: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn send(signal: &str, pid: &str) {
    Command::new("kill").args([signal, pid]).stderr(Stdio::null()).status().unwrap();
}

#[test]
fn what_was_ignored_at_the_start_is_ignored_by_keyward_and_by_the_program() {
    let scene = Scene::new();
    let script = "kill -HUP $PPID; kill -INT $PPID; kill -HUP $$; kill -INT $$; echo alive; read x; exit 7";
    let (mut process, mut out) = begin(&scene, "trap '' HUP INT;", script);
    assert_eq!(line(&mut out), "alive");
    send("-HUP", &keyward_of(process.id()));
    process.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(7));
    // A gateway that nobody waits for is not ended by the end of a session, and still is when it is asked to.
    let mut command = scene.gateway.command("sh".into());
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(program("keyward"));
    let gateway =
        crate::Running::start(command.args(["proxy", "--listen", "127.0.0.1:0"]).args(scene.reach()));
    send("-HUP", &gateway.process.id().to_string());
    let agent = scene.agent(&gateway.at);
    assert_eq!(crate::commands::status(&scene, &agent), "200 200");
    assert!(gateway.end().contains("the log ends with line"));
}

/// A service that takes a request and never answers.
fn silent() -> Scene {
    Scene::of("bearer", |authority| {
        Service::start(authority, |_: &str, _: &mut Stream| {
            loop {
                std::thread::park();
            }
        })
    })
}

/// Asks to end until it has ended: a signal that comes too early is not the one that is meant.
fn ask_until_ended(process: &mut Child, pid: &str, signal: &str) -> (Option<i32>, String) {
    let mut text = String::new();
    let status = loop {
        send(signal, pid);
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
    };
    process.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (status.code(), text)
}

#[test]
fn whoever_asks_again_while_requests_end_is_heard_at_once_and_the_code_stays_the_programs() {
    let scene = silent();
    for signal in ["-TERM", "-INT", "-HUP"] {
        // The request goes on when the program has ended.
        let path = format!("/{signal}");
        let url = scene.url(&path);
        let script = format!(
            "unset NO_PROXY no_proxy; echo $$; setsid curl -sS {url} </dev/null >/dev/null 2>&1 & read x; exit 7"
        );
        let (mut process, mut out) = begin(&scene, "", &script);
        let (program, keyward) = (line(&mut out), keyward_of(process.id()));
        while !scene.service.seen().contains(&path) {}
        process.stdin.take().unwrap().write_all(b"\n").unwrap();
        while Path::new(&format!("/proc/{program}")).exists() {}
        let (code, said) = ask_until_ended(&mut process, &keyward, signal);
        assert!(code == Some(7) && said.contains("it was to end at once"), "{signal}: {code:?}: {said}");
    }
    let mut gateway = scene.start();
    let agent = scene.agent(&gateway.at);
    let mut command = agent.command("curl".into());
    let mut curl = command.args(["-sS", &scene.url("/proxy")]).stderr(Stdio::null()).spawn().unwrap();
    while !scene.service.seen().contains("/proxy") {}
    let pid = gateway.process.id().to_string();
    let (code, said) = ask_until_ended(&mut gateway.process, &pid, "-TERM");
    assert!(code == Some(0) && said.contains("it was to end at once"), "{code:?}: {said}");
    curl.wait().unwrap();
}

/// The program's gateway is gone, and anybody may come to listen where that was.
#[test]
fn a_program_whose_gateway_was_killed_is_told_to_end() {
    let scene = Scene::new();
    let (process, mut out) =
        begin(&scene, "", "trap 'echo told; exit' TERM; echo ready; while :; do sleep 1; done");
    assert_eq!(line(&mut out), "ready");
    send("-KILL", &keyward_of(process.id()));
    assert_eq!(line(&mut out), "told");
    assert_eq!(out.read_to_end(&mut Vec::new()).unwrap(), 0);
}
