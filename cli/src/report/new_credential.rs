//! A token or proxy credential that was just made: shown once, once its write is confirmed, and kept nowhere.

use keyward_wire::name::Name;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::ctx::{Ctx, rfc3339};
use crate::fault::{Code, Fault};
use crate::text::quoted;

/// What is said of a new credential, whatever it is for. Refers to a secret: no `Debug`.
pub(crate) struct NewCredential<'a> {
    /// `token`, or what else it is called.
    pub(crate) what: &'static str,
    /// The API user or agent that it is of.
    pub(crate) holder: &'a Name,
    /// The commands that issue another: `keyward COMMANDS rotate HOLDER`.
    pub(crate) commands: &'static str,
    pub(crate) not_after: Option<i64>,
    pub(crate) text: &'a str,
}

impl NewCredential<'_> {
    /// The credential alone on stdout, or `json`, which has it, too; until when it is good on stderr.
    ///
    /// # Errors
    /// If stdout cannot be written: nobody has the credential then, and its holder is there all the same.
    pub(crate) fn show(&self, ctx: &Ctx, json: &impl Serialize) -> anyhow::Result<()> {
        let Self { what, holder, commands, not_after, text } = self;
        let until = not_after.map_or_else(|| "never ends".to_owned(), |end| format!("ends {}", rfc3339(end)));
        ctx.out.say(&format!("the {what} of {holder} {until}; it is shown this once"));
        let shown = if ctx.out.json {
            ctx.out.only_copy(&Zeroizing::new(serde_json::to_string_pretty(json)?))
        } else {
            ctx.out.only_copy(text)
        };
        shown.map_err(|error| {
            let text = format!("{error}; so nobody has the {what} of {holder}, who is there now");
            Fault::new(Code::Unexpected, text)
                .next(format!("issue another one: keyward {commands} rotate {}", quoted(holder.as_str())))
                .into()
        })
    }
}
