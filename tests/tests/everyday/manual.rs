//! The manual: a page a command, without a fault in its form.

use keyward_tests::machine::{Machine, run};
use keyward_tests::terminal::Terminal;

#[test]
fn there_is_a_page_for_each_command_and_a_reader_finds_no_fault_in_it() {
    let machine = Machine::new("http://127.0.0.1:1");
    let said = machine.keyward(&["man", "--out", "pages/man1"]);
    assert_eq!((said.code, said.stdout.as_slice()), (0, &b""[..]), "{}", said.said());
    let files: Vec<_> =
        std::fs::read_dir(machine.path("pages/man1")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 50, "{files:?}");
    for name in ["keyward", "keyward-deployment-env-file", "keyward-api-user-create", "keyward-man"] {
        assert!(machine.path(&format!("pages/man1/{name}.1")).is_file(), "{name}");
    }
    let mut lint = machine.command("mandoc".into());
    lint.args(["-T", "lint", "-W", "error"]).args(&files);
    let ended = run(lint, b"");
    assert_eq!(ended.code, 0, "{}", ended.said());
    let mut reader = machine.command("mandoc".into());
    reader.args(["-T", "utf8"]).arg(machine.path("pages/man1/keyward-deployment-env-file.1"));
    let page = plain(&run(reader, b"").ok(&["man"]));
    let parts = [
        "keyward deployment env-file",
        "--stdout",
        "EXIT STATUS",
        "10     Somebody or something else got there first.",
        "EXAMPLES",
        "eval $(keyward deployment env-file",
    ];
    for said in parts {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("EXTRA") && !page.contains("Examples:"), "{page}");
}

#[test]
fn one_page_goes_to_a_pipe_and_on_a_terminal_it_is_shown() {
    let machine = Machine::new("http://127.0.0.1:1");
    assert!(machine.ok(&["man"]).contains(".TH KEYWARD 1"));
    let page = machine.ok(&["man", "key", "get"]);
    assert!(page.contains(".TH KEYWARD-KEY-GET 1  \"keyward "), "{page}");
    let unknown = machine.keyward(&["man", "key", "gt"]);
    assert_eq!(unknown.code, 4);
    assert!(unknown.stderr.contains("did you mean: keyward man key-get?"), "{}", unknown.stderr);
    assert!(machine.ok(&["man", "key-get"]).contains(".TH KEYWARD-KEY-GET 1"));
    let unknown = machine.keyward(&["man", "nosuch"]);
    assert_eq!(unknown.code, 4);
    assert!(unknown.stderr.contains("there is no page keyward-nosuch"), "{}", unknown.stderr);
    assert!(!unknown.stderr.contains("not yours"), "{}", unknown.stderr);

    std::fs::create_dir(machine.path("bin")).unwrap();
    machine.write("bin/man", "#!/bin/sh\necho \"man $*: $(grep -c '' )\"\n");
    let mut terminal = Terminal::run(&machine, "sh");
    terminal.types("chmod +x bin/man; PATH=$PWD/bin:$PATH; keyward man; exit\n");
    terminal.shows("man -l -: ");
    terminal.ends();
}

/// The page without overstriking.
fn plain(page: &str) -> String {
    let mut plain = String::new();
    for c in page.chars() {
        if c == '\u{8}' {
            plain.pop();
        } else {
            plain.push(c);
        }
    }
    plain
}
