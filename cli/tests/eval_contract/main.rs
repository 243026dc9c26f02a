//! The `eval` contract in real shells: every value arrives byte for byte, whether the user wrote quotes or not, under
//! any option that changes how words are split or expanded, in a directory whose file names are traps.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "the files of a test, in a directory of its own"
)]

mod own_variables;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keyward_cli::export::{Var, shell};
use keyward_wire::name::EnvName;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

type Vars = Vec<(EnvName, Vec<u8>)>;

/// A shell, how it is started, and options of it that touch splitting, globbing or quoting.
struct Shell {
    command: &'static [&'static str],
    settings: &'static [&'static str],
}

const EVERYWHERE: &[&str] =
    &["", "set -euf", "set -a", "IFS=", "IFS='\n'", "IFS=:", "IFS=' ,:|&!?*()<>~^#[]'"];

const SHELLS: &[Shell] = &[
    Shell { command: &["dash"], settings: &[] },
    Shell { command: &["busybox", "ash"], settings: &[] },
    Shell {
        command: &["bash"],
        settings: &[
            "shopt -s nullglob",
            "shopt -s failglob",
            "shopt -s extglob globstar dotglob nocaseglob",
            "set -o posix; set -H",
            "shopt -s nullglob extglob dotglob; set -euo pipefail",
        ],
    },
    Shell { command: &["bash", "--posix"], settings: &["shopt -s nullglob"] },
    Shell {
        command: &["zsh", "-f"],
        settings: &[
            "setopt null_glob",
            "setopt rc_quotes",
            "setopt glob_subst extended_glob",
            "setopt glob_subst sh_word_split ksh_glob bare_glob_qual glob_assign magic_equal_subst",
            "setopt csh_junkie_history csh_nullcmd rc_expand_param ksh_arrays brace_ccl err_exit no_unset",
        ],
    },
    Shell { command: &["zsh", "--emulate", "sh"], settings: &["setopt glob_subst null_glob"] },
    Shell { command: &["zsh", "--emulate", "ksh"], settings: &[] },
    Shell { command: &["ksh93"], settings: &["set -o globstar -B", "set +B"] },
    Shell { command: &["mksh"], settings: &["set -o braceexpand -U", "set +U", "set -o posix"] },
    Shell {
        command: YASH,
        settings: &["set --braceexpand --extendedglob --dotglob --nullglob", "set --posixlycorrect"],
    },
];

/// Holds characters, not bytes.
const YASH: &[&str] = &["yash"];

const LOCALES: [&str; 2] = ["C", "C.UTF-8"];

#[test]
fn every_value_arrives_in_every_shell_under_every_option() {
    let place = Place::new();
    for shell in SHELLS {
        for locale in LOCALES {
            let vars = named(held(shell, locale, values()));
            place.write(&vars);
            for setting in EVERYWHERE.iter().chain(shell.settings) {
                place.check(shell, locale, setting, &vars);
            }
        }
    }
}

#[test]
fn values_without_care_arrive_as_plain_lines_too() {
    let place = Place::new();
    let vars =
        named(["sk_live_1", "", "a b c", " a ", "a ls=", "b -n . / %", "grüße"].map(Vec::from).to_vec());
    let out = place.write(&vars);
    assert!(out.starts_with(b"export ") && !out.contains(&b'$'), "this test is about the plain form");
    for shell in SHELLS {
        for setting in EVERYWHERE.iter().chain(shell.settings) {
            place.check(shell, "C.UTF-8", setting, &vars);
        }
    }
}

