//! `keyward api-user create`.

use clap::{Args, ValueEnum};
use keyward_crypto::enrol::ApiUser;
use keyward_wire::api::Role;
use keyward_wire::name::Name;

use super::issued::Issued;
use crate::cmd::aftermath::Aftermath;
use crate::cmd::phrase::quoted;
use crate::cmd::resolve;
use crate::ctx::{Ctx, parse_span};
use crate::fault::Fault;
use crate::session::credential::Credential;
use crate::vault::admin::Session;

/// Create an API user and print its token, once
///
/// The token goes to standard output, alone on its line, and is stored nowhere.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward api-user create ci-bot --group agents --expires 90d > token.txt")]
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    Never,
    /// Milliseconds.
    After(i64),
}

#[derive(Clone, Copy, ValueEnum)]
enum MachineRole {
    /// Nothing
    Viewer,
    /// Propose keys
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
        let not_after = match self.expires {
            Expiry::Never => None,
            Expiry::After(span) => Some(ctx.now().saturating_add(span)),
        };
        let session = Session::with(credential).await?;
        let (issued, aftermath) = session
            .write(ctx, async |draft, desk| {
                let groups = self.group.iter().map(|group| Ok(resolve::group(&desk.org, group)?.id));
                let user = ApiUser {
                    name: self.name.clone(),
                    role: self.role.into(),
                    groups: groups.collect::<anyhow::Result<_>>()?,
                    not_after,
                };
                let token = draft.enrol_api_user(user, &desk.enroller()).map_err(Fault::from)?;
                let made = draft.org.identities.last().map(|identity| identity.id);
                let id = made.ok_or_else(|| Fault::usage("nobody was enrolled"))?;
                let issued = Issued { id, name: self.name.clone(), not_after, token };
                Ok((issued, Aftermath::of(draft, &desk.org)))
            })
            .await?;
        if self.group.is_empty() {
            let (name, word) = (&self.name, quoted(self.name.as_str()));
            ctx.out.say(&format!(
                "{name} can read nothing yet; put it into a group: keyward group add GROUP {word}"
            ));
        }
        issued.show(ctx, &url, &aftermath)
    }
}

fn parse_expiry(text: &str) -> Result<Expiry, String> {
    match text {
        "never" => Ok(Expiry::Never),
        span => parse_span(span).map(Expiry::After),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_after_a_span_or_never() {
        assert_eq!(parse_expiry("never"), Ok(Expiry::Never));
        assert_eq!(parse_expiry("90d"), Ok(Expiry::After(90 * 86_400_000)));
        assert!(parse_expiry("0s").is_err() && parse_expiry("always").is_err() && parse_expiry("").is_err());
    }
}
