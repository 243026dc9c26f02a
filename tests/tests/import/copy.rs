//! `key copy`. The clipboard is a file here, behind a program of xclip's name and manners: a display is not needed.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use keyward_tests::machine::{Machine, run};
use keyward_tests::server::{Engine, program, wait_until};
use keyward_tests::terminal::Terminal;
use keyward_tests::world::{ALPHA, EXCLUDED, World};

use super::text;

/// Notes its arguments; copies its input to `clipboard`, or prints what is there.
const XCLIP: &str = "#!/bin/sh
echo \"$*\" >> \"$HOME/arguments\"
case \"$*\" in
  *-in) cat > \"$HOME/new\"; mv \"$HOME/new\" \"$HOME/clipboard\" ;;
  *-out) cat \"$HOME/clipboard\" ;;
esac
";

fn desktop(machine: &Machine) {
    std::fs::create_dir(machine.path("bin")).unwrap();
    let path = machine.write("bin/xclip", XCLIP);
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

fn copy(machine: &Machine, words: &[&str]) -> Command {
    let mut command = machine.command(program("keyward"));
    command.env("PATH", format!("{}:/usr/bin:/bin", machine.path("bin").display())).env("DISPLAY", ":7");
    command.args(["key", "copy"]).args(words);
    command
}

#[test]
fn a_value_is_in_the_clipboard_for_a_while_and_in_no_argument() {
    let world = World::new(Engine::Sqlite);
    desktop(&world.owner);
    let clipboard = || std::fs::read_to_string(world.owner.path("clipboard")).unwrap_or_default();
    let mut child =
        copy(&world.owner, &[ALPHA.0, "--clear-after", "1h"]).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the value in the clipboard", || (clipboard() == ALPHA.1).then_some(()));
    // Ctrl-C ends the wait at once.
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(clipboard(), "");
    let ended = run(copy(&world.owner, &[ALPHA.0, "--clear-after", "10ms"]), b"");
    assert!(ended.code == 0 && ended.stderr.contains("the clipboard is cleared"), "{}", ended.said());
    assert_eq!((clipboard().as_str(), ended.stdout.as_slice()), ("", &b""[..]));
    let ended = run(copy(&world.owner, &[ALPHA.0, "--clear-after", "never"]), b"");
    assert_eq!((ended.code, clipboard().as_str()), (0, ALPHA.1), "{}", ended.said());
    assert!(!ended.said().contains(ALPHA.1), "{}", ended.said());
    assert!(!text(&world.owner, "arguments").contains(ALPHA.1));
}

#[test]
fn what_somebody_copied_meanwhile_is_left_alone() {
    let world = World::new(Engine::Sqlite);
    desktop(&world.owner);
    let path = world.owner.path("clipboard");
    let child = copy(&world.owner, &[ALPHA.0, "--clear-after", "1h"]).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the value in the clipboard", || {
        std::fs::read_to_string(&path).is_ok_and(|held| held == ALPHA.1).then_some(())
    });
    std::fs::write(&path, "something else").unwrap();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("holds something else"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "something else");
}

#[test]
fn without_a_clipboard_the_terminal_is_asked_and_without_that_it_is_an_error() {
    let world = World::new(Engine::Sqlite);
    let ended = world.owner.keyward(&["key", "copy", ALPHA.0]);
    assert_eq!((ended.code, ended.stdout.as_slice()), (8, &b""[..]), "{}", ended.said());
    assert!(
        ended.stderr.contains("there is no clipboard") && !ended.stderr.contains(ALPHA.1),
        "{}",
        ended.stderr
    );
    let put = format!("\u{1b}]52;c;{}\u{7}", data_encoding::BASE64.encode(ALPHA.1.as_bytes()));
    let clear = "\u{1b}]52;c;IA==\u{7}\u{1b}]52;c;\u{7}";
    let mut never = Terminal::open(&world.owner, &format!("key copy {} --clear-after never", ALPHA.0));
    assert_eq!(never.ends(), 0, "{}", never.seen());
    let seen = never.seen();
    assert!(seen.contains(&put) && seen.contains("It stays there") && !seen.contains(clear), "{seen}");
    let mut short = Terminal::open(&world.owner, &format!("key copy {} --clear-after 10ms", ALPHA.0));
    assert_eq!(short.ends(), 0, "{}", short.seen());
    let seen = short.seen();
    let (before, after) = seen.split_once(&put).expect("the value first");
    assert!(!before.contains(clear) && after.contains(clear), "{seen}");
    assert!(after.contains("was asked to clear"), "{seen}");
    // Ctrl-C ends the wait at once, and so does a terminal that is told to.
    for signal in ["INT", "TERM", "HUP"] {
        let line = format!(
            "sh -c 'echo $$ > pid; exec {} key copy {} --clear-after 1h'",
            program("keyward").display(),
            ALPHA.0
        );
        let mut long = Terminal::run(&world.owner, &line);
        long.shows("Ctrl-C does so at once");
        let pid = text(&world.owner, "pid");
        assert!(Command::new("kill").args([&format!("-{signal}"), pid.trim()]).status().unwrap().success());
        assert_eq!(long.ends(), 0, "{signal}: {}", long.seen());
        assert!(long.seen().contains(clear), "{signal}: {}", long.seen());
    }
}

#[test]
fn a_clipboard_that_fails_says_why_and_the_terminal_is_asked_where_there_is_one() {
    let world = World::new(Engine::Sqlite);
    desktop(&world.owner);
    world.owner.write("bin/xclip", "#!/bin/sh\necho \"Error: Can't open display: :7\" >&2\nexit 1\n");
    let ended = run(copy(&world.owner, &[ALPHA.0]), b"");
    assert_eq!(ended.code, 1, "{}", ended.said());
    for said in ["xclip failed: Error: Can't open display: :7", "DISPLAY", "keyward key get"] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    let line = format!(
        "env PATH=$HOME/bin:$PATH DISPLAY=:7 {} key copy {} --clear-after never",
        program("keyward").display(),
        ALPHA.0
    );
    let mut terminal = Terminal::run(&world.owner, &line);
    assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
    let seen = terminal.seen();
    let put = format!("\u{1b}]52;c;{}\u{7}", data_encoding::BASE64.encode(ALPHA.1.as_bytes()));
    assert!(seen.contains(&put) && seen.contains("xclip failed"), "{seen}");
}

#[test]
fn only_text_that_may_be_read_is_copied() {
    let world = World::new(Engine::Sqlite);
    for machine in [&world.owner, &world.robot] {
        desktop(machine);
    }
    let words = ["key", "create", "BINARY", "--value-stdin"];
    world.owner.keyward_with(&words, b"\xff\xfe").ok(&words);
    for (machine, key, code) in
        [(&world.owner, "BINARY", 9), (&world.owner, "NO_SUCH_KEY", 4), (&world.robot, EXCLUDED.0, 4)]
    {
        let ended = run(copy(machine, &[key]), b"");
        assert_eq!(ended.code, code, "{key}: {}", ended.said());
        assert!(!machine.path("clipboard").exists(), "{key}");
    }
}
