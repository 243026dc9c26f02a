//! What a shell asks when somebody presses TAB: `keyward __complete SHELL INDEX`, with the words typed so far on standard
//! input, each followed by a NUL. They may hold a token, so they are no arguments: those can be seen by other users.
//!
//! The answer is a line a candidate, `value TAB help`. It never is an error, a question or a wait: where there is nothing
//! to offer, nothing is said.

mod bash;
mod live;
mod names;

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::engine::{CompletionCandidate, complete};

use crate::cmd::Cli;
use crate::ctx::{Ctx, Env, Global};
use crate::out::Out;

/// The word that asks for it. Not one of clap's commands, whose mistakes would be told to the person who types.
const WORD: &str = "__complete";

/// Longest command line that is completed, in bytes.
const LIMIT: u64 = 256 * 1024;

/// Whether a shell asks.
pub fn is_asked(args: &[OsString]) -> bool {
    args.get(1).is_some_and(|word| word == WORD)
}

/// Answers.
pub fn answer(args: &[OsString]) {
    // Nothing that is called from here, whatever it may want to say, is heard by the person at the command line.
    if let Ok(nowhere) = OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stderr(&nowhere);
    }
    if let Some(text) = candidates(args) {
        let _ = Out::default().bytes(&text);
    }
}

fn candidates(args: &[OsString]) -> Option<Vec<u8>> {
    let shell = args.get(2)?;
    let index: usize = args.get(3)?.to_str()?.parse().ok()?;
    let mut typed = read_words()?;
    typed.truncate(index.checked_add(1)?);
    if typed.len() <= index {
        return None;
    }
    if shell == "bash" {
        let (words, place) = bash::words(&typed)?;
        let found = of_words(words)?;
        let values = found.iter().filter_map(|found| place.replacement(&found.value));
        return Some(values.flat_map(|value| [value.as_bytes(), b"\n"].concat()).collect());
    }
    let found = of_words(typed)?;
    Some(found.iter().flat_map(Found::line).collect())
}

fn read_words() -> Option<Vec<OsString>> {
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    std::io::stdin().lock().take(LIMIT + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > LIMIT {
        return None;
    }
    let words = bytes.strip_suffix(&[0])?.split(|byte| *byte == 0);
    Some(words.map(|word| OsString::from_vec(word.to_vec())).collect())
}

/// The candidates for the last of these words.
fn of_words(words: Vec<OsString>) -> Option<Vec<Found>> {
    let world = world(&words);
    let mut command = names::attach(Cli::command(), &live::Live::of(world, unmapped_from(&words)));
    let (last, here) = (words.len().checked_sub(1)?, std::env::current_dir().ok());
    let is_option = |word: &OsStr| word.as_bytes().starts_with(b"-");
    let asks_for_options = is_option(words.last()?);
    let found = complete(&mut command, words, last, here.as_deref()).ok()?;
    let mut found: Vec<Found> = found.iter().filter_map(Found::of).collect();
    // Options that nobody began to type do not bury the names.
    if !asks_for_options && found.iter().any(|found| !is_option(&found.value)) {
        found.retain(|found| !is_option(&found.value));
    }
    Some(found)
}

/// The world that the words typed so far name. `None` if they name another server: what is still being typed must not be
/// sent a credential.
fn world(words: &[OsString]) -> Option<Ctx> {
    let typed = words.iter().take_while(|word| *word != "--");
    let typed: Vec<&OsStr> = typed.map(OsString::as_os_str).collect();
    let names = |flag: &str, word: &&OsStr| {
        let rest = word.as_bytes().strip_prefix(flag.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
    };
    if ["--url", "--ca", "--allow-http"].iter().any(|flag| typed.iter().any(|word| names(flag, word))) {
        return None;
    }
    let at = typed.iter().position(|word| names("--home", word));
    let home = at.and_then(|at| match typed.get(at)?.as_bytes().strip_prefix(b"--home=") {
        Some(path) => Some(PathBuf::from(OsStr::from_bytes(path))),
        None => typed.get(at + 1).map(PathBuf::from),
    });
    let ctx = Ctx::new(Global { home, quiet: true, ..Global::default() }, Env::read());
    Some(Ctx { is_unheard: true, ..ctx })
}

/// The deployment that keys are taken out of, as far as it was typed: the first word after `unmap` that is no option.
fn unmapped_from(words: &[OsString]) -> Option<String> {
    let (_, before) = words.split_last()?;
    let mut after = before.iter().skip_while(|word| *word != "unmap").skip(1);
    after.find(|word| !word.as_bytes().starts_with(b"-"))?.to_str().map(str::to_owned)
}

/// A candidate that a line can carry.
struct Found {
    value: OsString,
    help: String,
}

impl Found {
    fn of(candidate: &CompletionCandidate) -> Option<Self> {
        let value = candidate.get_value().to_owned();
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help: String = help.lines().next().unwrap_or_default().replace('\t', " ");
        // A file may be named anything.
        let inert = !value.as_bytes().iter().any(u8::is_ascii_control);
        (inert && !candidate.is_hide_set()).then_some(Self { value, help })
    }

    fn line(&self) -> Vec<u8> {
        [self.value.as_bytes(), b"\t", self.help.as_bytes(), b"\n"].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn values(line: &str) -> Vec<String> {
        let found = of_words(words(line)).unwrap_or_default();
        found.into_iter().map(|found| found.value.into_string().unwrap()).collect()
    }

    #[test]
    fn commands_options_and_their_values_are_found() {
        assert!(values("keyward dep").contains(&"deployment".to_owned()));
        assert!(values("keyward deployment env-file x --std").contains(&"--stdout".to_owned()));
        assert!(values("keyward deployment env-file x --format sh").contains(&"shell".to_owned()));
        assert!(values("keyward key set X --inject stri").contains(&"stripe".to_owned()));
        assert!(values("keyward provider show githu").contains(&"github-git".to_owned()));
        assert!(!values("keyward ").iter().any(|value| value.starts_with("__")));
    }

    #[test]
    fn the_folder_that_is_named_is_the_one_that_is_asked() {
        let home = |line: &str| world(&words(line)).unwrap().global.home.unwrap();
        assert_eq!(home("keyward --home /a key get x"), PathBuf::from("/a"));
        assert_eq!(home("keyward key get x --home=/b y"), PathBuf::from("/b"));
    }

    #[test]
    fn a_server_that_is_still_being_typed_is_sent_nothing() {
        for line in
            ["keyward --url https://x key get y", "keyward key get --url=https://x y", "keyward --ca c x"]
        {
            assert!(world(&words(line)).is_none(), "{line}");
        }
        assert!(world(&words("keyward run p -- curl --url x")).is_some(), "another program's");
    }
}
