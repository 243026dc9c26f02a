//! Whether stdout is for a shell's `eval`: `env-file --stdout` and `proxy env`, in a format that a shell runs.
//!
//! Judged on the raw words, because it must hold for command lines that do not parse, too. Where they leave a doubt, the
//! answer is yes: a `false` too many only says once more that the command failed.

use std::ffi::{OsStr, OsString};

use clap::ValueEnum as _;

use crate::export::Format;

/// Whether a failure must print `false`: the words ask for `--stdout`, rightly spelt or not, or name no file to write.
pub fn expected(args: &[OsString]) -> bool {
    let words = words(args);
    if is_stub(&words) {
        return false;
    }
    (says_stdout(&words) || lacks_file(&words)) && !has_other_format(&words) || is_proxy_env(&words)
}

/// Whether the words ask for it: only then is help not what somebody wants to read on stdout.
pub fn asked(args: &[OsString]) -> bool {
    let words = words(args);
    says_stdout(&words) && !has_other_format(&words)
}

/// The words before `--`: what follows it is another program's.
fn words(args: &[OsString]) -> Vec<&OsStr> {
    args.iter().map(OsString::as_os_str).take_while(|word| *word != "--").collect()
}

fn says_stdout(words: &[&OsStr]) -> bool {
    words.iter().any(|word| word.as_encoded_bytes().starts_with(b"--std"))
}

/// `stub write --stdout` is for a file, to which it is added; nothing is to be added to it by a failure. A first word that may be
/// the value of an option is not the command.
fn is_stub(words: &[&OsStr]) -> bool {
    let is_option = |word: &OsStr| word.as_encoded_bytes().starts_with(b"-");
    let takes_next = |word: &OsStr| is_option(word) && !word.as_encoded_bytes().contains(&b'=');
    let pairs = words.iter().zip(words.iter().skip(1));
    let mut plain = pairs.filter(|(before, word)| !is_option(word) && !takes_next(before));
    plain.next().is_some_and(|(_, word)| *word == "stub")
}

/// `env-file` with fewer than two words after it: DEPLOYMENT and FILE. One that may be the value of an option is not counted.
fn lacks_file(words: &[&OsStr]) -> bool {
    let Some(at) = words.iter().position(|word| *word == "env-file") else { return false };
    let takes_next = |word: &[u8]| word.starts_with(b"--") && !word.contains(&b'=');
    let pairs = words.iter().skip(at).zip(words.iter().skip(at + 1));
    let plain = pairs.filter(|(before, word)| {
        !word.as_encoded_bytes().starts_with(b"-") && !takes_next(before.as_encoded_bytes())
    });
    plain.count() < 2
}

/// `proxy env`, for a shell unless it is said otherwise: a script must not go around the gateway for want of its variables.
fn is_proxy_env(words: &[&OsStr]) -> bool {
    let after = words.iter().skip_while(|word| **word != "proxy");
    let other =
        formats(words).next_back().is_some_and(|format| ["docker", "compose", "json"].contains(&format));
    after.into_iter().any(|word| *word == "env") && !other && !words.iter().any(|word| *word == "--json")
}

/// The last `--format` decides, and one that does not exist is none. Without any, `--json` is one.
fn has_other_format(words: &[&OsStr]) -> bool {
    let Some(last) = formats(words).next_back() else { return words.iter().any(|word| *word == "--json") };
    Format::from_str(last, false).is_ok_and(|format| !format.is_run())
}

fn formats<'a>(words: &'a [&OsStr]) -> impl DoubleEndedIterator<Item = &'a str> {
    words.iter().enumerate().filter_map(|(at, word)| match word.to_str()? {
        "--format" => Some(words.get(at + 1).and_then(|next| next.to_str()).unwrap_or_default()),
        word => word.strip_prefix("--format="),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn what_a_shell_may_be_waiting_for_ends_in_the_word_false() {
        for line in [
            "keyward deployment env-file p --stdout",
            "keyward deployment env-file --stdout --bogus",
            "keyward deployment env-file p --stdout=true",
            "keyward deployment env-file p --stdou",
            "keyward deployment env-file p --stdotu",
            "keyward deployment env-file p --sdtout",
            "keyward deployment env-file p -stdout",
            "keyward deployment env-file p",
            "keyward deployment env-file --format shell p",
            "keyward deployment envfile p --stdout",
            "keyward --stdout env-file p",
            "keyward deployment env-file stub --stdout",
            "keyward --home stub deployment env-file p --stdout",
            "keyward deployment env-file p --stdout --json --format shell",
            "keyward deployment env-file p --stdout --format shell",
            "keyward deployment env-file p --stdout --format fish",
            "keyward deployment env-file p --format=fish",
            "keyward deployment env-file p --stdout --format=nonsense",
            "keyward deployment env-file p --stdout --format",
            "keyward deployment env-file p --stdout --format json --format shell",
            "keyward deployment env-file p --stdout --format=json --format=jsn",
            "keyward proxy env --agent bot --credential-file bot.txt",
            "keyward proxy --quiet env --format shell",
            "keyward proxy env --format bash",
        ] {
            assert!(expected(&args(line)), "{line}");
        }
    }

    #[test]
    fn nothing_else_does() {
        for line in [
            "keyward deployment env-file p --stdout --format json",
            "keyward deployment env-file p --stdout --format=dotenv",
            "keyward deployment env-file p --stdout --format yaml",
            "keyward deployment env-file p --stdout --format powershell",
            "keyward deployment env-file p --stdout --format docker",
            "keyward deployment env-file p --stdout --format github-actions",
            "keyward deployment env-file p --stdout --format systemd",
            "keyward deployment env-file p --stdout --format shell --format json",
            "keyward deployment env-file p out.env",
            "keyward deployment env-file p --format=shell out.env",
            "keyward run p -- env-file --stdout",
            "keyward proxy env --agent bot --format docker",
            "keyward proxy env --agent bot --json",
            "keyward proxy --agent bot -- env",
            "keyward key list",
            "keyward stub write npmrc --stdout",
            "keyward --home /x stub write nosuch --stdout",
            "keyward --home=/x stub write nosuch --stdout",
        ] {
            assert!(!expected(&args(line)), "{line}");
        }
    }

    #[test]
    fn help_is_kept_from_stdout_only_where_stdout_was_asked_for() {
        assert!(asked(&args("keyward deployment env-file p --stdout --help")));
        assert!(!asked(&args("keyward deployment env-file --help")));
        assert!(!asked(&args("keyward help deployment env-file")));
    }
}
