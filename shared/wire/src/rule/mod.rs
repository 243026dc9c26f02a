//! The rule that is sealed with a value: where the gateway may write it, and how (RULES.md).
//!
//! It stands inside the SECRET envelope, so neither the server nor whoever writes to its database can send a value elsewhere.
//! A [`Rule`] exists only if it holds: what is refused when it is written is refused again when it is read.
//!
//! | file | holds |
//! |---|---|
//! | `authority` | the host and port a request goes to, in one spelling |
//! | `host`, `host_error`, `tenants` | host patterns, what is wrong with one, and the domains that no wildcard may cover |
//! | `path`, `method` | what is compared byte for byte |
//! | `lenient` | a path as the most lenient server would read it |
//! | `injection`, `template` | where the value goes, and the text around it |
//! | `value` | what a place can hold |
//! | `read`, `error` | the stored form, strict; why a rule was refused |
//! | `spec` | the short form of an injection, for command lines and tables |

mod authority;
mod error;
mod host;
mod host_error;
mod injection;
mod lenient;
mod method;
mod path;
mod read;
mod spec;
mod template;
mod tenants;
mod value;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use authority::{Authority, AuthorityError, Host};
pub use error::{Problem, RuleError};
pub use host::HostPattern;
pub use host_error::HostError;
pub use injection::{Injection, InjectionError, PathTemplate};
pub use lenient::LenientPath;
pub use method::{Method, MethodError};
pub use path::{PathError, PathPattern, RequestPath};
pub use template::{FieldName, Part, TEMPLATE_BYTES, Template, TemplateError};
pub use value::{ValueError, Values};

/// A rule: where a value may go. Valid by construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule(Terms);

/// What a [`Rule`] says, before it is checked as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Hosts it may go to; at least one.
    pub hosts: Vec<HostPattern>,
    /// Methods it may go with. `None`: GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE.
    pub methods: Option<Vec<Method>>,
    /// Paths it may go to. `None`: all.
    pub paths: Option<Vec<PathPattern>>,
    /// Where it is written in the request; at least one place.
    pub into: Vec<Injection>,
    /// Whether somebody is asked first.
    pub approval: Approval,
    /// Name by which an agent chooses among several values that fit.
    pub account: Option<Account>,
    /// How often the value may be used.
    pub limits: Option<Limits>,
}

/// Whether an approver is asked before a request goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nobody is asked.
    Never,
    /// An approver is asked for each request.
    Always,
    /// An approver is asked for each request except GET, HEAD and OPTIONS.
    Writes,
}

/// Name of an account: 1 to 64 printable ASCII characters without blanks, because it travels in a header.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Account(String);

/// How often a value may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    per_minute: u32,
}

impl Rule {
    /// Checks the terms as a whole: the parts are valid already.
    ///
    /// # Errors
    /// [`RuleError`] names the part that is wrong.
    pub fn new(terms: Terms) -> Result<Self, RuleError> {
        let Terms { hosts, methods, paths, into, approval: _, account: _, limits: _ } = &terms;
        check_list("hosts", hosts, HOSTS)?;
        check_list("into", into, INTO)?;
        methods.as_ref().map_or(Ok(()), |methods| check_list("methods", methods, METHODS))?;
        paths.as_ref().map_or(Ok(()), |paths| check_list("paths", paths, PATHS))?;
        let mut places = BTreeSet::new();
        for (n, injection) in into.iter().enumerate() {
            if !places.insert(injection.place()) {
                return Err(RuleError::new(format!("into[{n}]"), Problem::SamePlace));
            }
        }
        if into.iter().any(Injection::is_json) && into.iter().any(Injection::is_form) {
            return Err(RuleError::new("into", Problem::TwoBodies));
        }
        if !into.iter().flat_map(Injection::templates).any(Template::has_value) {
            return Err(RuleError::new("into", Problem::NoValue));
        }
        let rule = Self(terms);
        // What is written can be read.
        if rule.to_json().len() > RULE_BYTES {
            return Err(RuleError::new("rule", Problem::NotJson));
        }
        Ok(rule)
    }

    /// The terms of the rule.
    pub fn terms(&self) -> &Terms {
        &self.0
    }

    /// The terms of the rule, to be changed and checked again.
    pub fn into_terms(self) -> Terms {
        self.0
    }

    /// Whether a request there, with this method and path, may get the value.
    pub fn fits(&self, to: &Authority, method: &str, path: RequestPath<'_>) -> bool {
        self.fits_host(to) && self.fits_method(method) && self.fits_path(path)
    }

    /// Whether requests to this host and port may get the value.
    pub fn fits_host(&self, to: &Authority) -> bool {
        self.0.hosts.iter().any(|pattern| pattern.matches(to))
    }

