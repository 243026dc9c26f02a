//! Every command that the documents name is one that the programs take, with the flags it is named with.

use std::process::{Command, Output, Stdio};

use keyward_tests::server::program;

use crate::markdown::{documents, lines, read, spans};

#[test]
fn every_command_named_is_one_that_is_taken() {
    let (mut refused, mut count) = (Vec::new(), 0);
    for document in documents() {
        let text = read(&document);
        for line in lines(&text) {
            let named: Vec<&str> = match line.fence {
                Some("text") => Vec::new(),
                Some(_) => calls(line.text).collect(),
                None => spans(line.text).flat_map(calls).collect(),
            };
            for words in named.into_iter().flat_map(alternatives) {
                count += 1;
                if !is_taken(&words) {
                    refused.push(format!("{document}:{}: {}", line.number, words.join(" ")));
                }
            }
        }
    }
    assert!(count > 60, "only {count} commands were found");
    assert!(refused.is_empty(), "no such command: {refused:#?}");
}

#[test]
fn a_command_or_flag_that_does_not_exist_would_be_found() {
    for words in
        ["keyward grup show x", "keyward group shw x", "keyward group show x --jsn", "keyward-server x"]
    {
        let words = words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(!is_taken(&words), "{words:?}");
    }
    let row = r"`keyward key set\|get [--version N]`, `keyward run a -- sh -c 'x'`";
    let named: Vec<String> =
        spans(row).flat_map(calls).flat_map(alternatives).map(|words| words.join(" ")).collect();
    assert_eq!(named, ["keyward key set --version N", "keyward key get --version N", "keyward run a"]);
    let block = "exec x; eval $(keyward run y --stdout)   # keyward z";
    assert_eq!(
        calls(block).flat_map(alternatives).collect::<Vec<_>>(),
        [["keyward", "run", "y", "--stdout"]]
    );
}

/// The commands in a text, each from where it begins to the end of the line.
fn calls(code: &str) -> impl Iterator<Item = &str> {
    let code = code.split(" # ").next().unwrap_or(code);
    let halves = code.match_indices("keyward").map(|(at, _)| code.split_at(at));
    let is_named = |call: &str, name| call.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
    let calls = halves.filter(move |(before, call)| {
        begins_here(before) && PROGRAMS.into_iter().any(|name| is_named(call, name))
    });
    calls.map(|(_, call)| call).filter(|call| !call.starts_with(READY))
}

/// Whether what comes next is the name of a program.
fn begins_here(before: &str) -> bool {
    let (bare, last) = (before.trim_end(), before.split_whitespace().next_back().unwrap_or_default());
    let assigns = last.starts_with(|c: char| c.is_ascii_uppercase()) && last.contains('=');
    bare.is_empty()
        || bare.ends_with(['(', '|', ';', '&'])
        || before.ends_with("/bin/")
        || before.ends_with(' ') && (last == "exec" || assigns)
}

/// The words of one command; several where `a|b` stands for either.
fn alternatives(call: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for word in call.replace("\\|", "|").split_whitespace() {
        let last = word.ends_with([')', ';']);
        if matches!(word, "|" | "&" | "&&" | "--" | "#") || word.starts_with(['>', '<', '|']) {
            break;
        }
        let word = word.trim_matches(['[', ']', ')', ';', '"', '\'', ',']);
        if !word.is_empty() && word != "…" {
            all = word
                .split('|')
                .flat_map(|either| {
                    all.iter().map(move |words| [words.clone(), vec![either.to_owned()]].concat())
                })
                .collect();
        }
        if last {
            break;
        }
    }
    all
}

/// Whether the command's help is shown, so that every word before it was understood. An option may be named without its value.
fn is_taken(words: &[String]) -> bool {
    let helps = |more: &[&str]| {
        let mut command = Command::new(program(&words[0]));
        command.args(&words[1..]).args(more).env_clear().stdin(Stdio::null());
        let Output { stdout, stderr, .. } = command.output().unwrap();
        // For a shell's eval, help is an error and goes to stderr; what is not understood shows no options.
        [stdout, stderr].iter().any(|said| String::from_utf8_lossy(said).contains("\nOptions:\n"))
    };
    words.ends_with(&["--version".to_owned()]) || helps(&["--help"]) || helps(&["x", "--help"])
}

const PROGRAMS: [&str; 2] = ["keyward", "keyward-server"];

/// The line that a server prints and that looks like a command.
const READY: &str = "keyward-server listening on ";
