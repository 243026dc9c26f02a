//! The clipboard, by the programs that desktops bring for it. Values go to their standard input, never into arguments.
//!
//! No library: one that speaks Wayland and X11 itself must also stay alive as long as the clipboard is to hold something,
//! which these programs see to.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::ctx::Env;
use crate::fault::printable;

/// A program that copies, and one that says what the clipboard holds.
#[derive(Debug, Clone, Copy)]
pub struct Clipboard {
    copy: &'static [&'static str],
    paste: Option<&'static [&'static str]>,
}

impl Clipboard {
    /// Puts a value into the clipboard, by the first program that is there. `None` if there is none.
    ///
    /// # Errors
    /// If one is there and fails: the next one would reach the same clipboard.
    pub fn put(env: &Env, value: &[u8]) -> std::io::Result<Option<Self>> {
        for clipboard in Self::candidates(env) {
            match clipboard.write(value) {
                Ok(()) => return Ok(Some(clipboard)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The program's name.
    pub fn name(self) -> &'static str {
        self.copy.first().copied().unwrap_or_default()
    }

    /// Whether it can be asked what it holds.
    pub fn answers(self) -> bool {
        self.paste.is_some()
    }

    /// Empties it if it still holds the value, and answers whether it did.
    ///
    /// # Errors
    /// If a program fails: then it is not known what it holds.
    pub fn clear(self, value: &[u8]) -> std::io::Result<bool> {
        if *self.read()? != value {
            return Ok(false);
        }
        self.write(b"").map(|()| true)
    }

    fn candidates(env: &Env) -> impl Iterator<Item = Self> {
        let there = [
            (cfg!(target_os = "macos"), Self { copy: &["pbcopy"], paste: Some(&["pbpaste"]) }),
            (
                env.wayland,
                Self {
                    copy: &["wl-copy", "--type", "text/plain"],
                    paste: Some(&["wl-paste", "--no-newline", "--type", "text/plain"]),
                },
            ),
            (
                env.x11,
                Self {
                    copy: &["xclip", "-selection", "clipboard", "-in"],
                    paste: Some(&["xclip", "-selection", "clipboard", "-out"]),
                },
            ),
            (
                env.x11,
                Self {
                    copy: &["xsel", "--clipboard", "--input"],
                    paste: Some(&["xsel", "--clipboard", "--output"]),
                },
            ),
            // Windows under WSL.
            (true, Self { copy: &["clip.exe"], paste: None }),
        ];
        there.into_iter().filter(|(there, _)| *there).map(|(_, clipboard)| clipboard)
    }

    fn write(self, value: &[u8]) -> std::io::Result<()> {
        // A file and no pipe: a program that goes on in the background must not die of what it says later.
        let mut said = tempfile::tempfile().ok();
        let stderr =
            said.as_ref().and_then(|said| said.try_clone().ok()).map_or_else(Stdio::null, Stdio::from);
        let mut child =
            command(self.copy).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(stderr).spawn()?;
        // Dropped at the end of the statement, so that the program sees an end.
        let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(value));
        let status = child.wait()?;
        if !status.success() {
            return Err(failed(self.copy, said.as_mut()));
        }
        written
    }

    fn read(self) -> std::io::Result<Zeroizing<Vec<u8>>> {
        let paste = self.paste.unwrap_or_default();
        let mut child = command(paste).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut held = Zeroizing::new(Vec::with_capacity(READ_BYTES));
        if let Some(stdout) = child.stdout.take() {
            // What is longer is no value of ours.
            stdout.take(READ_BYTES as u64).read_to_end(&mut held)?;
        }
        // A program may well fail because nothing is there.
        let _ = child.wait()?;
        Ok(held)
    }
}

/// The programs go on in the background to serve what they hold: without our stderr, which somebody may wait for, and
/// without our token.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words.first().copied().unwrap_or_default());
    command.args(words.iter().skip(1)).stderr(Stdio::null()).env_remove("KEYWARD_TOKEN");
    command
}

/// That a program failed, and the first line of what it `said`.
fn failed(words: &[&str], said: Option<&mut File>) -> std::io::Error {
    let mut text = String::new();
    if let Some(said) = said {
        // At worst the reason is missing.
        let _ = said.rewind().and_then(|()| said.take(1024).read_to_string(&mut text));
    }
    let name = words.first().copied().unwrap_or_default();
    std::io::Error::other(match text.lines().find(|line| !line.trim().is_empty()) {
        Some(reason) => format!("{name} failed: {}", printable(reason.trim(), 200)),
        None => format!("{name} failed"),
    })
}

/// A little more than the largest value.
const READ_BYTES: usize = keyward_wire::limits::VALUE_BYTES + 64;