#[test]
fn random_bytes_arrive_in_every_shell() {
    let byte = prop_oneof![
        3 => prop::sample::select(b" \t\n\r'\"`$\\*?[]{}(),.~^#!=-+:;&|<>%@/ab0\x01\x7f\x80\x83\xa0\xc3\xa9\xff".to_vec()),
        1 => 1..=u8::MAX,
    ];
    let values = prop::collection::vec(prop::collection::vec(byte, 0..60), 120);
    let place = Place::new();
    let mut runner = TestRunner::new(Config { cases: 3, max_shrink_iters: 200, ..Config::default() });
    runner
        .run(&values, |values| {
            for shell in SHELLS {
                for locale in LOCALES {
                    let vars = named(held(shell, locale, values.clone()));
                    place.write(&vars);
                    place.compare(shell, locale, "set -eu", &vars).map_err(TestCaseError::fail)?;
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn values_of_a_hundred_thousand_bytes_arrive() {
    let place = Place::new();
    let pieces = ["\n", "a", "it's $5  ", "word "];
    let vars = named(pieces.iter().map(|piece| piece.repeat(100_000 / piece.len()).into_bytes()).collect());
    place.write(&vars);
    for shell in SHELLS {
        place.check(shell, "C.UTF-8", "set -eu", &vars);
    }
}

/// Loudly, and without the others either: half the secrets would be worse than none.
#[test]
fn yash_refuses_bytes_that_are_no_text() {
    let place = Place::new();
    let yash = SHELLS.iter().find(|shell| shell.command == YASH).unwrap();
    for (locale, bytes) in [("C", &b"\xc3\xa9"[..]), ("C.UTF-8", b"\xff")] {
        place.write(&named(vec![b"it's".to_vec(), bytes.to_vec(), b"plain".to_vec()]));
        for eval in ["eval $(cat ../out)", "eval \"$(cat ../out)\""] {
            let output = place.run(yash, locale, "", &format!("{eval} || V9=failed; export V9"));
            let found = exported(&output);
            assert!(!output.stderr.is_empty());
            assert!(found.is_empty() || found.keys().eq([b"V9"]), "{locale}");
        }
    }
}

/// A naive form breaks: this shows that splitting and globbing do happen in these shells, so that the other tests can fail.
#[test]
fn a_naive_form_breaks_in_this_place() {
    let place = Place::new();
    let vars = named(vec![b"two  blanks".to_vec(), b"*".to_vec()]);
    fs::write(place.output(), "export V0='two  blanks';\nexport V1='*';\n").unwrap();
    for shell in SHELLS.iter().filter(|shell| shell.command != ["zsh", "-f"]) {
        let broken = place.run(shell, "C", "", "eval $(cat ../out)");
        assert_ne!(exported(&broken), expected(&vars), "{:?}", shell.command);
    }
}

#[test]
fn five_hundred_awkward_values_cost_one_printf_whose_arguments_hold_no_secret() {
    let place = Place::new();
    let vars = named((0..500).map(|i| format!("it's a \"secret{i}\"\n$x\t*").into_bytes()).collect());
    place.write(&vars);
    // mksh has no printf of its own: it runs this one, which writes down how it was called.
    let spy = "#!/bin/sh\n/usr/bin/printf '%s\\n' \"$*\" >>../calls\nexec /usr/bin/printf \"$@\"\n";
    place.program("printf", spy);
    let mksh = SHELLS.iter().find(|shell| shell.command == ["mksh"]).unwrap();
    place.check(mksh, "C", "", &vars);
    let calls = fs::read_to_string(place.root.path().join("calls")).unwrap();
    assert_eq!(calls.lines().count(), 2, "one for each of the two ways to write it");
    assert!(!calls.contains("secret"));
}

#[test]
fn nothing_is_set_when_printf_fails_or_the_output_is_cut_short() {
    let place = Place::new();
    let vars = named(vec![b"plain".to_vec(), b"it's".to_vec()]);
    let whole = place.write(&vars);
    place.program("printf", "#!/bin/sh\nexit 1\n");
    let mksh = SHELLS.iter().find(|shell| shell.command == ["mksh"]).unwrap();
    let failed = place.run(mksh, "C", "", "eval $(cat ../out) || V9=failed; export V9");
    assert_eq!(exported(&failed), BTreeMap::from([(b"V9".to_vec(), b"failed".to_vec())]));
    let stopped = place.run(mksh, "C", "set -e", "eval $(cat ../out); echo went on");
    assert!(!stopped.status.success() && stopped.stdout.is_empty());

    for end in [whole.len() - 5, whole.len() / 2, whole.len() / 3] {
        fs::write(place.output(), &whole[..end]).unwrap();
        for shell in SHELLS {
            let cut = place.run(shell, "C", "", "eval \"$(cat ../out)\"");
            assert_eq!(exported(&cut), BTreeMap::new(), "{:?} {end}", shell.command);
        }
    }
}

/// What values are made of when they hurt: every byte alone, between others and doubled, blanks, line ends, sizes.
fn values() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = Vec::new();
    for byte in 1..=u8::MAX {
        values.push(vec![byte]);
        values.push(vec![b'a', byte, b'b']);
        values.push(vec![byte, byte, b' ', byte]);
    }
    let all: Vec<u8> = (1..=u8::MAX).collect();
    let backwards: Vec<u8> = (1..=u8::MAX).rev().collect();
    values.extend([all.clone(), backwards, all.repeat(40)]);
    values.extend(
        ["", " ", "  ", "   ", " a", "a ", " a  b ", "\t", " \t ", "\n", "\n\n\n", "a\n", "\na\n\n"]
            .map(Vec::from),
    );
    values.extend(
        ["*", "/*", "?", "[a-z]*", "{a,b}", "{1..3}", "~", "~root", "a ~", "=ls", "a =ls", "a==ls", "a=~"]
            .map(Vec::from),
    );
    values.extend(
        ["-n", "-e", "--", "export", "!", "!!", "!x", "#", "a #b", "$HOME", "${HOME}", "$(id)", "`id`"]
            .map(Vec::from),
    );
    values.extend(
        ["it's", "''", "\"\"", "'\"'\"'", "\\", "\\\\", "\\n", "\\047", "a\\", "$'\\n'", "$$", "%s%n", "%"]
            .map(Vec::from),
    );
    values.extend(
        ["(a|b)", "@(a)", "+(x)", "<1-9>", "^a", "a;b", "a&b", "a|b", "&&", "> x", "kw_0a", "${kw_0a}"]
            .map(Vec::from),
    );
    values.extend(
        ["é", "日本", "\u{a0}", "\u{2028}", "\u{3000}x\u{3000}", "\u{85}", "\u{feff}", "𝄞"].map(Vec::from),
    );
    values.extend(
        [&b"\xc3"[..], b"a\xff\xfeb", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3 \xa9"].map(Vec::from),
    );
    values.push("-----BEGIN KEY-----\nMIIB+/==\n-----END KEY-----\n".repeat(40).into_bytes());
    values.push("{\"type\": \"account\", \"key\": \"a\\nb\"}".repeat(20).into_bytes());
    values.extend([" ", "\n", "'", "a", "a ", "'\" "].map(|piece| piece.repeat(500).into_bytes()));
    values
}

/// The values among `values` that the shell can hold at all.
fn held(shell: &Shell, locale: &str, mut values: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if shell.command == YASH {
        values.retain(|value| value.is_ascii() || locale == "C.UTF-8" && std::str::from_utf8(value).is_ok());
    }
    values
}

fn named(values: Vec<Vec<u8>>) -> Vars {
    values.into_iter().enumerate().map(|(i, value)| (format!("V{i}").parse().unwrap(), value)).collect()
}

fn expected(vars: &Vars) -> BTreeMap<Vec<u8>, Vec<u8>> {
    vars.iter().map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.clone())).collect()
}

/// `root/here` is where the shells run, among files that words could turn into; `root/out` is what they read.
struct Place {
    root: TempDir,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("bin")).unwrap();
        let here = root.path().join("here");
        fs::create_dir(&here).unwrap();
        let traps = [
            "export",
            "unset",
            "eval",
            "if",
            "then",
            "fi;",
            "else",
            "false;",
            "printf",
            "*",
            "?",
            "[",
            "-n",
            "-e",
            "--",
            "A=b",
            "V0=x",
            "a",
            "b",
            "a b",
            "'",
            "\"",
            "''",
            "\\",
            "'two",
            "blanks';",
            "V1='x';",
            "V1=';",
            "$HOME",
            "`id`",
            "~",
            "=ls",
            "#",
            "!",
            "{a,b}",
            "kw_0a",
            "\"${kw_0a}\"",
            "\"$kw_t\";",
            "$kw_t;",
            " ",
            "\n",
            "a\nb",
            "é",
            ".hidden",
            "%s",
            "<1-9>",
            "(a)",
            "047",
            "\\047",
        ];
        for name in traps {
            fs::File::create(here.join(name)).unwrap();
        }
        Self { root }
    }

    fn output(&self) -> PathBuf {
        self.root.path().join("out")
    }

    /// Writes what keyward prints, and a file for each word of it that a file name can hold, as it stands and as a
    /// shell that takes a backslash for quoting would see it.
    fn write(&self, vars: &Vars) -> Vec<u8> {
        let vars: Vec<Var<'_>> = vars.iter().map(|(name, value)| Var::new(name, value).unwrap()).collect();
        let out = shell(&vars).to_vec();
        fs::write(self.output(), &out).unwrap();
        let words = out.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        for word in words.filter(|word| !word.contains(&b'/')).take(100) {
            let unescaped: Vec<u8> = word.iter().copied().filter(|byte| *byte != b'\\').collect();
            for name in [word, unescaped.as_slice()] {
                if name.len() < 256 && name != b"." {
                    fs::File::create(self.root.path().join("here").join(OsStr::from_bytes(name))).unwrap();
                }
            }
        }
        out
    }

    /// Puts a program in front of all others.
    fn program(&self, name: &str, script: &str) {
        let path = self.root.path().join("bin").join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn check(&self, shell: &Shell, locale: &str, setting: &str, vars: &Vars) {
        if let Err(difference) = self.compare(shell, locale, setting, vars) {
            panic!("{difference}");
        }
    }

    fn compare(&self, shell: &Shell, locale: &str, setting: &str, vars: &Vars) -> Result<(), String> {
        let expected = expected(vars);
        for eval in ["eval $(cat ../out)", "eval \"$(cat ../out)\""] {
            let output = self.run(shell, locale, setting, eval);
            let told = String::from_utf8_lossy(&output.stderr[..output.stderr.len().min(2_000)]).into_owned();
            let fail = |what: String| {
                Err(format!("{:?} {locale} {setting:?} {eval}: {what}\n{told}", shell.command))
            };
            if !output.status.success() || !output.stderr.is_empty() {
                return fail(output.status.to_string());
            }
            let found = exported(&output);
            for (name, value) in &expected {
                if found.get(name) != Some(value) {
                    let [want, got] = [Some(value), found.get(name)].map(|bytes| bytes.map(|b| short(b)));
                    return fail(format!("want {want:?}, got {got:?}"));
                }
            }
            if found.len() != expected.len() {
                let extra = found.keys().find(|name| !expected.contains_key(*name)).map(|name| short(name));
                return fail(format!("exported as well: {extra:?}"));
            }
        }
        Ok(())
    }

    fn run(&self, shell: &Shell, locale: &str, setting: &str, eval: &str) -> Output {
        let (program, arguments) = shell.command.split_first().unwrap();
        let program = find(program);
        Command::new(program)
            .args(arguments)
            .arg("-c")
            .arg(format!("{setting}\n{eval}\nset +e\nexec /usr/bin/env -0"))
            .current_dir(self.root.path().join("here"))
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.root.path().join("bin").display()))
            .env("LC_ALL", locale)
            .output()
            .unwrap()
    }
}

/// What the shell gave to its child, without what shells set of themselves.
fn exported(output: &Output) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let own = ["PATH", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_", "A__z", "IFS", "HOME", "LOGNAME"];
    output
        .stdout
        .split(|byte| *byte == 0)
        .filter_map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            Some((pair[..equals].to_vec(), pair[equals + 1..].to_vec()))
        })
        .filter(|(name, _)| !own.iter().any(|own| own.as_bytes() == name))
        .collect()
}

fn short(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(80)].escape_ascii().to_string()
}

/// A shell that is missing is a failure: a contract that was not tried is not kept.
fn find(program: &str) -> PathBuf {
    ["/bin", "/usr/bin", "/usr/local/bin"]
        .iter()
        .map(|dir| Path::new(dir).join(program))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{program} is not installed: run `cargo xtask test`, which installs it"))
}
