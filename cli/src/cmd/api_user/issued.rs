//! A token that was just made: shown once, once its write is confirmed.

use keyward_crypto::Token;
use keyward_wire::IdentityId;
use keyward_wire::name::Name;
use serde::Serialize;

use crate::cmd::aftermath::Aftermath;
use crate::cmd::shown_once::lost;
use crate::ctx::{Ctx, rfc3339};

/// A token and whose it is. Holds a secret: no `Debug`.
pub(super) struct Issued {
    pub(super) id: IdentityId,
    pub(super) name: Name,
    pub(super) not_after: Option<i64>,
    pub(super) token: Token,
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a Name,
    id: IdentityId,
    token: &'a str,
    expires_at: Option<String>,
    #[serde(flatten)]
    aftermath: &'a Aftermath,
}

impl Issued {
    /// The token alone on stdout; how to use it, and what its write means beyond it, on stderr.
    pub(super) fn show(&self, ctx: &Ctx, url: &str, aftermath: &Aftermath) -> anyhow::Result<()> {
        let end = self.not_after.map(rfc3339);
        let until = end.as_ref().map_or_else(|| "never ends".to_owned(), |end| format!("ends {end}"));
        ctx.out.say(&format!("the token of {} {until}; it is shown this once", self.name));
        let (name, id, token) = (&self.name, self.id, self.token.encode());
        let shown = if ctx.out.json {
            ctx.out.json(&Shown { name, id, token: &token, expires_at: end, aftermath })
        } else {
            ctx.out.line(&token)
        };
        shown.map_err(|error| lost(&error, "token", name, "api-user"))?;
        ctx.out.say(&format!("where it is used, set\n  KEYWARD_URL={url}\n  KEYWARD_TOKEN=<the token>"));
        aftermath.say(ctx);
        Ok(())
    }
}
