//! What is said of a key's rule before anybody relies on it: where its value may go, where it could go before, and what of
//! that hands out credentials.

use keyward_wire::name::Name;
use keyward_wire::provider::minting::{Minting, of_rule};
use keyward_wire::rule::{Approval, Rule, Terms};

use super::list;
use crate::ctx::Ctx;

/// A key's rule, and the one before it.
pub(super) struct RuleChange {
    former: Former,
    /// None: it has none any more.
    rule: Option<Rule>,
    /// What the rule covers that makes or shows credentials.
    minting: Vec<Minting>,
}

enum Former {
    None,
    /// It sent nothing: nobody could read it.
    Unreadable,
    Rule(Rule),
}

impl RuleChange {
    /// From the rule `former`, in its stored form, to `rule`; of a key of `provider`.
    pub(super) fn new(former: Option<&str>, rule: Option<Rule>, provider: Option<&str>) -> Self {
        let former = match former.map(|json| Rule::from_json(json.as_bytes())) {
            None => Former::None,
            Some(Err(_)) => Former::Unreadable,
            Some(Ok(rule)) => Former::Rule(rule),
        };
        let minting = rule.as_ref().map(|rule| of_rule(rule, provider)).unwrap_or_default();
        Self { former, rule, minting }
    }

    /// Whether the rule is another one than before.
    pub(super) fn is_one(&self) -> bool {
        match (&self.former, &self.rule) {
            (Former::None, None) => false,
            (Former::Rule(former), Some(rule)) => former != rule,
            _ => true,
        }
    }

    /// Says what the rule allows and what it allowed before, with every host: somebody has to agree to it. `key` where
    /// several are told of.
    pub(super) fn tell(&self, ctx: &Ctx, key: Option<&Name>) {
        let of = key.map(|key| format!("{key}: ")).unwrap_or_default();
        let Some(rule) = &self.rule else {
            if let Former::Rule(former) = &self.former {
                ctx.out.say(&format!("{of}hosts were: {}; the gateway sends it nowhere now", hosts(former)));
            }
            return;
        };
        match &self.former {
            Former::Unreadable => ctx.out.say(&format!("{of}the rule it had could not be read")),
            Former::Rule(former) if former.terms().hosts != rule.terms().hosts => {
                ctx.out.say(&format!("{of}hosts were: {}; hosts are: {}", hosts(former), hosts(rule)));
            }
            Former::Rule(former) if former != rule => {
                ctx.out.say(&format!("{of}before, the gateway could send it {}", summary(former)));
            }
            Former::None | Former::Rule(_) => {}
        }
        ctx.out.say(&format!("{of}the gateway may send it {}", summary(rule)));
        if rule.terms().approval != Approval::Never {
            ctx.out.warn(&format!(
                "{of}approvals are not supported yet: the gateway refuses every request that needs one"
            ));
        }
        let refused = paths(&self.minting, false);
        if !refused.is_empty() {
            ctx.out.say(&format!(
                "{of}but to no path that makes or shows credentials ({}), unless the rule names it: --path",
                list(&refused)
            ));
        }
        let allowed = paths(&self.minting, true);
        if !allowed.is_empty() {
            ctx.out.warn(&format!(
                "{of}the rule names paths that make or show credentials ({}): what an agent gets there outlives the rule",
                allowed.join(", ")
            ));
        }
    }

    /// The same for programs.
    pub(super) fn json(&self) -> serde_json::Value {
        let hosts = |rule: &Rule| rule.terms().hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let before = match &self.former {
            Former::Rule(former) => Some(hosts(former)),
            Former::None | Former::Unreadable => None,
        };
        serde_json::json!({
            "hosts": self.rule.as_ref().map(hosts),
            "hosts_before": before,
            "credential_paths": as_json(&self.minting),
        })
    }
}

/// For programs: what a rule covers that makes or shows credentials.
pub(super) fn credential_paths(rule: &Rule, provider: Option<&str>) -> serde_json::Value {
    as_json(&of_rule(rule, provider))
}

fn as_json(minting: &[Minting]) -> serde_json::Value {
    serde_json::json!({ "refused": paths(minting, false), "allowed": paths(minting, true) })
}

fn paths(minting: &[Minting], named: bool) -> Vec<String> {
    minting.iter().filter(|one| one.named == named).map(|one| one.path.to_string()).collect()
}

/// All of them: none may be where nobody looks.
fn hosts(rule: &Rule) -> String {
    join(&rule.terms().hosts, ", ")
}

/// Says what a rule lets happen, in few words: where, how, and what narrows it.
fn summary(rule: &Rule) -> String {
    let Terms { hosts: _, methods, paths, into, approval, account: _, limits } = rule.terms();
    let mut parts = vec![format!("to {}", hosts(rule)), format!("as {}", join(into, " and "))];
    parts.extend(methods.iter().map(|methods| format!("with {}", join(methods, ", "))));
    parts.extend(paths.iter().map(|paths| format!("at {}", join(paths, ", "))));
    if *approval != Approval::Never {
        parts.push(format!("approval: {approval}"));
    }
    parts.extend(limits.map(|limits| format!("{} times a minute", limits.requests_per_minute())));
    parts.join(", ")
}

/// The lines of `key show`: each a word and a text.
pub(super) fn lines(rule: &Rule, provider: Option<&str>) -> Vec<(&'static str, String)> {
    let Terms { hosts, methods, paths, into, approval, account, limits } = rule.terms();
    let mut lines: Vec<(&str, String)> = hosts.iter().map(|host| ("host", host.to_string())).collect();
    lines.extend(into.iter().map(|place| ("inject", place.to_string())));
    lines.extend(methods.iter().map(|methods| ("method", join(methods, ", "))));
    lines.extend(paths.iter().flatten().map(|path| ("path", path.to_string())));
    for Minting { path, named } in of_rule(rule, provider) {
        lines.push((if named { "mints" } else { "refused" }, format!("{path} (makes or shows credentials)")));
    }
    lines.push(("approval", approval.to_string()));
    lines.extend(account.iter().map(|account| ("account", account.to_string())));
    lines.extend(limits.map(|limits| ("limit", format!("{} a minute", limits.requests_per_minute()))));
    lines
}

fn join<T: ToString>(all: &[T], between: &str) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}
