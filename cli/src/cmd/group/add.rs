//! `keyward group add`.

use clap::Args;
use serde_json::json;

use crate::args::resolve::{self, Member};
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::consequences::Consequences;
use crate::vault::admin::Session;

/// Put an identity or agent into a group
#[derive(Args)]
#[command(after_help = "Example:\n  keyward group add agents ci-bot")]
pub struct Options {
    /// Name or id of the group
    group: String,
    /// Name, e-mail address or id of the identity or agent
    identity: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (group, identity, administers, consequences) = session
            .write(ctx, async |draft, opened| {
                let group = resolve::group(&opened.org, &self.group)?;
                let (name, administers) = match resolve::member(&opened.org, &self.identity)? {
                    Member::Identity(identity) => {
                        draft.org.add_member(group.id, identity.id).map_err(Fault::from)?;
                        (&identity.name, identity.role.administers())
                    }
                    Member::Agent(agent) => {
                        draft.org.add_agent_member(group.id, agent.id).map_err(Fault::from)?;
                        (&agent.name, false)
                    }
                };
                Ok((group.name.clone(), name.clone(), administers, Consequences::of(draft, &opened.org)))
            })
            .await?;
        ctx.out.say(&format!("{identity} is in {group}"));
        if administers {
            ctx.out
                .say(&format!("{identity} is an owner or admin and reads everything, whatever its groups"));
        }
        consequences.report(ctx, json!({ "group": group, "identity": identity }))
    }
}
