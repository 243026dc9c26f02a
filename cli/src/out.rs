//! The writer of stdout, and of stderr but for the questions of `prompt` and for progress bars. stdout is data, stderr
//! is talk.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use zeroize::Zeroizing;

use crate::fault::{Code, Fault};

/// How output is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Out {
    /// Data as JSON.
    pub json: bool,
    /// No talk but warnings and errors.
    pub quiet: bool,
    /// No colours.
    pub no_color: bool,
}

impl Out {
    /// Writes bytes to stdout, as they are. A reader that went away is no error.
    ///
    /// # Errors
    /// Any other failure to write.
    pub fn bytes(self, bytes: &[u8]) -> anyhow::Result<()> {
        match written(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| cannot_write(&error).into()),
        }
    }

    /// Writes a line to stdout that is shown once and kept nowhere.
    ///
    /// # Errors
    /// Any failure to write: that the reader went away, too.
    pub fn only_copy(self, text: &str) -> anyhow::Result<()> {
        let line = Zeroizing::new(format!("{text}\n"));
        written(line.as_bytes()).map_err(|error| cannot_write(&error).into())
    }

    /// Makes a shell fail that evals stdout. An empty output survives `set -e; eval $(…)` in every shell; `false` does not.
    pub fn fail_the_shell(self) {
        // After an output cut short at `export A=`, a mere `false` would become the value.
        let word = if BEGUN.load(Ordering::Relaxed) { ";false" } else { "false" };
        let _ = self.line(word);
    }

    /// Hands commands to GitHub's runner, which takes them out of stderr and does not log them.
    ///
    /// # Errors
    /// If they cannot be written: what they are to hide must not be written then, either.
    pub fn runner_commands(self, commands: &[u8]) -> anyhow::Result<()> {
        let written = std::io::stderr().lock().write_all(commands);
        written.map_err(|error| {
            Fault::new(Code::Unexpected, format!("cannot tell GitHub's runner what to mask: {error}")).into()
        })
    }

    /// Whether somebody reads stdout on a terminal.
    pub fn stdout_is_terminal() -> bool {
        std::io::stdout().is_terminal()
    }

    /// Writes a line to stdout.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn line(self, text: &str) -> anyhow::Result<()> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Writes a value as JSON and a newline to stdout.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn json<T: Serialize>(self, value: &T) -> anyhow::Result<()> {
        let mut text = Zeroizing::new(serde_json::to_vec_pretty(value)?);
        text.push(b'\n');
        self.bytes(&text)
    }

    /// Writes a table to stdout: columns padded, two spaces between, an upper-case head.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn table(self, head: &[&str], rows: &[Vec<String>]) -> anyhow::Result<()> {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str);
            cells.chain(head.get(column).copied()).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<String> =
                cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            padded.join("  ").trim_end().to_owned() + "\n"
        };
        let mut text = line(&mut head.iter().copied());
        for row in rows {
            text.push_str(&line(&mut row.iter().map(String::as_str)));
        }
        self.bytes(text.as_bytes())
    }

    /// Writes a control sequence to the terminal on stderr. False if there is none.
    pub fn control(self, sequence: &[u8]) -> bool {
        let mut terminal = std::io::stderr().lock();
        terminal.is_terminal() && terminal.write_all(sequence).and_then(|()| terminal.flush()).is_ok()
    }

    /// Says something on stderr, unless quiet.
    pub fn say(self, text: &str) {
        if !self.quiet {
            talk(text);
        }
    }

    /// Says what was asked for on stderr, always.
    pub fn note(self, text: &str) {
        talk(text);
    }

    /// Warns on stderr, always.
    pub fn warn(self, text: &str) {
        talk(&format!("{}: {text}", self.paint("33", "warning")));
    }

    /// Reports an error on stderr.
    pub fn error(self, text: &str) {
        talk(&format!("{}: {text}", self.paint("31", "error")));
    }

    fn paint(self, colour: &str, text: &str) -> String {
        self.paint_if(std::io::stderr().is_terminal(), colour, text)
    }

    /// A text for stdout in a colour, if somebody looks.
    pub fn paint_for_stdout(self, colour: &str, text: &str) -> String {
        self.paint_if(Self::stdout_is_terminal(), colour, text)
    }

    fn paint_if(self, seen: bool, colour: &str, text: &str) -> String {
        if self.no_color || !seen { text.to_owned() } else { format!("\u{1b}[{colour}m{text}\u{1b}[0m") }
    }
}

fn written(bytes: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    BEGUN.fetch_or(!bytes.is_empty(), Ordering::Relaxed);
    stdout.write_all(bytes).and_then(|()| stdout.flush())
}

fn cannot_write(error: &std::io::Error) -> Fault {
    Fault::new(Code::Unexpected, format!("cannot write to standard output: {error}"))
}

/// Whether stdout got anything, perhaps not all of it.
static BEGUN: AtomicBool = AtomicBool::new(false);

/// Writes to stderr; there is nobody to tell if that fails.
fn talk(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
