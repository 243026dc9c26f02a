//! What clap says of a command line, without what was typed there: a value or token in the wrong place is a secret, and
//! stderr is often a log.

use std::ffi::OsString;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cmd::Cli;
use crate::fault::{self, likeness};
use crate::out::Out;

/// Prints it, or the help that was asked for: without colours if `--no-color` is among the words, which may be all that is right of
/// them.
pub fn print(error: &clap::Error, args: &[OsString]) {
    if !args.iter().any(|arg| arg == "--no-color") {
        let _ = error.print();
        return;
    }
    let text = error.render().to_string();
    if error.use_stderr() {
        Out::default().note(text.trim_end());
    } else {
        let _ = Out::default().bytes(text.as_bytes());
    }
}

/// Stands for what was typed.
const HIDDEN: &str = "…";

/// Longest name of an option that is shown, in bytes.
const FLAG_BYTES: usize = 24;

/// The error with every word and value of the command line replaced, but for what looks like the name of an option, and for places
/// in the network.
/// What is ours stays: usage, possible values, suggestions.
pub fn without_typed(mut error: clap::Error) -> clap::Error {
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let meant = instead_of_argument(&error);
            hide(&mut error, ContextKind::InvalidArg);
            if let Some(meant) = meant {
                error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![meant]));
            }
        }
        ErrorKind::InvalidSubcommand => {
            let meant = short_one(&error);
            hide(&mut error, ContextKind::InvalidSubcommand);
            if let Some(meant) = meant {
                error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![meant]));
            }
        }
        _ => match shown(&error) {
            Some(place) => {
                error.insert(ContextKind::InvalidValue, ContextValue::String(place));
            }
            None => hide(&mut error, ContextKind::InvalidValue),
        },
    }
    error
}

/// What was typed for an option that takes a place in the network and no secret, so that one of several can be told. Before an `@`
/// there may be a password.
fn shown(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (option, typed) = (text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?);
    let is_place = PLACES.contains(&option.split(' ').next()?) && !typed.contains('@');
    (is_place && !typed.is_empty()).then(|| fault::typed(typed, 100))
}

/// Options whose values are hosts, ports and addresses.
const PLACES: &[&str] = &[
    "--allow-private",
    "--at",
    "--control",
    "--control-name",
    "--from",
    "--gateway",
    "--listen",
    "--resolve",
];

/// The command of a few letters that was probably meant, where clap suggests none: it measures likeness by the share of letters
/// that fit, and of three letters too few do.
fn short_one(error: &clap::Error) -> Option<String> {
    if error.get(ContextKind::SuggestedSubcommand).is_some() {
        return None;
    }
    let (Some(ContextValue::String(typed)), Some(ContextValue::StyledStr(usage))) =
        (error.get(ContextKind::InvalidSubcommand), error.get(ContextKind::Usage))
    else {
        return None;
    };
    let command = command_of(&usage.to_string())?;
    let names = commands_in(&command);
    short_name(typed, names).map(str::to_owned)
}

fn short_name<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let is_near = |name: &&str| name.len() <= SHORT && strsim::damerau_levenshtein(typed, name) == 1;
    names.filter(is_near).max_by(|a, b| likeness(typed, a).total_cmp(&likeness(typed, b)))
}

/// The command that was probably meant by a word for which a command that can do without one has no place.
fn instead_of_argument(error: &clap::Error) -> Option<String> {
    let (Some(ContextValue::String(typed)), Some(ContextValue::StyledStr(usage))) =
        (error.get(ContextKind::InvalidArg), error.get(ContextKind::Usage))
    else {
        return None;
    };
    let command = command_of(&usage.to_string())?;
    let meant = fault::nearest(typed, commands_in(&command));
    meant.or_else(|| short_name(typed, commands_in(&command))).map(str::to_owned)
}

/// The command of a usage line, such as "Usage: keyward key [OPTIONS] <COMMAND>".
fn command_of(usage: &str) -> Option<clap::Command> {
    let words = usage.split_whitespace().skip_while(|word| *word != "keyward").skip(1);
    let mut command = Cli::command();
    for word in words.take_while(|word| !word.starts_with(['[', '<', '-'])) {
        command = command.find_subcommand(word)?.clone();
    }
    Some(command)
}

fn commands_in(command: &clap::Command) -> impl Iterator<Item = &str> {
    command.get_subcommands().filter(|one| !one.is_hide_set()).map(clap::Command::get_name)
}

/// Letters of the longest command that counts as short.
const SHORT: usize = 4;

