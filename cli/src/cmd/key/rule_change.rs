//! A change of a key's rule, in words, before anybody relies on it: where its value may go, where it could go before, and what of
//! that hands out credentials.

use keyward_wire::name::Name;
use keyward_wire::provider::minting::{Minting, of_rule};
use keyward_wire::rule::{Approval, Injection, Rule, Terms};

use super::messages::Message;
use super::newly_allowed::newly_allowed;

/// A key's rule, and the one before it.
pub(super) struct RuleChange {
    former: Former,
    /// The new rule. `None` if the key has no rule after the change.
    rule: Option<Rule>,
    /// Whether the gateway uses a value like the one it is for.
    is_used: bool,
    /// What the rule covers that makes or shows credentials.
    minting: Vec<Minting>,
    /// The paths that would be covered if the key still had its former provider.
    minting_before: Vec<Minting>,
}

enum Former {
    None,
    /// The former rule sent nothing: nobody could read it.
    Unreadable,
    Rule(Rule),
}

/// The provider that a key is for, before and after: by the provider the gateway knows the paths at a customer's own host.
#[derive(Clone, Copy)]
pub(super) struct ProviderChange<'a> {
    pub(super) before: Option<&'a str>,
    pub(super) now: Option<&'a str>,
}

impl<'a> ProviderChange<'a> {
    /// The same provider before and after.
    pub(super) fn still(provider: Option<&'a str>) -> Self {
        Self { before: provider, now: provider }
    }
}

impl RuleChange {
    /// The change from the rule `former`, in its stored form, to `rule`.
    pub(super) fn new(former: Option<&str>, rule: Option<Rule>, provider: ProviderChange<'_>) -> Self {
        let former = match former.map(|json| Rule::from_json(json.as_bytes())) {
            None => Former::None,
            Some(Err(_)) => Former::Unreadable,
            Some(Ok(rule)) => Former::Rule(rule),
        };
        let minting = |provider| rule.as_ref().map(|rule| of_rule(rule, provider)).unwrap_or_default();
        let (minting, minting_before) = (minting(provider.now), minting(provider.before));
        Self { former, rule, is_used: true, minting, minting_before }
    }

    /// The same change, of a value that the gateway uses, or does not use.
    pub(super) fn with_value_used(self, is_used: bool) -> Self {
        Self { is_used, ..self }
    }

    /// Whether the key may be used otherwise than before.
    pub(super) fn alters_use(&self) -> bool {
        match (&self.former, &self.rule) {
            (Former::None, None) => false,
            (Former::Rule(former), Some(rule)) => {
                former != rule || !refused(&self.minting_before).eq(refused(&self.minting))
            }
            _ => true,
        }
    }

    /// What was refused and is refused no longer, because the key's provider is another one now.
    pub(super) fn newly_allowed(&self) -> Vec<&Minting> {
        match self.former {
            Former::Rule(_) => newly_allowed(&self.minting_before, &self.minting),
            Former::None | Former::Unreadable => Vec::new(),
        }
    }

    /// What the rule allows and what it allowed before, with every host: somebody has to agree to it. `key` where several
    /// are told of.
    pub(super) fn lines(&self, key: Option<&Name>) -> Vec<Message> {
        let of = key.map(|key| format!("{key}: ")).unwrap_or_default();
        let mut lines = Vec::new();
        let mut say = |text: String| lines.push(Message::Info(format!("{of}{text}")));
        let Some(rule) = &self.rule else {
            if let Former::Rule(former) = &self.former {
                say(format!("hosts were: {}; the gateway sends it nowhere now", hosts(former)));
            }
            return lines;
        };
        match &self.former {
            Former::Unreadable => say("the rule it had could not be read".to_owned()),
            Former::Rule(former) if former.terms().hosts != rule.terms().hosts => {
                say(format!("hosts were: {}; hosts are: {}", hosts(former), hosts(rule)));
            }
            Former::Rule(former) if summary(former) != summary(rule) => {
                say(format!("before, the gateway could send it {}", summary(former)));
            }
            Former::Rule(former) if former != rule => {
                say("before, it was written in another form".to_owned());
            }
            Former::None | Former::Rule(_) => {}
        }
        let may = if self.is_used { "the gateway may send it" } else { "its rule is:" };
        say(format!("{may} {}", summary(rule)));
        let refused: Vec<&Minting> = refused(&self.minting).collect();
        if !refused.is_empty() {
            let refused = brief_paths(&refused);
            say(format!(
                "but to no path that makes or shows credentials ({refused}), unless the rule names it: --path"
            ));
        }
        let mut warn = |text: String| lines.push(Message::Warning(format!("{of}{text}")));
        if rule.terms().approval != Approval::Never {
            warn(
                "approvals are not supported yet: the gateway refuses every request that needs one"
                    .to_owned(),
            );
        }
        let allowed_now = self.newly_allowed();
        if !allowed_now.is_empty() {
            warn(format!(
                "its provider is another one, so the gateway no longer refuses what makes or shows credentials ({})",
                brief_paths(&allowed_now)
            ));
        }
        let allowed = named(&self.minting);
        if !allowed.is_empty() {
            warn(format!(
                "the rule names paths that make or show credentials ({}): what an agent gets there outlives the rule",
                allowed.join(", ")
            ));
        }
        lines
    }

