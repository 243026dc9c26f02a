//! `keyward access`: what an identity can and cannot read, and why.

use clap::Args;
use keyward_crypto::state::org::{Identity, Org};
use keyward_wire::access::MappingFact;
use serde_json::{Value, json};

use crate::args::resolve::{self, Member};
use crate::ctx::{Ctx, rfc3339};
use crate::report::agent_keys;
use crate::vault::admin::Session;
use crate::vault::explain::{Access, Explained, Reason, explain};

/// Show every variable that an identity can read and by which path, and every one that it cannot and why
///
/// Of an agent: every key that its gateway may use for it, and why it may not use others.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward access ci-bot")]
pub struct Options {
    /// Name, e-mail address or id of the identity or agent
    identity: String,
}

/// A variable, in words.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    deployment: String,
    env: String,
    key: String,
    verdict: Verdict,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Owners and admins read everything.
    Role,
    /// The variable may be read, by these groups.
    Through(Vec<String>),
    /// The variable may not be read, for these reasons: the group and deployment of an exclusion, or `None` if the deployment is
    /// not assigned.
    Denied(Vec<Option<(String, String)>>),
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let org = session.open(ctx).await?.org;
        let identity = match resolve::member(&org, &self.identity)? {
            Member::Identity(identity) => identity,
            Member::Agent(agent) => return agent_keys::show(ctx, &org, agent),
        };
        let rows = rows(&org, identity);
        let mut groups: Vec<_> =
            identity.groups.iter().filter_map(|id| Some(org.group(*id)?.name.as_str())).collect();
        groups.sort_unstable();
        let (kind, role) = (identity.kind.as_str(), identity.role.as_str());
        if ctx.out.json {
            let (readable, denied): (Vec<_>, Vec<_>) =
                rows.iter().partition(|row| !matches!(row.verdict, Verdict::Denied(_)));
            let list = |rows: Vec<&Row>| rows.into_iter().map(Row::json).collect::<Vec<_>>();
            return ctx.out.json(&json!({
                "identity": { "id": identity.id, "name": identity.name, "kind": kind, "role": role },
                "groups": groups,
                "expires_at": identity.not_after.map(rfc3339),
                "readable": list(readable),
                "denied": list(denied),
            }));
        }
        let in_groups = if groups.is_empty() { "no group".to_owned() } else { groups.join(", ") };
        ctx.out.line(&format!("{} ({kind} {role}), in {in_groups}", identity.name))?;
        if identity.not_after.is_some_and(|end| end <= ctx.now()) {
            ctx.out.warn("its access has ended: it reads nothing of this");
        }
        let cells: Vec<Vec<String>> = rows
            .into_iter()
            .map(|row| {
                let (answer, why) = (row.answer().to_owned(), row.why());
                vec![row.deployment, row.env, row.key, answer, why]
            })
            .collect();
        ctx.out.table(&["DEPLOYMENT", "VARIABLE", "KEY", "READS", "WHY"], &cells)
    }
}

/// Readable ones first, then by deployment and variable.
fn rows(org: &Org, identity: &Identity) -> Vec<Row> {
    let mut rows: Vec<Row> = explain(&identity.groups, &org.facts())
        .into_iter()
        .filter_map(|Explained { mapping, access }| {
            let verdict = if identity.role.administers() { Verdict::Role } else { verdict(org, access) };
            row(org, mapping, verdict)
        })
        .collect();
    rows.sort_by(|a, b| {
        let place =
            |row: &Row| (matches!(row.verdict, Verdict::Denied(_)), row.deployment.clone(), row.env.clone());
        place(a).cmp(&place(b))
    });
    rows
}

fn row(org: &Org, fact: MappingFact, verdict: Verdict) -> Option<Row> {
    let deployment = org.deployment(fact.deployment)?;
    let mapping = deployment.mappings.iter().find(|mapping| mapping.id == fact.id)?;
    let key = org.key(fact.key)?.name.to_string();
    Some(Row { deployment: deployment.name.to_string(), env: mapping.env.to_string(), key, verdict })
}

fn verdict(org: &Org, access: Access) -> Verdict {
    let group = |id| org.group(id).map(|group| group.name.to_string()).unwrap_or_default();
    let deployment = |id| org.deployment(id).map(|d| d.name.to_string()).unwrap_or_default();
    match access {
        Access::Through(groups) => Verdict::Through(groups.into_iter().map(group).collect()),
        Access::Denied(reasons) => {
            let reason = |reason| match reason {
                Reason::NotAssigned => None,
                Reason::Excluded(g, d) => Some((group(g), deployment(d))),
            };
            Verdict::Denied(reasons.into_iter().map(reason).collect())
        }
    }
}

impl Row {
    fn answer(&self) -> &'static str {
        if matches!(self.verdict, Verdict::Denied(_)) { "no" } else { "yes" }
    }

    fn why(&self) -> String {
        match &self.verdict {
            Verdict::Role => "owners and admins read everything".to_owned(),
            Verdict::Through(groups) => format!("through {}", groups.join(", ")),
            Verdict::Denied(reasons) => {
                let reason = |reason: &Option<(String, String)>| match reason {
                    None => "not assigned to any of its groups".to_owned(),
                    Some((group, deployment)) => format!("excluded for {group} in {deployment}"),
                };
                reasons.iter().map(reason).collect::<Vec<_>>().join("; ")
            }
        }
    }

    fn json(&self) -> Value {
        let Self { deployment, env, key, verdict } = self;
        match verdict {
            Verdict::Role => json!({ "deployment": deployment, "env": env, "key": key, "by_role": true }),
            Verdict::Through(groups) => {
                json!({ "deployment": deployment, "env": env, "key": key, "by_role": false, "through": groups })
            }
            Verdict::Denied(reasons) => {
                let reason = |reason: &Option<(String, String)>| match reason {
                    None => json!({ "reason": "not_assigned" }),
                    Some((group, deployment)) => {
                        json!({ "reason": "excluded", "group": group, "deployment": deployment })
                    }
                };
                let reasons: Vec<_> = reasons.iter().map(reason).collect();
                json!({ "deployment": deployment, "env": env, "key": key, "reasons": reasons })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SampleOrg;

    fn shown(org: &Org, name: &str) -> Vec<String> {
        let identity = resolve::identity(org, name).unwrap();
        let line = |row: &Row| format!("{} {} {}: {}", row.deployment, row.env, row.answer(), row.why());
        rows(org, identity).iter().map(line).collect()
    }

    #[test]
    fn every_variable_of_every_deployment_has_an_answer_and_a_reason() {
        let org = SampleOrg::new().org();
        assert_eq!(
            shown(&org, "both"),
            [
                "backup S3_KEY yes: through ops",
                "production ALPHA yes: through web",
                "production BETA yes: through web",
                "backup ROOT_KEY no: excluded for web in production",
                "production SECRET no: excluded for web in production",
            ]
        );
        assert_eq!(
            shown(&org, "agent")[2..],
            [
                "backup ROOT_KEY no: not assigned to any of its groups; excluded for web in production",
                "backup S3_KEY no: not assigned to any of its groups",
                "production SECRET no: excluded for web in production",
            ]
        );
        assert!(
            shown(&org, "idler").iter().all(|row| row.ends_with("no: not assigned to any of its groups"))
        );
        let owner = shown(&org, "alice@acme.example");
        assert_eq!(owner.len(), 5);
        assert!(owner.iter().all(|row| row.ends_with("yes: owners and admins read everything")));
    }
}
