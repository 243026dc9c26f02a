//! A proxy credential that was just made: shown once, once its write is confirmed.

use keyward_crypto::agent::ProxyCredential;
use keyward_wire::AgentId;
use keyward_wire::name::Name;
use serde::Serialize;

use crate::cmd::shown_once::lost;
use crate::ctx::{Ctx, rfc3339};

/// A credential and whose it is. Holds a secret: no `Debug`.
pub(super) struct Issued {
    pub(super) id: AgentId,
    pub(super) name: Name,
    pub(super) gateway: Name,
    pub(super) not_after: Option<i64>,
    pub(super) credential: ProxyCredential,
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a Name,
    id: AgentId,
    gateway: &'a Name,
    credential: &'a str,
    expires_at: Option<String>,
}

impl Issued {
    /// The credential alone on stdout; how to use it on stderr.
    pub(super) fn show(&self, ctx: &Ctx) -> anyhow::Result<()> {
        let Self { id, name, gateway, not_after, credential } = self;
        let end = not_after.map(rfc3339);
        let until = end.as_ref().map_or_else(|| "never ends".to_owned(), |end| format!("ends {end}"));
        ctx.out.say(&format!("the proxy credential of {name} {until}; it is shown this once"));
        let text = credential.encode();
        let shown = if ctx.out.json {
            ctx.out.json(&Shown { name, id: *id, gateway, credential: &text, expires_at: end })
        } else {
            ctx.out.line(&text)
        };
        shown.map_err(|error| lost(&error, "proxy credential", name, "agent"))?;
        ctx.out.say(&format!(
            "it is for the gateway {gateway} and opens nothing itself; the agent's requests go through, for example,\n  \
             HTTPS_PROXY=http://agent:<the credential>@127.0.0.1:8421"
        ));
        Ok(())
    }
}
