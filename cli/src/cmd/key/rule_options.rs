//! Where the gateway may send a key: the rule that is sealed with its value (docs/RULES.md).

use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use keyward_crypto::state::secret::Secret;
use keyward_wire::provider::{self, Provider};
use keyward_wire::rule::{
    Account, Approval, HostError, HostPattern, Injection, Limits, Problem, RULE_BYTES, Rule, RuleError, Terms,
};
use zeroize::Zeroizing;

use super::value_source::{ValueSource, read_all, unreadable};
use crate::args::provider_advice::{similar_providers, why_unsupported};
use crate::fault::{Code, Fault, nearest, printable, typed};

#[derive(Args)]
#[command(next_help_heading = "Injection by the gateway")]
pub(super) struct RuleOptions {
    /// A host it may be sent to: api.example.com, *.example.com, api.example.com:8443; several times; replaces all former ones
    #[arg(long = "host", value_name = "PATTERN")]
    hosts: Vec<String>,
    /// How it is sent: bearer, basic[:USER[:PASSWORD]], header:NAME[=TEMPLATE], query:NAME, path:TEMPLATE, json:POINTER,
    /// form:NAME; or all that is known of a provider, such as anthropic (see `keyward provider list`)
    #[arg(long = "inject", value_name = "HOW")]
    into: Vec<String>,
    /// A method it may be sent with; several times (empty: all common ones)
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<String>,
    /// A path it may be sent to: /v1/models, /v1/*; several times (empty: all)
    #[arg(long = "path", value_name = "PATTERN")]
    paths: Vec<String>,
    /// Whether somebody is asked before each request: never, always, or for writes only. Requests that need an approval are
    /// refused: there is nobody to ask yet
    #[arg(long, value_name = "WHEN", value_parser = approval)]
    approval: Option<Approval>,
    /// Name by which an agent chooses among several keys for one host (empty: none)
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// How many requests a minute may use it (0: any number)
    #[arg(long, value_name = "N")]
    per_minute: Option<u32>,
    #[command(flatten)]
    wildcards: WildcardOption,
    /// The whole rule as JSON, from a file or from - (standard input)
    #[arg(long = "rule", value_name = "FILE",
          conflicts_with_all = ["hosts", "into", "methods", "paths", "approval", "account", "per_minute"])]
    file: Option<PathBuf>,
}

/// A rule that was asked for, and the provider whose preset it began with.
pub(super) struct RequestedRule {
    pub(super) rule: Rule,
    pub(super) provider: Option<Provider>,
}

impl RuleOptions {
    /// Whether any of them is given.
    pub(super) fn are_given(&self) -> bool {
        let Self { hosts, into, methods, paths, approval, account, per_minute, wildcards: _, file } = self;
        let lists = [hosts, into, methods, paths];
        lists.iter().any(|list| !list.is_empty())
            || approval.is_some()
            || account.is_some()
            || per_minute.is_some()
            || file.is_some()
    }

    fn takes_stdin(&self) -> bool {
        self.file.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }

    /// Two things cannot be read from one standard input.
    pub(super) fn check_stdin(&self, source: &ValueSource) -> Result<(), Fault> {
        if self.takes_stdin() && source.takes_stdin() {
            return Err(Fault::usage("value and rule cannot both come from standard input")
                .next("put one of them into a file"));
        }
        Ok(())
    }

