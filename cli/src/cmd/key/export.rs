//! `keyward key export`: a way out.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use keyward_crypto::change::{open_current, open_old};
use keyward_crypto::state::org::{KeyEntry, Org};
use keyward_crypto::state::secret::Secret;
use keyward_wire::KeyId;
use keyward_wire::api::org::SecretRef;
use keyward_wire::name::{EnvName, Name};
use zeroize::Zeroizing;

use crate::args::resolve;
use crate::ctx::{Ctx, rfc3339};
use crate::export::archive::{Archive, Content, FORMAT, Key, Old, VERSION, Variable};
use crate::export::{ExportError, Format, Var, render};
use crate::fault::{Code, Fault};
use crate::out::Out;
use crate::prompt;
use crate::prompt::confirm;
use crate::session::files;
use crate::text::{count, list};
use crate::vault::admin::{OpenOrg, Session};

/// Write keys with their values in the clear: a way out, for owners and admins
///
/// Without names all keys, or those of a deployment. As JSON with everything that is known of a key, which `key import`
/// reads back; as dotenv with names and values only. To a new file (0600) or a pipe, never to a terminal. The server's
/// audit log has an entry of every value that was read.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward key export --out keys.json --history\n  \
                        keyward key export --format dotenv --deployment production --out production.env\n  \
                        keyward key export STRIPE_KEY DATABASE_URL | age -r age1… > keys.age")]
pub struct Options {
    /// Names or ids of keys [default: all]
    #[arg(value_name = "NAME")]
    keys: Vec<String>,
    /// The keys that are mapped in this deployment; they are written under their own names
    #[arg(long, value_name = "DEPLOYMENT", conflicts_with = "keys")]
    deployment: Option<String>,
    /// How to write them
    #[arg(long, value_enum, default_value_t = Form::Json)]
    format: Form,
    /// Old versions too (JSON)
    #[arg(long)]
    history: bool,
    /// Write to this file (0600), which must not be there yet [default: standard output, if it is no terminal]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "out")]
    force: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Names, values, notes, tags, sets, providers, variables
    Json,
    /// A .env file: names and values
    Dotenv,
}

/// The values of a key.
struct Values {
    current: Secret,
    /// Old versions, in the order of the key's history.
    old: Vec<Secret>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        self.check()?;
        let session = Session::start(ctx).await?;
        if !self.yes && prompt::on_terminal() {
            let keys = self.choose(&session.open(ctx).await?.org)?.len();
            confirm::by_typing(
                "export",
                &format!("write the values of {} in the clear", count(keys, "key")),
                false,
            )?;
        }
        let (text, names) = self.read(ctx, &session).await?;
        let Some(path) = &self.out else { return ctx.out.bytes(&text) };
        if self.force { files::write(path, &text) } else { files::write_new(path, &text) }?;
        let keys = count(names.len(), "key");
        ctx.out.say(&format!("{keys} in {}: whoever reads this file has their values", path.display()));
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({ "file": path.display().to_string(), "history": self.history, "keys": names }))?;
        }
        Ok(())
    }

    /// What can be refused before anybody is asked and anything is read.
    fn check(&self) -> Result<(), Fault> {
        if self.history && self.format == Form::Dotenv {
            return Err(Fault::usage("a .env file has no place for old versions").next("use --format json"));
        }
        let Some(path) = &self.out else {
            if Out::stdout_is_terminal() {
                return Err(Fault::usage("values are not shown on a terminal")
                    .next("write them to a file with --out FILE, or to a pipe"));
            }
            return Ok(());
        };
        files::replaceable(path)?;
        if path.exists() && !self.force {
            return Err(files::exists_already(path).next("name another file, or replace it with --force"));
        }
        Ok(())
    }

    /// Reads and writes down what is asked for, again if somebody changes the organisation meanwhile: all of it is of one
    /// state.
    async fn read(&self, ctx: &Ctx, session: &Session) -> anyhow::Result<(Zeroizing<Vec<u8>>, Vec<Name>)> {
        let mut attempts = 0;
        loop {
            let opened = session.open(ctx).await?;
            let keys = self.choose(&opened.org)?;
            match self.values(&opened, &keys).await {
                Ok(values) => {
                    let text = self.write_down(ctx, &opened.org, &keys, &values)?;
                    return Ok((text, keys.iter().map(|key| key.name.clone()).collect()));
                }
                Err(error) => {
                    attempts += 1;
                    if attempts == ATTEMPTS || session.open(ctx).await?.org.seq == opened.org.seq {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn choose<'a>(&self, org: &'a Org) -> anyhow::Result<Vec<&'a KeyEntry>> {
        let mut keys: Vec<&KeyEntry> = match &self.deployment {
            Some(deployment) => {
                let mappings = &resolve::deployment(org, deployment)?.mappings;
                let mapped: BTreeSet<KeyId> = mappings.iter().map(|mapping| mapping.key).collect();
                org.keys.iter().filter(|key| mapped.contains(&key.id)).collect()
            }
            None if self.keys.is_empty() => org.keys.iter().collect(),
            None => self.keys.iter().map(|key| resolve::key(org, key)).collect::<Result<_, _>>()?,
        };
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        keys.dedup_by_key(|key| key.id);
        Ok(keys)
    }

    async fn values(&self, opened: &OpenOrg<'_>, keys: &[&KeyEntry]) -> anyhow::Result<Vec<Values>> {
        let history = |key: &&KeyEntry| if self.history { key.history.len() } else { 0 };
        let versions = |key: &&KeyEntry| {
            let old: Vec<u64> = key.history.iter().take(history(key)).map(|old| old.version).collect();
            let id = key.id;
            std::iter::once(key.version).chain(old).map(move |version| SecretRef { key: id, version })
        };
        let wanted: Vec<SecretRef> = keys.iter().flat_map(versions).collect();
        let sealed = opened.envelopes(&wanted).await?;
        let missing = || {
            Fault::new(Code::Missing, "the server left out a stored value")
                .next("nothing was written; ask its operator")
        };
        let open = |key: &&KeyEntry| -> Result<Values, Fault> {
            let envelope = |version| sealed.get(&(key.id, version)).ok_or_else(missing);
            let current = open_current(&opened.org, key, envelope(key.version)?)?;
            let old = key.history.iter().take(history(key));
            let old = old.map(|old| Ok(open_old(&opened.org, key.id, old, envelope(old.version)?)?));
            Ok(Values { current, old: old.collect::<Result<_, Fault>>()? })
        };
        Ok(keys.iter().map(open).collect::<Result<_, _>>()?)
    }

    fn write_down(
        &self,
        ctx: &Ctx,
        org: &Org,
        keys: &[&KeyEntry],
        values: &[Values],
    ) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        if self.format == Form::Dotenv {
            return dotenv(ctx, keys, values);
        }
        let keys = keys.iter().zip(values).map(|(key, values)| describe(org, key, values)).collect();
        let exported_at = rfc3339(ctx.now());
        let archive =
            Archive { format: FORMAT, v: VERSION, organisation: org.org_name.as_str(), exported_at, keys };
        Ok(archive.render())
    }
}

fn describe<'a>(org: &'a Org, key: &'a KeyEntry, values: &'a Values) -> Key<'a> {
    let variables = org.deployments.iter().flat_map(|deployment| {
        let mapped = deployment.mappings.iter().filter(|mapping| mapping.key == key.id);
        mapped.map(|mapping| Variable { deployment: deployment.name.as_str(), env: mapping.env.as_str() })
    });
    let history = key.history.iter().zip(&values.old).map(|(old, secret)| Old {
        version: old.version,
        updated_at: rfc3339(old.at),
        content: Content::new(secret),
    });
    Key {
        name: key.name.as_str(),
        alias: key.alias.as_deref(),
        provider: key.provider.as_deref(),
        tags: &key.tags,
        set: key.set.as_deref(),
        content: Content::new(&values.current),
        version: key.version,
        updated_at: rfc3339(key.updated_at),
        variables: variables.collect(),
        history: history.collect(),
    }
}

