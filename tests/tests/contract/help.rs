//! The help, walked as a user walks it.

use std::sync::LazyLock;

use keyward_tests::machine::Machine;

#[test]
fn every_command_has_help_with_an_example() {
    let leaves = commands();
    assert!(leaves.len() > 40, "{leaves:?}");
    for command in leaves {
        let help = help(&words(command));
        assert!(help.contains("Usage: keyward"), "{command}: {help}");
        let example = help.split("Example").nth(1).unwrap_or_else(|| panic!("{command} has no example"));
        let call = format!("keyward {command}");
        assert!(example.contains(&call), "{command}: the example shows another command: {example}");
        assert!(help.contains("--json"), "{command} takes no --json");
    }
}

#[test]
fn every_command_of_the_contract_is_there() {
    let leaves = commands();
    for wanted in CONTRACT.split_whitespace() {
        let wanted = wanted.replace('.', " ");
        assert!(leaves.contains(&wanted), "{wanted} is missing of {leaves:?}");
    }
}

#[test]
fn a_mistyped_command_or_option_is_told_the_nearest() {
    let machine = Machine::new("http://127.0.0.1:1");
    for (typed, meant) in [
        (&["deploymnet", "list"][..], "deployment"),
        (&["deployment", "env-fil", "p"], "env-file"),
        (&["key", "lst"], "list"),
        (&["api-user", "rovoke", "x"], "revoke"),
        (&["key", "list", "--jsn"], "--json"),
    ] {
        let ended = machine.keyward(typed);
        assert_eq!(ended.code, 2, "{typed:?}: {}", ended.said());
        assert_eq!(ended.stdout, b"", "{typed:?}");
        assert!(ended.stderr.contains(&format!("'{meant}'")), "{typed:?}: {}", ended.stderr);
    }
}

#[test]
fn help_and_version_go_to_stdout_and_are_no_error() {
    let machine = Machine::new("http://127.0.0.1:1");
    assert_eq!(machine.ok(&["--version"]), format!("keyward {}\n", env!("CARGO_PKG_VERSION")));
    assert!(machine.ok(&["help"]).contains("Commands:"));
    assert!(machine.ok(&["help", "key", "create"]).contains("Store a new key"));
    let nothing = machine.keyward(&[]);
    assert_eq!((nothing.code, nothing.stdout.as_slice()), (2, &b""[..]));
    assert!(nothing.stderr.contains("Usage: keyward"), "{}", nothing.stderr);
}

/// Every command that does something: `key create`, `run`, …
pub(crate) fn commands() -> &'static [String] {
    static COMMANDS: LazyLock<Vec<String>> = LazyLock::new(walk);
    &COMMANDS
}

fn walk() -> Vec<String> {
    let mut leaves = Vec::new();
    let mut next = vec![Vec::new()];
    while let Some(path) = next.pop() {
        let children = children(&help(&path));
        if children.is_empty() {
            leaves.push(path.join(" "));
        }
        next.extend(children.into_iter().map(|child| [path.clone(), vec![child]].concat()));
    }
    leaves.sort();
    leaves
}

fn help(path: &[String]) -> String {
    let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    Machine::new("http://127.0.0.1:1").ok(&words)
}

fn children(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn words(command: &str) -> Vec<String> {
    command.split(' ').map(str::to_owned).collect()
}

/// What this version promises; a dot stands for a blank.
const CONTRACT: &str = "
    init login logout whoami auth.api-user auth.status auth.logout
    key.create key.list key.get key.set key.show key.history key.rollback key.rename key.delete key.import
    key.export key.copy key.tag key.prune
    deployment.create deployment.list deployment.show deployment.rename deployment.delete deployment.map
    deployment.unmap deployment.env-file run
    group.create group.list group.show group.delete group.assign group.unassign group.exclude group.include group.add
    group.remove
    api-user.create api-user.list api-user.rotate api-user.revoke
    agent.create agent.list agent.secrets agent.grant agent.revoke agent.rotate agent.suspend agent.resume agent.remove access audit.list audit.verify
    org.show org.rename org.heartbeat pin provider.list provider.show doctor quickstart completions man";
