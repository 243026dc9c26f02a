//! A question before something is destroyed.

use crate::fault::Fault;
use crate::prompt;

/// Somebody types `name` to go on; `--yes` says so beforehand.
///
/// # Errors
/// If something else is typed, or there is no terminal to ask on.
pub(crate) fn by_typing(name: &str, what_for: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let otherwise = format!("nobody can be asked whether to {what_for}; say --yes if that is meant");
    if prompt::line(&format!("Type {name} to {what_for}"), &otherwise)? == name {
        return Ok(());
    }
    Err(Fault::usage("not confirmed; nothing was changed").into())
}
