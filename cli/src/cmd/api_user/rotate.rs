//! `keyward api-user rotate`.

use clap::Args;
use keyward_crypto::IdentityKey;
use keyward_crypto::change::Draft;
use keyward_crypto::enrol::ApiUser;
use keyward_crypto::state::org::Identity;
use keyward_wire::api::write::NewEscrow;
use keyward_wire::name::Name;

use super::new_token::NewToken;
use crate::args::resolve;
use crate::ctx::{Ctx, rfc3339};
use crate::fault::{Code, Fault};
use crate::report::consequences::Consequences;
use crate::session::credential::Credential;
use crate::text::list;
use crate::vault::admin::{OpenOrg, Session};

/// Give an API user or gateway a new token; the old one ends at once
///
/// If the old token may have leaked, use --compromised: then the identity is replaced by one of the same name, groups,
/// role and expiry, a gateway with its agents, and everything that it could read is sealed afresh.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward api-user rotate ci-bot > token.txt\n  \
                        keyward api-user rotate ci-bot --compromised > token.txt")]
pub struct Options {
    /// Name or id of the API user or gateway
    name: String,
    /// Somebody else may have the old token
    #[arg(long)]
    compromised: bool,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let credential = Credential::find(ctx)?;
        let url = credential.server.url.clone();
        let session = Session::with(credential).await?;
        let (former, agents, issued, consequences) = session
            .write(ctx, async |draft, opened| {
                let user = resolve::api_user(&opened.org, &self.name)?;
                refuse_ended(user, ctx.now())?;
                let issued = if self.compromised {
                    replace(draft, opened, user)?
                } else {
                    let ik = key_of(opened, user).await?;
                    let token = draft.issue_token(user.id, user.ik_gen, &ik);
                    NewToken { id: user.id, name: user.name.clone(), not_after: user.not_after, token }
                };
                let agents = opened.org.agents.iter().filter(|agent| agent.gateway == user.id);
                let agents: Vec<Name> = agents.map(|agent| agent.name.clone()).collect();
                Ok((user.id, agents, issued, Consequences::of(draft, &opened.org)))
            })
            .await?;
        issued.show(ctx, &url, &consequences)?;
        if self.compromised && !agents.is_empty() {
            ctx.out.warn(&format!(
                "the credentials of its agents went through it, too; give them new ones: keyward agent rotate ({})",
                list(&agents)
            ));
        }
        if former != issued.id {
            ctx.out.say(&format!(
                "{} has the new id {}; audit entries keep its former id {former}",
                issued.name, issued.id
            ));
        }
        Ok(())
    }
}

/// A token cannot outlive its identity.
fn refuse_ended(user: &Identity, now: i64) -> Result<(), Fault> {
    match user.not_after {
        Some(end) if end <= now => Err(Fault::new(
            Code::Policy,
            format!("{} ended at {}: a new token would not work", user.name, rfc3339(end)),
        )
        .next("revoke it, and create it anew")),
        _ => Ok(()),
    }
}

/// A new identity in the place of one that cannot be trusted any more.
fn replace(draft: &mut Draft, opened: &OpenOrg<'_>, user: &Identity) -> anyhow::Result<NewToken> {
    draft.mark_compromised(user.id);
    // Its agents are its successor's, as they are: they stand there until it is enrolled.
    let agents = std::mem::take(&mut draft.org.agents);
    draft.org.remove_identity(user.id).map_err(Fault::from)?;
    draft.org.agents = agents;
    let successor = ApiUser {
        kind: user.kind,
        name: user.name.clone(),
        role: user.role,
        groups: user.groups.clone(),
        not_after: user.not_after,
    };
    let token = draft.enrol_api_user(successor, &opened.enroller()).map_err(Fault::from)?;
    let named = draft.org.identities.iter().find(|identity| identity.name == user.name);
    let id = named.map_or(user.id, |identity| identity.id);
    draft.org.move_agents(user.id, id);
    Ok(NewToken { id, name: user.name.clone(), not_after: user.not_after, token })
}

/// The identity's key, from its ESCROW. Whose it is and of which generation, ORG says; the server only stores it.
async fn key_of(opened: &OpenOrg<'_>, user: &Identity) -> anyhow::Result<IdentityKey> {
    let stored = opened.api.escrow(user.id).await.map_err(Fault::from)?.escrow;
    let escrow = NewEscrow { identity: user.id, ik_gen: user.ik_gen, ..stored };
    opened.enroller().open(opened.org.org, &escrow).map_err(|_| {
        let what = format!("the key of {} was not put away by you: another admin enrolled it", user.name);
        Fault::new(Code::Policy, what)
            .next("ask that admin or an owner; or replace it, with --compromised")
            .into()
    })
}