/// Names and values, each under the key's own name; what else is known of a key is left out, and said.
fn dotenv(ctx: &Ctx, keys: &[&KeyEntry], values: &[Values]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let variable = |key: &&KeyEntry| key.name.as_str().parse::<EnvName>().ok();
    let steers = |key: &&KeyEntry| variable(key).is_some_and(|env| env.steers_programs());
    let refuse = |keys: &mut dyn Iterator<Item = &&KeyEntry>, why: &str| {
        let names: Vec<&Name> = keys.map(|key| &key.name).collect();
        let what = format!("{why}: {}", list(&names));
        Err(Fault::new(Code::Policy, what).next("nothing was written; use --format json").into())
    };
    if keys.iter().any(|key| variable(key).is_none()) {
        // Some libraries would read them. A shell that reads the file runs such a line, and shows the value as it fails.
        let mut unfit = keys.iter().filter(|key| variable(key).is_none());
        return refuse(&mut unfit, "these keys do not have the name of a variable");
    }
    if keys.iter().any(steers) {
        return refuse(&mut keys.iter().filter(|key| steers(key)), "variables of these names steer programs");
    }
    let names: Vec<EnvName> = keys.iter().filter_map(variable).collect();
    let json_instead = |error: ExportError| {
        Fault::new(Code::Policy, error.to_string()).next("nothing was written; use --format json")
    };
    let vars = names.iter().zip(values).map(|(name, values)| Var::new(name, &values.current.value));
    let vars = vars.collect::<Result<Vec<_>, _>>().map_err(json_instead)?;
    let said_more = |(key, values): &(&&KeyEntry, &Values)| {
        let words = [&key.alias, &key.provider, &key.set];
        let Secret { value: _, fields, inject, note } = &values.current;
        note.is_some()
            || inject.is_some()
            || !fields.is_empty()
            || !key.tags.is_empty()
            || words.iter().any(|word| word.is_some())
    };
    let more = keys.iter().zip(values).filter(said_more).count();
    if more > 0 {
        ctx.out.warn(&format!(
            "a .env file has no place for notes, tags, sets, rules and the like: those of {} are left out",
            count(more, "key")
        ));
    }
    Ok(render(Format::Dotenv, &vars).map_err(json_instead)?)
}

/// How often it is read anew because somebody changes the organisation.
const ATTEMPTS: usize = 4;