fn hide(error: &mut clap::Error, kind: ContextKind) {
    let Some(ContextValue::String(typed)) = error.get(kind) else { return };
    // An empty value says that there was none.
    if typed.is_empty() || (kind == ContextKind::InvalidArg && is_flag(typed)) {
        return;
    }
    error.insert(kind, ContextValue::String(HIDDEN.to_owned()));
    // A sentence of clap's that may repeat the word: "to pass '…' as a value, use …".
    error.remove(ContextKind::Suggested);
}

/// `--name` in lower-case letters and dashes. A PEM file begins with dashes, too.
fn is_flag(typed: &str) -> bool {
    let Some(name) = typed.strip_prefix("--").or_else(|| typed.strip_prefix('-')) else { return false };
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    letters && name.len() <= FLAG_BYTES && name.starts_with(|first: char| first != '-')
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn said(words: &[&str]) -> String {
        let parsed = Cli::try_parse_from([&["keyward"], words].concat());
        without_typed(parsed.err().expect("it does not parse")).to_string()
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        let pem = "-----BEGIN PRIVATE KEY-----\nhunter2";
        for words in [
            &["hunter2"][..],
            &["auth", "hunter2"],
            &["auth", "api-user", "hunter2"],
            &["auth", "api-user", "--token-stdin", "hunter2"],
            &["auth", "api-user", "--token-stdin=hunter2"],
            &["auth", "api-user", "--tokn=hunter2"],
            &["auth", "api-user", "--hunter2"],
            &["key", "create", "X", "hunter2"],
            &["key", "create", "X", "--value-stdin=hunter2"],
            &["key", "create", "X", "--value-stdin", "hunter2"],
            &["key", "create", "X", pem],
            &["key", "create", "X", "--", "--hunter2"],
            &["key", "create", " hunter2"],
            &["key", "set", "X", "hunter2"],
            &["key", "set", "X", "--alias=a", "hunter2"],
            &["key", "set", "X", "--alias", "hunter2\u{7}"],
            &["key", "rollback", "X", "hunter2"],
            &["init", "--password-stdin=hunter2"],
            &["deployment", "env-file", "p", "--format", "hunter2"],
            #[cfg(feature = "gateway")]
            &["proxy", "--resolve", "me:hunter2@a.test:443"],
            #[cfg(feature = "gateway")]
            &["proxy", "--resolve", "kwt1_hunter2"],
            #[cfg(feature = "gateway")]
            &["proxy", "--upstream-proxy", "http://me:hunter2@a.test:1"],
        ] {
            let said = said(words);
            assert!(!said.contains("hunter2"), "{words:?}: {said}");
            assert!(said.contains("--help"), "{words:?}: {said}");
        }
    }

    #[test]
    #[cfg(feature = "gateway")]
    fn of_several_places_the_one_that_is_none_is_named() {
        for words in [
            &[
                "proxy",
                "--resolve",
                "a.test:443:127.0.0.1",
                "--resolve",
                "b.test:444",
                "--resolve",
                "c.test:443:::1",
            ][..],
            &[
                "run",
                "--proxy",
                "--allow-private",
                "a.test:1",
                "--allow-private",
                "b.test:444:1",
                "--",
                "true",
            ],
            &["proxy", "env", "--agent", "a", "--credential-file", "f", "--at", "b.test:444:1"],
        ] {
            let said = said(words);
            assert!(said.contains("'b.test:444") && !said.contains("a.test:443"), "{said}");
        }
    }

    #[test]
    fn what_is_ours_is_still_said() {
        for (words, ours) in [
            (&["key", "create", "X", "hunter2"][..], "Usage: keyward key create"),
            (&["key", "create", "X", "--provder=hunter2"], "--provider"),
            (&["key", "create", "X", "--bogus"], "'--bogus'"),
            (&["deployment", "env-flie"], "'env-file'"),
            (&["kye"], "'key'"),
            (&["rn"], "'run'"),
            (&["key", "gt"], "'get'"),
            #[cfg(feature = "gateway")]
            (&["proxy", "lgo"], "'log'"),
            (&["deployment", "env-file", "p", "--format", "xml"], "dotenv"),
            (&["deployment", "env-file", "p", "--format", "xml"], "--format"),
            (&["key", "create"], "<NAME>"),
            (&["key", "create", "X", "--provider"], "--provider"),
        ] {
            assert!(said(words).contains(ours), "{words:?}: {}", said(words));
        }
    }
}
