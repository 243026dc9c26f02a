//! `keyward group remove`.

use clap::Args;
use keyward_crypto::change::LossReason;
use serde_json::json;

use crate::args::resolve::{self, Member};
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::report::consequences::Consequences;
use crate::vault::admin::Session;

/// Take an identity or agent out of a group
///
/// What an identity could read before and cannot any more is sealed afresh. An agent holds nothing.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward group remove agents ci-bot")]
pub struct Options {
    /// Name or id of the group
    group: String,
    /// Name, e-mail address or id of the identity or agent
    identity: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (group, identity, consequences) = session
            .write(ctx, async |draft, opened| {
                let group = resolve::group(&opened.org, &self.group)?;
                let member = resolve::member(&opened.org, &self.identity)?;
                let (name, groups) = match &member {
                    Member::Identity(identity) => (&identity.name, &identity.groups),
                    Member::Agent(agent) => (&agent.name, &agent.groups),
                };
                if !groups.contains(&group.id) {
                    let what = format!("{name} is not in {}", group.name);
                    return Err(Fault::new(Code::NotFound, what).into());
                }
                draft.set_loss_reason(LossReason::LeftGroup);
                match &member {
                    Member::Identity(identity) => draft.org.remove_member(group.id, identity.id),
                    Member::Agent(agent) => draft.org.remove_agent_member(group.id, agent.id),
                }
                .map_err(Fault::from)?;
                Ok((group.name.clone(), name.clone(), Consequences::of(draft, &opened.org)))
            })
            .await?;
        ctx.out.say(&format!("{identity} is no longer in {group}"));
        consequences.report(ctx, json!({ "group": group, "identity": identity }))
    }
}
