//! The new token of an API user or gateway, and how to use it.

use keyward_crypto::Token;
use keyward_wire::IdentityId;
use keyward_wire::name::Name;
use serde::Serialize;

use crate::ctx::{Ctx, rfc3339};
use crate::report::consequences::Consequences;
use crate::report::new_credential::NewCredential;

/// A token and whose it is. Holds a secret: no `Debug`.
pub(super) struct NewToken {
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
    consequences: &'a Consequences,
}

impl NewToken {
    /// The token alone on stdout; how to use it, and what its write means beyond it, on stderr.
    pub(super) fn show(&self, ctx: &Ctx, url: &str, consequences: &Consequences) -> anyhow::Result<()> {
        let Self { id, name, not_after, token } = self;
        let (text, expires_at) = (token.encode(), not_after.map(rfc3339));
        let json = Shown { name, id: *id, token: &text, expires_at, consequences };
        let new = NewCredential {
            what: "token",
            holder: name,
            commands: "api-user",
            not_after: *not_after,
            text: &text,
        };
        new.show(ctx, &json)?;
        ctx.out.say(&format!("where it is used, set\n  KEYWARD_URL={url}\n  KEYWARD_TOKEN=<the token>"));
        consequences.say(ctx);
        Ok(())
    }
}
