//! Choosing a password: offered, typed twice, or piped in; never weak.

use keyward_crypto::Password;
use zeroize::Zeroizing;

use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::session::prompt;

/// What was chosen, as text, so that it can be held against more words once they are known.
pub(super) fn choose(ctx: &Ctx, from_stdin: bool) -> anyhow::Result<Zeroizing<String>> {
    if from_stdin {
        return prompt::stdin_text("password");
    }
    let otherwise = "there is no terminal to ask for a password; use --password-stdin";
    let offer = Password::generate_passphrase();
    // Even when quiet: an empty answer takes it, and it is shown nowhere else.
    ctx.out.note(&format!("A strong passphrase, if you like: {}", *offer));
    let first = prompt::secret("Password (empty: take that passphrase)", otherwise)?;
    if first.is_empty() {
        return Ok(offer);
    }
    let again = prompt::secret("Once more", otherwise)?;
    if *first == *again { Ok(first) } else { Err(Fault::usage("the two passwords differ").into()) }
}

/// The password of this text, unless it is weak for somebody who knows these words.
pub(super) fn strong(text: &str, known: &[&str]) -> anyhow::Result<Password> {
    Password::chosen(text, known).map_err(|weak| Fault::new(Code::Policy, weak.to_string()).into())
}
