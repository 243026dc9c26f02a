//! `keyward deployment map`.

use std::collections::BTreeSet;

use clap::Args;
use keyward_crypto::edit::EditError;
use keyward_crypto::state::org::{Deployment, KeyEntry, Org};
use keyward_wire::KeyId;
use keyward_wire::name::EnvName;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault, printable};
use crate::report::consequences::Consequences;
use crate::text::{count, quoted};
use crate::vault::admin::Session;

/// Map keys to the variables of a deployment
///
/// Without =ENV the variable has the name of the key, which must then be a valid variable name.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  keyward deployment map production DATABASE_URL 'Stripe Live=STRIPE_KEY'\n  \
                  keyward deployment map staging --all"
)]
pub struct Options {
    /// Name in .keyward-deployment, or name, or id of the deployment
    deployment: String,
    /// Keys, by name or id, each with its variable if that has another name
    #[arg(value_name = "KEY[=ENV]", required_unless_present = "all")]
    keys: Vec<String>,
    /// Also every other key that is not in the deployment yet
    #[arg(long)]
    all: bool,
    /// Allow a variable that steers programs, such as PATH
    #[arg(long, value_name = "NAME")]
    allow_env: Vec<EnvName>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (name, mapped, consequences) = session
            .write(ctx, async |draft, opened| {
                let deployment = resolve::deployment(&opened.org, &self.deployment)?;
                let wanted = wanted(&opened.org, deployment, &self.keys, self.all)?;
                let mut mapped = Vec::with_capacity(wanted.len());
                for Wanted { key, env } in wanted {
                    check(&env, &self.allow_env)?;
                    draft
                        .org
                        .map(deployment.id, key.id, env.clone())
                        .map_err(|error| taken(deployment, error))?;
                    mapped.push((key.name.clone(), env));
                }
                Ok((deployment.name.clone(), mapped, Consequences::of(draft, &opened.org)))
            })
            .await?;
        ctx.out.say(&match mapped.as_slice() {
            [] => format!("every key is in {name} already"),
            [(key, env)] => format!("{key} is {env} in {name}"),
            more => format!("{} mapped in {name}", count(more.len(), "key")),
        });
        let mapped: Vec<_> =
            mapped.iter().map(|(key, env)| serde_json::json!({ "key": key, "env": env })).collect();
        consequences.report(ctx, serde_json::json!({ "deployment": name, "mapped": mapped }))
    }
}

/// A key and the variable it is to be.
struct Wanted<'a> {
    key: &'a KeyEntry,
    env: EnvName,
}

fn wanted<'a>(
    org: &'a Org,
    deployment: &Deployment,
    words: &[String],
    all: bool,
) -> anyhow::Result<Vec<Wanted<'a>>> {
    let mut wanted = words.iter().map(|word| one(org, word)).collect::<anyhow::Result<Vec<_>>>()?;
    if all {
        let named = wanted.iter().map(|wanted| wanted.key.id);
        let known: BTreeSet<KeyId> = named.chain(deployment.mappings.iter().map(|m| m.key)).collect();
        let rest = org.keys.iter().filter(|key| !known.contains(&key.id));
        let rest = rest.map(|key| Ok(Wanted { key, env: own_name(key)? }));
        wanted.extend(rest.collect::<Result<Vec<_>, Fault>>()?);
    }
    Ok(wanted)
}

/// `KEY`, or `KEY=ENV`. A key whose whole name is the word comes first: names may hold `=`.
fn one<'a>(org: &'a Org, word: &str) -> anyhow::Result<Wanted<'a>> {
    match (resolve::key(org, word), word.rsplit_once('=')) {
        (Ok(key), _) => Ok(Wanted { key, env: own_name(key)? }),
        (Err(_), Some((key, env))) => {
            let key = resolve::key(org, key)?;
            let env =
                env.parse().map_err(|error| Fault::usage(format!("{}: {error}", printable(env, 100))))?;
            Ok(Wanted { key, env })
        }
        (Err(unknown), None) => Err(unknown),
    }
}

fn own_name(key: &KeyEntry) -> Result<EnvName, Fault> {
    key.name.as_str().parse().map_err(|_| {
        let word = format!("{}={}", key.name, suggestion(key.name.as_str()));
        Fault::usage(format!("the key {} does not have the name of a variable", key.name))
            .next(format!("say which variable it is to be: {}", quoted(&word)))
    })
}

