//! Reads a rule's JSON strictly: each error says where it is, nothing is ignored, nothing stands twice.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use super::error::{Problem, RuleError};
use super::injection::{Injection, InjectionError};
use super::template::Template;
use super::{Approval, Limits, Rule, Terms, VERSION};

/// An object's fields, taken out one by one; what is left at the end is unknown.
struct Fields {
    at: String,
    fields: BTreeMap<String, Value>,
}

impl Rule {
    /// Reads the stored form.
    ///
    /// # Errors
    /// [`RuleError`] with the place in it: every check that holds when a rule is written holds again here.
    pub fn from_json(json: &[u8]) -> Result<Self, RuleError> {
        let not_json = |_| RuleError::new("rule", Problem::NotJson);
        if json.len() > super::RULE_BYTES {
            return Err(RuleError::new("rule", Problem::NotJson));
        }
        crate::json::check_depth(json).map_err(not_json)?;
        let value = serde_json::from_slice::<Once>(json).map_err(|error| {
            // The one thing this reader refuses itself.
            let twice = error.to_string().starts_with(TWICE);
            RuleError::new("rule", if twice { Problem::Twice } else { Problem::NotJson })
        })?;
        let rule = read_rule(Fields::of("rule", value.0.clone())?)?;
        // A rule has one spelling: whatever reads it sees the same rule.
        let again = serde_json::to_value(&rule).is_ok_and(|again| again == value.0);
        if again { Ok(rule) } else { Err(RuleError::new("rule", Problem::NotPlain)) }
    }
}

fn read_rule(mut rule: Fields) -> Result<Rule, RuleError> {
    // First of all: in another version the rest may mean something else.
    if rule.take("v")?.as_u64() != Some(VERSION) {
        return Err(RuleError::new("v", Problem::Version));
    }
    let mut terms = Terms::new(
        parsed(rule.texts("hosts")?.ok_or_else(|| RuleError::new("hosts", Problem::Missing))?)?,
        rule.list("into")?
            .ok_or_else(|| RuleError::new("into", Problem::Missing))?
            .into_iter()
            .map(|(at, value)| read_injection(Fields::of(&at, value)?))
            .collect::<Result<_, _>>()?,
    );
    terms.methods = rule.texts("methods")?.map(parsed).transpose()?;
    terms.paths = rule.texts("paths")?.map(parsed).transpose()?;
    terms.approval =
        match rule.text("approval")?.ok_or_else(|| RuleError::new("approval", Problem::Missing))?.as_str() {
            "never" => Approval::Never,
            "always" => Approval::Always,
            "writes" => Approval::Writes,
            _ => return Err(RuleError::new("approval", Problem::Not("never, always or writes"))),
        };
    terms.account = match rule.text("account")? {
        Some(text) => Some(text.parse().map_err(|problem: Problem| RuleError::new("account", problem))?),
        None => None,
    };
    if let Some(limits) = rule.fields.remove("limits") {
        let mut limits = Fields::of("limits", limits)?;
        let per_minute = limits.take("per_minute")?.as_u64().and_then(|number| u32::try_from(number).ok());
        terms.limits = Some(Limits::per_minute(per_minute.unwrap_or(0))?);
        limits.end()?;
    }
    rule.end()?;
    Rule::new(terms)
}

fn read_injection(mut fields: Fields) -> Result<Injection, RuleError> {
    let kind = fields.text("kind")?.ok_or_else(|| fields.error("kind", Problem::Missing))?;
    // Whatever else such a kind may have: it is this that its reader has to know.
    if let Some(kind) = unsupported(&kind) {
        return Err(fields.error("kind", Problem::Unsupported(kind)));
    }
    let at = fields.at.clone();
    let whole = |error: InjectionError| RuleError::new(at.clone(), error);
    let injection = match kind.as_str() {
        "header" => {
            let name = fields.name("name")?;
            if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                return Err(fields.error("name", Problem::NotPlain));
            }
            Injection::header(&name, fields.template("template")?)
        }
        "basic" => Injection::basic(fields.template("user")?, fields.template("password")?),
        "query" => Injection::query(&fields.name("name")?, fields.template("template")?),
        "path" => Injection::path(fields.template("template")?),
        "json_field" => Injection::json_field(&fields.name("pointer")?, fields.template("template")?),
        "form_field" => Injection::form_field(&fields.name("name")?, fields.template("template")?),
        _ => return Err(fields.error("kind", Problem::Kind)),
    };
    fields.end()?;
    injection.map_err(whole)
}