    /// The rule file's text, read once: a write may be tried again.
    pub(super) fn read_file(&self) -> anyhow::Result<Option<Zeroizing<Vec<u8>>>> {
        let Some(path) = &self.file else { return Ok(None) };
        if self.takes_stdin() {
            return Ok(Some(read_all(std::io::stdin().lock(), "standard input")?));
        }
        let shown = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&shown, &error))?;
        Ok(Some(read_all(file, &shown)?))
    }

    /// The rule that a key with this value and the rule `former` gets.
    ///
    /// # Errors
    /// A fault that says what to write instead. Templates are not repeated.
    pub(super) fn rule(
        &self,
        file: Option<&[u8]>,
        former: Option<&str>,
        value: &[u8],
    ) -> anyhow::Result<RequestedRule> {
        if let Some(json) = file {
            let rule = read(json)?;
            self.wildcards.check(&rule, former)?;
            return Ok(RequestedRule { rule, provider: None });
        }
        let stored = former;
        let former = former.map(|json| Rule::from_json(json.as_bytes())).transpose().map_err(|error| {
            Fault::new(
                Code::Policy,
                format!("the rule it has cannot be read, so it cannot be changed ({error})"),
            )
            .next("write a whole one with --rule FILE, or take it away with --no-rule")
        })?;
        let hosts = self.hosts.iter().map(|text| host(text)).collect::<Result<Vec<_>, _>>()?;
        let hosts = Some(hosts).filter(|hosts| !hosts.is_empty());
        let preset = self.preset(value)?;
        let mut terms = match (&preset, &former) {
            (Some(preset), former) => {
                let mut terms = preset.terms(hosts.clone());
                if terms.hosts.is_empty() {
                    return Err(own_host(*preset).into());
                }
                if let Some(former) = former.as_ref().map(Rule::terms) {
                    (terms.approval, terms.account, terms.limits) =
                        (former.approval, former.account.clone(), former.limits);
                    self.keep_narrow(&mut terms, former)?;
                }
                terms
            }
            (None, Some(former)) => former.terms().clone(),
            (None, None) => Terms::new(Vec::new(), Vec::new()),
        };
        if let Some(hosts) = hosts {
            terms.hosts = hosts;
        }
        if preset.is_none() && !self.into.is_empty() {
            terms.into = self.into.iter().map(|text| injection(text)).collect::<Result<_, _>>()?;
        }
        if terms.hosts.is_empty() {
            return Err(Fault::usage("where may it be sent?")
                .next("name a host: --host api.example.com")
                .into());
        }
        if terms.into.is_empty() {
            return Err(Fault::usage("how is it sent?")
                .next("say --inject bearer, basic:USER, header:NAME, query:NAME, or a provider of `keyward provider list`")
                .into());
        }
        self.narrow(&mut terms)?;
        let rule = Rule::new(terms).map_err(|error| refused(&error))?;
        self.wildcards.check(&rule, stored)?;
        Ok(RequestedRule { rule, provider: preset })
    }

    /// What narrowed the former rule narrows the new one: another preset must not open what was closed, unsaid.
    fn keep_narrow(&self, terms: &mut Terms, former: &Terms) -> anyhow::Result<()> {
        if former.methods.is_some() {
            terms.methods.clone_from(&former.methods);
        }
        match (&terms.paths, &former.paths) {
            (None, paths) => terms.paths.clone_from(paths),
            (Some(new), Some(old)) if new != old && self.paths.is_empty() => {
                return Err(Fault::new(Code::Policy, "the key's rule has paths, and so has this provider's")
                    .next("say which with --path, or take the rule away first with --no-rule")
                    .into());
            }
            _ => {}
        }
        Ok(())
    }

    /// Methods, paths and the rest, as far as they are given.
    fn narrow(&self, terms: &mut Terms) -> anyhow::Result<()> {
        if !self.methods.is_empty() {
            terms.methods = some(parse_all("--method", &self.methods)?);
        }
        if !self.paths.is_empty() {
            terms.paths = some(parse_all("--path", &self.paths)?);
        }
        if let Some(approval) = self.approval {
            terms.approval = approval;
        }
        if let Some(account) = &self.account {
            terms.account = some(parse_all::<Account>("--account", std::slice::from_ref(account))?)
                .and_then(|accounts| accounts.into_iter().next());
        }
        if let Some(number) = self.per_minute {
            terms.limits = match number {
                0 => None,
                number => Some(Limits::per_minute(number).map_err(|error| refused(&error))?),
            };
        }
        Ok(())
    }

    /// The provider that is named, if one is; that of the value's own kind.
    fn preset(&self, value: &[u8]) -> anyhow::Result<Option<Provider>> {
        let is_name = |text: &&String| !text.contains(':') && *text != "bearer" && *text != "basic";
        let Some(name) = self.into.iter().find(is_name) else { return Ok(None) };
        // A kind that is not supported says so itself.
        if let Err(Problem::Unsupported(_)) = name.parse::<Injection>() {
            return Err(injection_refused(name.parse::<Injection>().err()).into());
        }
        let Some(provider) = provider::find(name) else {
            return Err(no_preset(name).into());
        };
        if self.into.len() > 1 {
            return Err(Fault::usage(format!("{} says how already", provider.name))
                .next("name the provider alone, or each place by itself")
                .into());
        }
        let provider = provider.variant(value).unwrap_or(provider);
        match provider.needs() {
            None => Ok(Some(provider)),
            Some(kind) => Err(Fault::new(Code::Policy, why_unsupported(provider.name, kind))
                .next("store the key without a rule; or, if you have a token that lasts, say --host and --inject bearer")
                .into()),
        }
    }
}

/// The rule that is stored with a value, if it can be read: another sends nothing.
pub(super) fn stored_rule(secret: &Secret) -> Option<Rule> {
    secret.inject.as_ref().and_then(|json| Rule::from_json(json.as_bytes()).ok())
}

