//! `keyward api-user create`.

use clap::{Args, ValueEnum};
use keyward_crypto::enrol::ApiUser;
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::name::Name;

use super::new_token::NewToken;
use crate::args::expiry::{Expiry, parse_expiry};
use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::consequences::Consequences;
use crate::session::credential::Credential;
use crate::text::quoted;
use crate::vault::admin::Session;

/// Create an API user, or a gateway, and print its token, once
///
/// The token goes to standard output, alone on its line, and is stored nowhere. A gateway is a machine that uses keys for
/// agents: it serves those that `keyward agent create` gives it.
#[derive(Args)]
#[command(override_usage = "keyward api-user create <NAME> [--group <GROUP>...] [OPTIONS]")]
#[command(
    after_help = "Examples:\n  keyward api-user create ci-bot --group agents --expires 90d > token.txt\n  \
                        keyward api-user create edge --gateway --group agents > token.txt"
)]
pub struct Options {
    /// Name of the API user
    name: Name,
    /// Groups, by name or id; without any it can read nothing yet
    #[arg(long, value_name = "GROUP", num_args = 1..)]
    group: Vec<String>,
    /// When it ends: after a span such as 90d, or never
    #[arg(long, value_name = "SPAN", value_parser = parse_expiry, default_value = "never")]
    expires: Expiry,
    /// What it may do besides reading
    #[arg(long, value_enum, default_value = "viewer")]
    role: MachineRole,
    /// A gateway: it may read what its groups may, to use it for its agents
    #[arg(long, conflicts_with = "role")]
    gateway: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum MachineRole {
    /// Nothing
    Viewer,
    /// Nothing more yet; it will be able to propose keys
    User,
}

impl From<MachineRole> for Role {
    fn from(role: MachineRole) -> Self {
        match role {
            MachineRole::Viewer => Self::Viewer,
            MachineRole::User => Self::User,
        }
    }
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let credential = Credential::find(ctx)?;
        let url = credential.server.url.clone();
        let not_after = self.expires.from(ctx.now());
        let kind = if self.gateway { IdentityKind::Gateway } else { IdentityKind::Api };
        let session = Session::with(credential).await?;
        let (issued, consequences) = session
            .write(ctx, async |draft, opened| {
                let groups = self.group.iter().map(|group| Ok(resolve::group(&opened.org, group)?.id));
                let user = ApiUser {
                    kind,
                    name: self.name.clone(),
                    role: self.role.into(),
                    groups: groups.collect::<anyhow::Result<_>>()?,
                    not_after,
                };
                let token = draft.enrol_api_user(user, &opened.enroller()).map_err(Fault::from)?;
                let made = draft.org.identities.last().map(|identity| identity.id);
                let id = made.ok_or_else(|| Fault::usage("nobody was enrolled"))?;
                let issued = NewToken { id, name: self.name.clone(), not_after, token };
                Ok((issued, Consequences::of(draft, &opened.org)))
            })
            .await?;
        if self.group.is_empty() {
            let (name, word) = (&self.name, quoted(self.name.as_str()));
            ctx.out.say(&format!(
                "{name} can read nothing yet; put it into a group: keyward group add GROUP {word}"
            ));
        }
        issued.show(ctx, &url, &consequences)
    }
}
