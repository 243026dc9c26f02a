//! Asking people, on a terminal only, and reading secrets that are piped in.

pub(crate) mod confirm;
pub(crate) mod new_password;

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use zeroize::Zeroizing;

use crate::fault::Fault;

/// Whether somebody can be asked.
pub(crate) fn on_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a secret without showing it.
///
/// # Errors
/// If there is no terminal; `otherwise` says what to use instead.
pub(crate) fn secret(question: &str, otherwise: &str) -> anyhow::Result<Zeroizing<String>> {
    require_terminal(otherwise)?;
    Ok(Zeroizing::new(rpassword::prompt_password(format!("{question}: "))?))
}

/// Asks for a line.
///
/// # Errors
/// If there is no terminal; `otherwise` says what to use instead.
pub(crate) fn line(question: &str, otherwise: &str) -> anyhow::Result<String> {
    require_terminal(otherwise)?;
    write!(std::io::stderr().lock(), "{question}: ")?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Reads all of stdin, at most `limit` bytes.
///
/// # Errors
/// If there is more.
pub(crate) fn stdin(limit: usize) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit.min(128 * 1024) + 1));
    std::io::stdin().lock().take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(Fault::usage(format!("standard input holds more than {limit} bytes")).into());
    }
    Ok(bytes)
}

/// Reads one line of text from stdin: a password or token. One final newline is dropped.
///
/// # Errors
/// If it is empty, longer than 4 KiB or not UTF-8.
pub(crate) fn stdin_text(what: &str) -> anyhow::Result<Zeroizing<String>> {
    let bytes = stdin(4096)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Fault::usage(format!("the {what} is not UTF-8")))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Fault::usage(format!("standard input holds no {what}")).into());
    }
    Ok(Zeroizing::new(text.to_owned()))
}

fn require_terminal(otherwise: &str) -> anyhow::Result<()> {
    if on_terminal() { Ok(()) } else { Err(Fault::usage(otherwise).into()) }
}