/// Said wherever a key may get a rule.
#[derive(Args)]
pub(super) struct WildcardOption {
    /// Allow a host with a `*`: the value then goes to every host one label longer
    #[arg(long, help_heading = "Injection by the gateway")]
    allow_wildcard: bool,
}

impl WildcardOption {
    /// A wildcard that was not in the `former` rule has to be meant.
    pub(super) fn check(&self, rule: &Rule, former: Option<&str>) -> Result<(), Fault> {
        let former = former.and_then(|json| Rule::from_json(json.as_bytes()).ok());
        let known = |pattern: &HostPattern| {
            former.as_ref().is_some_and(|former| former.terms().hosts.contains(pattern))
        };
        let new: Vec<&HostPattern> =
            rule.terms().hosts.iter().filter(|pattern| pattern.is_wildcard() && !known(pattern)).collect();
        if new.is_empty() || self.allow_wildcard {
            return Ok(());
        }
        let new: Vec<String> = new.iter().map(ToString::to_string).collect();
        let what =
            format!("{} lets the value go to every host of that form, whoever runs it", new.join(", "));
        Err(Fault::new(Code::Policy, what)
            .next("name each host; or, if all of them are yours, add --allow-wildcard"))
    }
}

/// The text is not repeated: somebody may have written the value there.
fn no_preset(text: &str) -> Fault {
    let names = provider::all().map(|provider| provider.name).chain(["bearer", "basic"]);
    let fault =
        Fault::new(Code::NotFound, "--inject names no provider that is known, and no way to send a key");
    let near = || nearest(text, names).map(|name| format!("did you mean {name}?"));
    match similar_providers(text).or_else(near) {
        Some(advice) => fault.next(advice),
        None => fault.next("see `keyward provider list`, or say bearer, basic:USER, header:NAME, query:NAME"),
    }
}

/// An empty word alone means none.
fn parse_all<T: FromStr<Err: Into<Problem>>>(flag: &str, texts: &[String]) -> Result<Vec<T>, Fault> {
    if matches!(texts, [only] if only.is_empty()) {
        return Ok(Vec::new());
    }
    let one = |text: &String| {
        text.parse::<T>().map_err(|problem| {
            let error = RuleError { at: format!("{flag} {}", typed(text, 100)), problem: problem.into() };
            Fault::usage(error.to_string()).next(error.advice())
        })
    };
    texts.iter().map(one).collect()
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn host(text: &str) -> Result<HostPattern, Fault> {
    text.parse().map_err(|error: HostError| {
        let code = match error {
            HostError::PublicSuffix | HostError::Shared(_) => Code::Policy,
            _ => Code::Usage,
        };
        Fault::new(code, format!("--host {}: {error}", typed(text, 100))).next(error.advice())
    })
}

/// The text is not repeated: somebody may have written the value where its name should stand.
fn injection(text: &str) -> Result<Injection, Fault> {
    text.parse().map_err(|problem| injection_refused(Some(problem)))
}

fn injection_refused(problem: Option<Problem>) -> Fault {
    let problem = problem.unwrap_or(Problem::Kind);
    let code = if matches!(problem, Problem::Unsupported(_)) { Code::Policy } else { Code::Usage };
    let error = RuleError { at: "--inject".to_owned(), problem };
    let advice = match &error.problem {
        Problem::Kind => {
            "say bearer, basic:USER, header:NAME, query:NAME, path:TEMPLATE, json:POINTER or form:NAME"
        }
        _ => error.advice(),
    };
    Fault::new(code, error.to_string()).next(advice)
}

fn own_host(provider: Provider) -> Fault {
    let shapes: Vec<String> = provider.own_hosts().iter().map(ToString::to_string).collect();
    let shape =
        if shapes.iter().any(|shape| !shape.contains('.')) { "HOST".to_owned() } else { shapes.join(" or ") };
    Fault::usage(format!("each customer of {} has a host of their own", provider.name))
        .next(format!("name yours: --host {shape}"))
}

/// A rule in JSON that a person wrote.
fn read(json: &[u8]) -> Result<Rule, Fault> {
    if json.len() > RULE_BYTES {
        return Err(Fault::new(Code::Policy, format!("the rule is larger than {RULE_BYTES} bytes")));
    }
    Rule::from_json(json).map_err(|error| refused(&error))
}

fn refused(error: &RuleError) -> Fault {
    Fault::new(Code::Policy, format!("the rule is refused: {}", printable(&error.to_string(), 300)))
        .next(format!("nothing was stored; {}", error.advice()))
}

fn approval(text: &str) -> Result<Approval, &'static str> {
    match text {
        "never" => Ok(Approval::Never),
        "always" => Ok(Approval::Always),
        "writes" => Ok(Approval::Writes),
        _ => Err("say never, always or writes"),
    }
}
