//! Variables that mean something to a shell itself: none runs its value, and none is lost without a word.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use keyward_cli::export::{Format, Var, render};
use keyward_wire::name::EnvName;
use tempfile::TempDir;

use crate::{SHELLS, find};

/// Some variables are numbers of the shell itself: it evaluates their values, and so runs a subscript in one. Others are run as
/// commands, or are not exported as they were set.
#[test]
fn no_variable_of_a_shell_s_own_runs_its_value_or_loses_it() {
    const SCRIPT: &str = r#"
        {
            if [ -n "${ZSH_VERSION-}" ]; then eval 'print -l ${(k)parameters}'; fi
            (set; typeset; typeset -i) 2>/dev/null | sed 's/=.*//; s/.* //'
        } | grep '^[A-Za-z_][A-Za-z0-9_]*$' >>names
        while read -r name; do
            for value in "x[\$(: >ran-$name)]" "q[\$(: >ran-$name)1]=1" "path[\$(: >ran-$name)1]" ": >ran-$name"; do
                (eval "export $name='$value'; : \"\$$name\"; cd .; no-such-command") >/dev/null 2>&1
            done
            (eval "export $name='sk_live_1'; export KW_AFTER='1';" && /usr/bin/env >"env-$name") >/dev/null 2>&1
        done <names
        true
    "#;
    let (mut found, mut wrong) = (BTreeMap::new(), Vec::new());
    for shell in SHELLS {
        let (program, arguments) = shell.command.split_first().unwrap();
        let place = TempDir::new().unwrap();
        let path = |name: &str| place.path().join(name);
        fs::write(path("names"), names_in(program)).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).args(["-c", SCRIPT]).current_dir(place.path()).stdin(Stdio::null());
        let out = command.output().unwrap();
        assert!(out.status.success(), "{:?}: {}", shell.command, String::from_utf8_lossy(&out.stderr));
        let names: BTreeSet<EnvName> =
            fs::read_to_string(path("names")).unwrap().lines().map(|name| name.parse().unwrap()).collect();
        for name in &names {
            if path(&format!("ran-{name}")).exists() {
                *found.entry(*program).or_insert(0) += 1;
                if !name.steers_programs() {
                    wrong.push(format!("{:?} runs what stands in {name}", shell.command));
                }
            }
            let env = fs::read(path(&format!("env-{name}"))).unwrap_or_default();
            let has = |line: &str| env.split(|byte| *byte == b'\n').any(|one| one == line.as_bytes());
            let arrived = has(&format!("{name}=sk_live_1")) && has("KW_AFTER=1");
            let var = Var::new(name, b"sk_live_1").unwrap();
            let refused = name.steers_programs() || render(Format::Shell, &[var]).is_err();
            if !arrived && !refused {
                wrong.push(format!("{:?} loses {name}", shell.command));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (program, least) in [("bash", 3), ("mksh", 10), ("yash", 2), ("zsh", 45)] {
        let found = found.get(program).copied().unwrap_or_default();
        assert!(found >= least, "the search has found {found} in {program}");
    }
}

/// At a prompt zsh evaluates more: numbers, and with `prompt_subst`, which many people set, commands in the texts of prompts.
#[test]
fn no_variable_of_zsh_runs_its_value_at_a_prompt() {
    let place = TempDir::new().unwrap();
    let listed = Command::new("zsh").args(["-f", "-c", "print -l ${(k)parameters}"]).output().unwrap();
    let (listed, capitals) = (String::from_utf8(listed.stdout).unwrap(), names_in("zsh"));
    let names: BTreeSet<EnvName> =
        listed.lines().chain(capitals.lines()).filter_map(|name| name.parse().ok()).collect();
    // Few at a time: some change what the shell does next.
    for some in names.iter().collect::<Vec<_>>().chunks(8) {
        let mut script = "setopt prompt_subst\n".to_owned();
        for value in ["path[$(: >NAME)1]", "$(: >NAME)"] {
            let export = |name: &&EnvName| {
                format!("export {name}='{}'\n", value.replace("NAME", &format!("ran-{name}")))
            };
            script.extend(some.iter().map(export));
            // A plain prompt, one of an unfinished command, one of a choice, and one of a trace.
            script += ": x\n\nif true\nthen :\nfi\nselect x in a; do break; done\n1\nset -x\n: y\nset +x\n";
        }
        // On a terminal: elsewhere it has fewer prompts.
        let mut zsh = Command::new("timeout");
        zsh.args(["60", "script", "-qec", "zsh -f -i", "/dev/null"]).current_dir(place.path());
        let mut zsh = zsh.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It may have ended before it has read all.
        let _ = zsh.stdin.take().unwrap().write_all((script + "exit\n").as_bytes());
        zsh.wait().unwrap();
    }
    let ran = |name: &&EnvName| place.path().join(format!("ran-{name}")).exists();
    let found: Vec<&EnvName> = names.iter().filter(ran).collect();
    let wrong: Vec<&&EnvName> = found.iter().filter(|name| !name.steers_programs()).collect();
    assert!(wrong.is_empty(), "zsh runs what stands in {wrong:?}");
    assert!(found.len() > 20, "the search has found {found:?}");
}

/// Texts of capitals in a shell's program and its modules, as bytes or as wide characters, a line each: a shell lists by no means
/// all of its variables.
fn names_in(shell: &str) -> String {
    let mut files = vec![fs::canonicalize(find(shell)).unwrap()];
    if shell == "zsh" {
        let modules = Command::new("find").args(["/usr/lib", "-path", "*/zsh/*.so"]).output().unwrap();
        files.extend(String::from_utf8(modules.stdout).unwrap().lines().map(PathBuf::from));
        assert!(files.len() > 10, "zsh has modules");
    }
    let mut names = BTreeSet::new();
    for file in files {
        let bytes = fs::read(file).unwrap();
        let narrow = |wide: &[u8]| if wide.ends_with(&[0, 0, 0]) { wide[0] } else { 0 };
        let wide: Vec<u8> = bytes.chunks_exact(4).map(narrow).collect();
        for text in bytes.split(|byte| *byte == 0).chain(wide.split(|byte| *byte == 0)) {
            let is_name = text.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
            if is_name && (3..32).contains(&text.len()) && !text[0].is_ascii_digit() {
                names.insert(String::from_utf8(text.to_vec()).unwrap() + "\n");
            }
        }
    }
    names.into_iter().collect()
}