    /// The change as JSON, for programs.
    pub(super) fn json(&self) -> serde_json::Value {
        let hosts = |rule: &Rule| rule.terms().hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let before = match &self.former {
            Former::Rule(former) => Some(hosts(former)),
            Former::None | Former::Unreadable => None,
        };
        let mut credential_paths = as_json(&self.minting);
        credential_paths["refused_no_longer"] =
            self.newly_allowed().iter().map(|one| one.path.to_string()).collect();
        serde_json::json!({
            "hosts": self.rule.as_ref().map(hosts),
            "hosts_before": before,
            "credential_paths": credential_paths,
        })
    }
}

/// The paths that a rule covers and that make or show credentials, for programs.
pub(super) fn credential_paths(rule: &Rule, provider: Option<&str>) -> serde_json::Value {
    as_json(&of_rule(rule, provider))
}

fn as_json(minting: &[Minting]) -> serde_json::Value {
    let refused = minting.iter().flat_map(|one| &one.refused).map(ToString::to_string);
    serde_json::json!({ "refused": refused.collect::<Vec<_>>(), "allowed": named(minting) })
}

fn named(minting: &[Minting]) -> Vec<String> {
    minting.iter().filter(|one| one.named).map(|one| one.path.to_string()).collect()
}

/// Where the gateway refuses something: all of it, or what the rule does not name.
fn refused(minting: &[Minting]) -> impl Iterator<Item = &Minting> {
    minting.iter().filter(|one| !one.refused.is_empty())
}

/// The paths if they are few, else how many they are, what they make, and where all of them are listed.
pub(super) fn brief_paths(minting: &[&Minting]) -> String {
    let paths = minting.iter().map(|one| one.path.to_string()).collect::<Vec<_>>();
    let Some(provider) = minting.first().map(|one| one.provider).filter(|_| paths.len() > FEW) else {
        return paths.join(", ");
    };
    let mut kinds: Vec<&str> = Vec::new();
    for kind in minting.iter().map(|one| one.kind()) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let more = if kinds.len() > KINDS { " …" } else { "" };
    kinds.truncate(KINDS);
    format!("{} of them: {}{more}; all: keyward provider show {provider}", paths.len(), kinds.join(", "))
}

/// The most paths that are named.
const FEW: usize = 3;

/// The most kinds that are named if there are more paths.
const KINDS: usize = 6;

/// All of them: none may be where nobody looks.
fn hosts(rule: &Rule) -> String {
    join(&rule.terms().hosts, ", ")
}

/// What a rule lets happen, in few words: where, how, and what narrows it. Templates are not repeated: somebody may have
/// written the value there.
fn summary(rule: &Rule) -> String {
    let Terms { hosts: _, methods, paths, into, approval, account: _, limits } = rule.terms();
    let into: Vec<String> = into.iter().map(Injection::without_text).collect();
    let mut parts = vec![format!("to {}", hosts(rule)), format!("as {}", into.join(" and "))];
    parts.extend(methods.iter().map(|methods| format!("with {}", join(methods, ", "))));
    parts.extend(paths.iter().map(|paths| format!("at {}", join(paths, ", "))));
    if *approval != Approval::Never {
        parts.push(format!("approval: {approval}"));
    }
    parts.extend(limits.map(|limits| format!("{} times a minute", limits.requests_per_minute())));
    parts.join(", ")
}

/// The lines of `key show`: each a word and a text.
pub(super) fn show_lines(rule: &Rule, provider: Option<&str>) -> Vec<(&'static str, String)> {
    let Terms { hosts, methods, paths, into, approval, account, limits } = rule.terms();
    let mut lines: Vec<(&str, String)> = hosts.iter().map(|host| ("host", host.to_string())).collect();
    lines.extend(into.iter().map(|place| ("inject", place.to_string())));
    lines.extend(methods.iter().map(|methods| ("method", join(methods, ", "))));
    lines.extend(paths.iter().flatten().map(|path| ("path", path.to_string())));
    for Minting { path, named, refused, .. } in of_rule(rule, provider) {
        let rest = if named { ", but for what the rule names" } else { "" };
        if named {
            lines.push(("mints", format!("{path} (makes or shows credentials)")));
        }
        for path in refused {
            lines.push(("refused", format!("{path} (makes or shows credentials{rest})")));
        }
    }
    lines.push(("approval", approval.to_string()));
    lines.extend(account.iter().map(|account| ("account", account.to_string())));
    lines.extend(limits.map(|limits| ("limit", format!("{} a minute", limits.requests_per_minute()))));
    lines
}

fn join<T: ToString>(all: &[T], between: &str) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}
