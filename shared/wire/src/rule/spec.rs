//! The short form of an injection: `bearer`, `header:NAME[=TEMPLATE]`, `basic[:USER[:PASSWORD]]`, `query:NAME[=TEMPLATE]`,
//! `path:TEMPLATE`, `json:POINTER[=TEMPLATE]`, `form:NAME[=TEMPLATE]`. Command lines and the table of providers use it.

use std::fmt;
use std::str::FromStr;

use super::error::Problem;
use super::injection::{Injection, InjectionError};
use super::read::unsupported;
use super::template::{Part, Template};

impl FromStr for Injection {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let (kind, rest) = text.split_once(':').map_or((text, None), |(kind, rest)| (kind, Some(rest)));
        let injection = match (kind, rest) {
            ("bearer", None) => Ok(Self::bearer()),
            ("header", Some(rest)) => named(rest, Self::header),
            ("query", Some(rest)) => named(rest, Self::query),
            ("json", Some(rest)) => named(rest, Self::json_field),
            ("form", Some(rest)) => named(rest, Self::form_field),
            ("path", Some(rest)) => template(rest).and_then(Self::path),
            ("basic", rest) => basic(rest),
            _ => return Err(unsupported(kind).map_or(Problem::Kind, Problem::Unsupported)),
        };
        Ok(injection?)
    }
}

/// `NAME` or `NAME=TEMPLATE`.
fn named(
    text: &str,
    make: impl FnOnce(&str, Template) -> Result<Injection, InjectionError>,
) -> Result<Injection, InjectionError> {
    match text.split_once('=') {
        Some((name, text)) => make(name, template(text)?),
        None => make(text, Template::value()),
    }
}

/// The injection of `basic`. Without text: the field `user` and the value. `USER`: that user and the value. `USER:PASSWORD`: both
/// as they are.
fn basic(text: Option<&str>) -> Result<Injection, InjectionError> {
    let (user, password) = match text {
        None => ("{user}", "{v}"),
        Some(text) => text.split_once(':').unwrap_or((text, "{v}")),
    };
    Injection::basic(template(user)?, template(password)?)
}

fn template(text: &str) -> Result<Template, InjectionError> {
    Ok(text.parse::<Template>()?)
}

impl Injection {
    /// The short form as it is read, with `…` for all text of templates except `Bearer`: somebody may have written a value there.
    pub fn without_text(&self) -> String {
        let hidden = |template: &Template| {
            let part = |part: &Part| match part {
                Part::Text(_) => "…".to_owned(),
                Part::Value => "{v}".to_owned(),
                Part::Field(name) => format!("{{{}}}", name.as_str()),
            };
            template.parts().iter().map(part).collect::<String>()
        };
        let named = |kind: &str, name: &str, template: &Template| match template.parts() {
            [Part::Value] => format!("{kind}:{name}"),
            _ => format!("{kind}:{name}={}", hidden(template)),
        };
        match self {
            Self::Header { .. } if *self == Self::bearer() => "bearer".to_owned(),
            Self::Header { name, template } => named("header", name, template),
            Self::Basic { user, password } if password.parts() == [Part::Value] => {
                format!("basic:{}", hidden(user))
            }
            Self::Basic { user, password } => format!("basic:{}:{}", hidden(user), hidden(password)),
            Self::Query { name, template } => named("query", name, template),
            Self::Path(path) => format!("path:{}", hidden(path.template())),
            Self::JsonField { pointer, template } => named("json", pointer, template),
            Self::FormField { name, template } => named("form", name, template),
        }
    }
}

/// Writes the short form as it is read.
impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, kind: &str, name: &str, template: &Template| {
            write!(f, "{kind}:{name}")?;
            if template.parts() == [Part::Value] { Ok(()) } else { write!(f, "={template}") }
        };
        match self {
            Self::Header { name, template } if *self == Self::bearer() => {
                let _ = (name, template);
                f.write_str("bearer")
            }
            Self::Header { name, template } => named(f, "header", name, template),
            Self::Basic { user, password } if password.parts() == [Part::Value] => write!(f, "basic:{user}"),
            Self::Basic { user, password } => write!(f, "basic:{user}:{password}"),
            Self::Query { name, template } => named(f, "query", name, template),
            Self::Path(path) => write!(f, "path:{}", path.template()),
            Self::JsonField { pointer, template } => named(f, "json", pointer, template),
            Self::FormField { name, template } => named(f, "form", name, template),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_says_what_the_stored_form_says() {
        for (short, stored) in [
            ("bearer", r#"{"kind":"header","name":"authorization","template":"Bearer {v}"}"#),
            ("header:x-api-key", r#"{"kind":"header","name":"x-api-key","template":"{v}"}"#),
            (
                "header:authorization=Token token={v}",
                r#"{"kind":"header","name":"authorization","template":"Token token={v}"}"#,
            ),
            ("basic:{user}", r#"{"kind":"basic","user":"{user}","password":"{v}"}"#),
            ("basic:x-access-token", r#"{"kind":"basic","user":"x-access-token","password":"{v}"}"#),
            ("basic:{v}:", r#"{"kind":"basic","user":"{v}","password":""}"#),
            ("basic:{v}:X", r#"{"kind":"basic","user":"{v}","password":"X"}"#),
            ("basic:", r#"{"kind":"basic","user":"","password":"{v}"}"#),
            ("query:key", r#"{"kind":"query","name":"key","template":"{v}"}"#),
            ("path:/bot{v}/", r#"{"kind":"path","template":"/bot{v}/"}"#),
            ("json:/key", r#"{"kind":"json_field","pointer":"/key","template":"{v}"}"#),
            ("form:api_secret", r#"{"kind":"form_field","name":"api_secret","template":"{v}"}"#),
        ] {
            let injection: Injection = short.parse().unwrap();
            assert_eq!(serde_json::to_string(&injection).unwrap(), stored, "{short}");
            assert_eq!(injection.to_string(), short);
        }
        assert_eq!("basic".parse::<Injection>().unwrap().to_string(), "basic:{user}");
        assert_eq!("header:Authorization=Bearer {v}".parse::<Injection>().unwrap().to_string(), "bearer");
    }

    #[test]
    fn what_somebody_wrote_around_a_value_is_left_out_where_it_must_not_be_repeated() {
        for (short, told) in [
            ("bearer", "bearer"),
            ("header:x-api-key", "header:x-api-key"),
            ("header:authorization=Token hunter2 {v}", "header:authorization=…{v}"),
            ("basic:{email}/hunter2", "basic:{email}…"),
            ("basic:hunter2", "basic:…"),
            ("basic:{v}:hunter2", "basic:{v}:…"),
            ("query:key={v}hunter2", "query:key={v}…"),
            ("path:/hunter2{v}/hunter2", "path:…{v}…"),
            ("json:/key=hunter2{v}", "json:/key=…{v}"),
            ("form:key=hunter2{v}", "form:key=…{v}"),
        ] {
            assert_eq!(short.parse::<Injection>().unwrap().without_text(), told);
        }
    }

    #[test]
    fn what_is_signed_or_exchanged_is_refused_by_name() {
        for kind in ["sigv4", "oauth2", "sigv4:s3", "oauth2:google"] {
            let refused = kind.parse::<Injection>();
            assert!(matches!(refused, Err(Problem::Unsupported(_))), "{kind}: {refused:?}");
        }
        for kind in ["", "Bearer", "bearer:x", "header", "query", "cookie:x", "path", "json"] {
            assert_eq!(kind.parse::<Injection>(), Err(Problem::Kind), "{kind}");
        }
    }
}