/// A variable name made from any name.
fn suggestion(name: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let text: String = name.chars().map(word).collect();
    if text.starts_with(|c: char| c.is_ascii_digit()) { format!("_{text}") } else { text }
}

fn check(env: &EnvName, allowed: &[EnvName]) -> Result<(), Fault> {
    if !env.steers_programs() || allowed.contains(env) {
        return Ok(());
    }
    Err(Fault::new(Code::Policy, format!("the variable {env} steers programs"))
        .next(format!("choose another with KEY=ENV, or allow it with --allow-env {env} if that is meant")))
}

fn taken(deployment: &Deployment, error: EditError) -> Fault {
    match error {
        EditError::VariableTaken(env) if deployment.mappings.iter().all(|mapping| mapping.env != env) => {
            Fault::new(Code::Conflict, format!("two of the keys to be mapped would be {env}"))
                .next("choose another variable for one of them with KEY=ENV")
        }
        EditError::VariableTaken(env) => {
            Fault::new(Code::Conflict, format!("another key is {env} in {} already", deployment.name))
                .next("unmap that one first, or choose another variable with KEY=ENV")
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::code_of;
    use crate::testing::SampleOrg;

    fn words(org: &Org, words: &[&str], all: bool) -> anyhow::Result<Vec<(String, String)>> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let backup = org.deployments.iter().find(|deployment| deployment.name.as_str() == "backup").unwrap();
        let wanted = wanted(org, backup, &words, all)?;
        Ok(wanted.iter().map(|wanted| (wanted.key.name.to_string(), wanted.env.to_string())).collect())
    }

    fn pair(key: &str, env: &str) -> (String, String) {
        (key.to_owned(), env.to_owned())
    }

    #[test]
    fn a_key_is_mapped_to_its_own_name_or_the_one_given() {
        let mut org = SampleOrg::new().org();
        assert_eq!(
            words(&org, &["ALPHA", "BETA=B"], false).unwrap(),
            [pair("ALPHA", "ALPHA"), pair("BETA", "B")]
        );
        org.rename_key(org.keys[0].id, "A=B".parse().unwrap()).unwrap();
        assert_eq!(words(&org, &["A=B=C"], false).unwrap(), [pair("A=B", "C")]);
        let whole = words(&org, &["A=B"], false).unwrap_err();
        assert_eq!(code_of(&whole), Code::Usage, "the key A=B, which has no valid name; not the key A");
        assert_eq!(code_of(&words(&org, &["NOPE=N"], false).unwrap_err()), Code::NotFound);
        assert_eq!(code_of(&words(&org, &["BETA=1B"], false).unwrap_err()), Code::Usage);
    }

    #[test]
    fn all_is_every_key_that_is_not_there_yet() {
        let mut org = SampleOrg::new().org();
        assert_eq!(words(&org, &[], true).unwrap(), [pair("ALPHA", "ALPHA")]);
        assert_eq!(
            words(&org, &["ALPHA=A", "BETA=B"], true).unwrap(),
            [pair("ALPHA", "A"), pair("BETA", "B")]
        );
        org.rename_key(org.keys[0].id, "3 Stripe-live".parse().unwrap()).unwrap();
        let error = words(&org, &[], true).unwrap_err();
        assert_eq!(code_of(&error), Code::Usage);
        assert!(error.to_string().contains("'3 Stripe-live=_3_STRIPE_LIVE'"), "{error}");
    }

    #[test]
    fn a_clash_among_the_keys_of_one_command_is_told_from_one_with_what_is_mapped() {
        let org = SampleOrg::new().org();
        let backup = org.deployments.iter().find(|deployment| deployment.name.as_str() == "backup").unwrap();
        let there = taken(backup, EditError::VariableTaken(backup.mappings[0].env.clone())).to_string();
        assert!(there.contains("already") && there.contains("unmap"), "{there}");
        let here = taken(backup, EditError::VariableTaken("NEW".parse().unwrap())).to_string();
        assert!(here.contains("two of the keys") && !here.contains("unmap"), "{here}");
    }

    #[test]
    fn a_variable_that_steers_programs_is_allowed_by_its_own_name_only() {
        let [path, preload] = ["PATH", "LD_PRELOAD"].map(|name| name.parse::<EnvName>().unwrap());
        assert_eq!(check(&path, std::slice::from_ref(&preload)).unwrap_err().code, Code::Policy);
        assert!(check(&path, std::slice::from_ref(&path)).is_ok());
        assert!(check(&"PATHS".parse().unwrap(), &[]).is_ok());
    }
}