/// Kinds that the gateway would have to sign or exchange something for.
pub(super) fn unsupported(kind: &str) -> Option<&'static str> {
    UNSUPPORTED.iter().copied().find(|known| *known == kind)
}

fn parsed<T: std::str::FromStr<Err: Into<Problem>> + ToString>(
    texts: Vec<(String, String)>,
) -> Result<Vec<T>, RuleError> {
    let one = |(at, text): (String, String)| match text.parse::<T>() {
        Ok(one) if one.to_string() == text => Ok(one),
        Ok(_) => Err(RuleError::new(at, Problem::NotPlain)),
        Err(problem) => Err(RuleError::new(at, problem)),
    };
    texts.into_iter().map(one).collect()
}

impl Fields {
    fn of(at: &str, value: Value) -> Result<Self, RuleError> {
        match value {
            Value::Object(map) => Ok(Self { at: at.to_owned(), fields: map.into_iter().collect() }),
            _ => Err(RuleError::new(at, Problem::Not("an object"))),
        }
    }

    fn error(&self, field: &str, problem: impl Into<Problem>) -> RuleError {
        RuleError::new(self.path(field), problem)
    }

    fn path(&self, field: &str) -> String {
        if self.at == "rule" { field.to_owned() } else { format!("{}.{field}", self.at) }
    }

    fn take(&mut self, field: &str) -> Result<Value, RuleError> {
        self.fields.remove(field).ok_or_else(|| self.error(field, Problem::Missing))
    }

    fn text(&mut self, field: &str) -> Result<Option<String>, RuleError> {
        match self.fields.remove(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.error(field, Problem::Not("a text"))),
        }
    }

    fn name(&mut self, field: &str) -> Result<String, RuleError> {
        self.text(field)?.ok_or_else(|| self.error(field, Problem::Missing))
    }

    fn template(&mut self, field: &str) -> Result<Template, RuleError> {
        self.name(field)?.parse().map_err(|error| self.error(field, InjectionError::Template(error)))
    }

    /// A list, each thing with its place.
    fn list(&mut self, field: &str) -> Result<Option<Vec<(String, Value)>>, RuleError> {
        let list = match self.fields.remove(field) {
            None => return Ok(None),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.error(field, Problem::Not("a list"))),
        };
        let at = self.path(field);
        Ok(Some(list.into_iter().enumerate().map(|(n, value)| (format!("{at}[{n}]"), value)).collect()))
    }

    fn texts(&mut self, field: &str) -> Result<Option<Vec<(String, String)>>, RuleError> {
        let Some(list) = self.list(field)? else { return Ok(None) };
        let text = |(at, value)| match value {
            Value::String(text) => Ok((at, text)),
            _ => Err(RuleError::new(at, Problem::Not("a text"))),
        };
        list.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    fn end(&self) -> Result<(), RuleError> {
        match self.fields.keys().next() {
            Some(field) => Err(self.error(&shown(field), Problem::Unknown)),
            None => Ok(()),
        }
    }
}

/// A foreign field's name, made safe to print.
fn shown(field: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    field.chars().map(plain).take(40).collect()
}

/// JSON in which no object has a field twice. serde's own reader of any JSON would keep the last one.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Once;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once(Value::Null))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Once, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(value)) = seq.next_element()? {
            list.push(value);
        }
        Ok(Once(Value::Array(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some((field, Once(value))) = map.next_entry::<String, Once>()? {
            if object.insert(field, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(Once(Value::Object(object)))
    }
}

const TWICE: &str = "a field stands twice";

const UNSUPPORTED: &[&str] = &["sigv4", "oauth2", "minted", "exchange"];
