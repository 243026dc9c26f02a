//! Choosing a password: offered, typed twice, or given; never weak.

use keyward_crypto::Password;
use zeroize::Zeroizing;

use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::prompt;

/// The password that was `given`; else one that is asked for on a terminal, again if it is weak for somebody who knows these
/// words. With its text, so that it can be held against more words once they are known.
pub(crate) fn choose(
    ctx: &Ctx,
    given: Option<&str>,
    known: &[&str],
) -> anyhow::Result<(Zeroizing<String>, Password)> {
    if let Some(text) = given {
        return Ok((Zeroizing::new(text.to_owned()), strong(text, known)?));
    }
    let offer = Password::generate_passphrase();
    if prompt::on_terminal() {
        // Even when quiet: an empty answer takes it, and it is shown nowhere else.
        ctx.out.note(&format!("A strong passphrase, if you like: {}", *offer));
    }
    loop {
        let Some(text) = asked(&offer)? else {
            ctx.out.note("the two passwords differ; once more from the start");
            continue;
        };
        match strong(&text, known) {
            Ok(password) => return Ok((text, password)),
            Err(weak) => ctx.out.note(&format!("{weak}; choose another one")),
        }
    }
}

/// The password of this text, unless it is weak for somebody who knows these words.
pub(crate) fn strong(text: &str, known: &[&str]) -> anyhow::Result<Password> {
    Password::chosen(text, known).map_err(|weak| Fault::new(Code::Policy, weak.to_string()).into())
}

/// What was typed twice, or the offer; `None` if the second time was another.
fn asked(offer: &Zeroizing<String>) -> anyhow::Result<Option<Zeroizing<String>>> {
    let otherwise = "there is no terminal to ask for a password; use --password-stdin";
    let first = prompt::secret("Password (empty: take that passphrase)", otherwise)?;
    if first.is_empty() {
        return Ok(Some(offer.clone()));
    }
    let again = prompt::secret("Once more", otherwise)?;
    Ok((*first == *again).then_some(first))
}
