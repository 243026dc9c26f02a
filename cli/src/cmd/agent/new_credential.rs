//! The new proxy credential of an agent, and how to use it.

use keyward_crypto::agent::ProxyCredential;
use keyward_wire::AgentId;
use keyward_wire::name::Name;
use serde::Serialize;

use crate::ctx::{Ctx, rfc3339};
use crate::report::new_credential::NewCredential;

/// A credential and whose it is. Holds a secret: no `Debug`.
pub(super) struct NewProxyCredential {
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

impl NewProxyCredential {
    /// The credential alone on stdout; how to use it on stderr.
    pub(super) fn show(&self, ctx: &Ctx) -> anyhow::Result<()> {
        let Self { id, name, gateway, not_after, credential } = self;
        let (text, expires_at) = (credential.encode(), not_after.map(rfc3339));
        let json = Shown { name, id: *id, gateway, credential: &text, expires_at };
        let new = NewCredential {
            what: "proxy credential",
            holder: name,
            commands: "agent",
            not_after: *not_after,
            text: &text,
        };
        new.show(ctx, &json)?;
        ctx.out.say(&format!(
            "it is for the gateway {gateway} and opens nothing itself; the agent's requests go through, for example,\n  \
             HTTPS_PROXY=http://agent:<the credential>@127.0.0.1:8421"
        ));
        Ok(())
    }
}