    /// Whether requests with this method may get the value. Case counts.
    pub fn fits_method(&self, method: &str) -> bool {
        match &self.0.methods {
            Some(methods) => methods.iter().any(|own| own.as_str() == method),
            None => method::is_common(method),
        }
    }

    /// Whether requests to this path may get the value: by the whole of it, and by what a server would see of it that decodes
    /// before it looks for the query.
    pub fn fits_path(&self, path: RequestPath<'_>) -> bool {
        let Some(paths) = &self.0.paths else { return true };
        let fits = |path| paths.iter().any(|pattern| pattern.matches(path));
        let is_meant = || paths.iter().any(|pattern| pattern.has_cut() && pattern.matches(path));
        fits(path) && path.cut().is_none_or(|cut| fits(cut) || is_meant())
    }

    /// Whether somebody must approve a request with this method.
    pub fn needs_approval(&self, method: &str) -> bool {
        match self.0.approval {
            Approval::Never => false,
            Approval::Always => true,
            Approval::Writes => !method::is_safe(method),
        }
    }

    /// The fields beside the value that it writes.
    pub fn fields(&self) -> BTreeSet<&FieldName> {
        self.0.into.iter().flat_map(Injection::fields).collect()
    }

    /// The stored form: compact JSON, the same for equal rules.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a rule has string keys and no failing parts")
    }
}

impl Terms {
    /// A rule for these hosts and places, and nothing more: any common method, any path, nobody is asked.
    pub fn new(hosts: Vec<HostPattern>, into: Vec<Injection>) -> Self {
        Self {
            hosts,
            methods: None,
            paths: None,
            into,
            approval: Approval::Never,
            account: None,
            limits: None,
        }
    }
}

impl Account {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Limits {
    /// A limit of so many requests in a minute: 1 to 1,000,000.
    ///
    /// # Errors
    /// [`RuleError`] for any other number.
    pub fn per_minute(requests: u32) -> Result<Self, RuleError> {
        match requests {
            1..=1_000_000 => Ok(Self { per_minute: requests }),
            _ => Err(RuleError::new("limits.per_minute", Problem::Not("a number from 1 to 1000000"))),
        }
    }

    /// Requests in a minute.
    pub fn requests_per_minute(self) -> u32 {
        self.per_minute
    }
}

/// A list has something, nothing twice, and an end.
fn check_list<T: PartialEq>(at: &str, list: &[T], limit: usize) -> Result<(), RuleError> {
    if list.is_empty() {
        return Err(RuleError::new(at, Problem::Empty));
    }
    if list.len() > limit {
        return Err(RuleError::new(at, Problem::TooMany(limit)));
    }
    let mut rest = list.iter().enumerate();
    while let Some((n, one)) = rest.next() {
        if rest.clone().any(|(_, other)| other == one) {
            return Err(RuleError::new(format!("{at}[{n}]"), Problem::Twice));
        }
    }
    Ok(())
}

impl FromStr for Account {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if matches!(text.len(), 1..=64) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Problem::Not("1 to 64 printable ASCII characters without blanks"))
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "never",
            Self::Always => "always",
            Self::Writes => "writes",
        })
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Stored<'a> {
            v: u64,
            hosts: &'a [HostPattern],
            #[serde(skip_serializing_if = "Option::is_none")]
            methods: Option<Vec<&'a str>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            paths: Option<Vec<&'a str>>,
            into: &'a [Injection],
            approval: Approval,
            #[serde(skip_serializing_if = "Option::is_none")]
            account: Option<&'a Account>,
            #[serde(skip_serializing_if = "Option::is_none")]
            limits: Option<Limits>,
        }
        let Terms { hosts, methods, paths, into, approval, account, limits } = &self.0;
        Stored {
            v: VERSION,
            hosts,
            methods: methods.as_ref().map(|methods| methods.iter().map(Method::as_str).collect()),
            paths: paths.as_ref().map(|paths| paths.iter().map(PathPattern::as_str).collect()),
            into,
            approval: *approval,
            account: account.as_ref(),
            limits: *limits,
        }
        .serialize(serializer)
    }
}

/// Reads a rule by [`Rule::from_json`]: there is no way around the checks.
impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        Self::from_json(json.get().as_bytes()).map_err(serde::de::Error::custom)
    }
}

/// The version of the format that this program reads and writes.
pub const VERSION: u64 = 1;

/// Largest rule in its stored form, in bytes.
pub const RULE_BYTES: usize = 16 * 1024;

const HOSTS: usize = 32;
const METHODS: usize = 16;
const PATHS: usize = 64;
const INTO: usize = 8;

#[cfg(test)]
mod tests;
