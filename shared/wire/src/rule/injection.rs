//! Injections: where in a request a value goes, and in what form.

use std::collections::BTreeSet;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::template::{FieldName, Part, Template, TemplateError};

/// One place of a request that the value, or a field beside it, is written to. What the agent wrote there is replaced: the value
/// stands there exactly once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Injection {
    /// A header: `authorization: Bearer {v}`.
    Header {
        /// The header's name, in lower case.
        name: String,
        /// The template of the header's value.
        template: Template,
    },
    /// `authorization: Basic base64(user:password)`.
    Basic {
        /// The user; no `:` may come of it.
        user: Template,
        /// The password.
        password: Template,
    },
    /// A parameter of the query, percent-encoded.
    Query {
        /// The parameter's name.
        name: String,
        /// The template of the parameter's value.
        template: Template,
    },
    /// Part of the path.
    Path(PathTemplate),
    /// A string in a JSON body.
    JsonField {
        /// The place in the body: a JSON pointer (RFC 6901).
        pointer: String,
        /// The string.
        template: Template,
    },
    /// A field of a body in `application/x-www-form-urlencoded`.
    FormField {
        /// The parameter's name.
        name: String,
        /// The template of the parameter's value.
        template: Template,
    },
}

/// `/bot{v}/`: a path that starts so has the value in this place.
///
/// The slot is what stands between the text before the placeholder and the next `/`, or the end of the path. A template that
/// ends with its placeholder stands for paths that end with the slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathTemplate {
    template: Template,
    before: String,
    after: String,
}

/// Why a place was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InjectionError {
    /// A template that cannot be read.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A template without `{v}` or a field: nothing secret would be written.
    #[error("neither {{v}} nor a field stands in the template")]
    NoValue,
    /// The header's name is not 1 to 64 characters that such a name may have.
    #[error("not the name of a header")]
    HeaderName,
    /// A header by which requests are framed, routed or kept, or one of the gateway's own.
    #[error("this header belongs to the connection or to the gateway")]
    HeaderReserved,
    /// A blank at an end of a header's value.
    #[error("a header's value neither starts nor ends with a blank")]
    HeaderBlank,
    /// Literal text with a `:`, which ends the user.
    #[error("a user of Basic has no : in it")]
    BasicUser,
    /// The parameter's name is not 1 to 128 printable characters without `&`, `=`, `#`, `+`, `%` and blanks.
    #[error("not the name of a parameter or field")]
    ParameterName,
    /// The path template is not one placeholder between `/…` and `/…` or the end.
    #[error("a path template is /text{{v}} or /text{{v}}/text, with one placeholder")]
    Path,
    /// The pointer is not a JSON pointer of 1 to 256 bytes.
    #[error("not a JSON pointer")]
    Pointer,
}

impl InjectionError {
    /// What the user can do about the error.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Template(error) => error.advice(),
            Self::NoValue => "write {v} where the value goes",
            Self::HeaderName => "use letters, digits and -, as in x-api-key",
            Self::HeaderReserved => "choose the header that the provider reads the credential from",
            Self::HeaderBlank => "remove it",
            Self::BasicUser => "write the password as its own part",
            Self::ParameterName => "use letters, digits, - and _, as in api_key",
            Self::Path => "as in /bot{v}/ or /services/{v}",
            Self::Pointer => "as in /key or /auth/token",
        }
    }
}

/// What a place is, to see that none is written twice.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place<'a> {
    Header(&'a str),
    Query(&'a str),
    Path(&'a str),
    Json(&'a str),
    Form(&'a str),
}

impl Injection {
    /// `authorization: Bearer {v}`.
    pub fn bearer() -> Self {
        let template = Template::bearer();
        Self::Header { name: AUTHORIZATION.to_owned(), template }
    }

    /// A header. Its name may have letters of either case.
    ///
    /// # Errors
    /// [`InjectionError`], if the name or the template cannot be used.
    pub fn header(name: &str, template: Template) -> Result<Self, InjectionError> {
        let name = name.to_ascii_lowercase();
        if !matches!(name.len(), 1..=64) || !name.bytes().all(is_token) {
            return Err(InjectionError::HeaderName);
        }
        if is_reserved(&name) {
            return Err(InjectionError::HeaderReserved);
        }
        let text =
            |part: Option<&Part>, end: fn(&str) -> bool| matches!(part, Some(Part::Text(text)) if end(text));
        if text(template.parts().first(), |text| text.starts_with(' '))
            || text(template.parts().last(), |text| text.ends_with(' '))
        {
            return Err(InjectionError::HeaderBlank);
        }
        secret(&template)?;
        Ok(Self::Header { name, template })
    }

    /// Basic of a user and a password. One of them may be without placeholder.
    ///
    /// # Errors
    /// [`InjectionError`], if a template cannot be used.
    pub fn basic(user: Template, password: Template) -> Result<Self, InjectionError> {
        if user.literal().any(|byte| byte == b':') {
            return Err(InjectionError::BasicUser);
        }
        if !user.is_secret() && !password.is_secret() {
            return Err(InjectionError::NoValue);
        }
        Ok(Self::Basic { user, password })
    }

    /// A parameter of the query.
    ///
    /// # Errors
    /// [`InjectionError`], if the name or the template cannot be used.
    pub fn query(name: &str, template: Template) -> Result<Self, InjectionError> {
        secret(&template)?;
        Ok(Self::Query { name: parameter(name)?, template })
    }

    /// A part of the path.
    ///
    /// # Errors
    /// [`InjectionError`], if the template cannot be used.
    pub fn path(template: Template) -> Result<Self, InjectionError> {
        PathTemplate::new(template).map(Self::Path)
    }

    /// A string in a JSON body.
    ///
    /// # Errors
    /// [`InjectionError`], if the pointer or the template cannot be used.
    pub fn json_field(pointer: &str, template: Template) -> Result<Self, InjectionError> {
        secret(&template)?;
        Ok(Self::JsonField { pointer: check_pointer(pointer)?, template })
    }

    /// A field of a form.
    ///
    /// # Errors
    /// [`InjectionError`], if the name or the template cannot be used.
    pub fn form_field(name: &str, template: Template) -> Result<Self, InjectionError> {
        secret(&template)?;
        Ok(Self::FormField { name: parameter(name)?, template })
    }

    /// The templates of the injection.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let (first, second) = match self {
            Self::Header { template, .. }
            | Self::Query { template, .. }
            | Self::JsonField { template, .. }
            | Self::FormField { template, .. } => (template, None),
            Self::Basic { user, password } => (user, Some(password)),
            Self::Path(path) => (&path.template, None),
        };
        std::iter::once(first).chain(second)
    }

    /// The fields beside the value that it needs.
    pub fn fields(&self) -> BTreeSet<&FieldName> {
        self.templates().flat_map(Template::fields).collect()
    }

    pub(super) fn place(&self) -> Place<'_> {
        match self {
            Self::Header { name, .. } => Place::Header(name),
            Self::Basic { .. } => Place::Header(AUTHORIZATION),
            Self::Query { name, .. } => Place::Query(name),
            Self::Path(path) => Place::Path(&path.before),
            Self::JsonField { pointer, .. } => Place::Json(pointer),
            Self::FormField { name, .. } => Place::Form(name),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::JsonField { .. })
    }

    pub(super) fn is_form(&self) -> bool {
        matches!(self, Self::FormField { .. })
    }
}

impl PathTemplate {
    fn new(template: Template) -> Result<Self, InjectionError> {
        let (before, after) = match template.parts() {
            [Part::Text(before), Part::Value | Part::Field(_)] => (before.as_str(), ""),
            [Part::Text(before), Part::Value | Part::Field(_), Part::Text(after)] => {
                (before.as_str(), after.as_str())
            }
            _ => return Err(InjectionError::Path),
        };
        let bounded = after.is_empty() || after.starts_with('/');
        let readable = |path: &str| super::RequestPath::new(path.as_bytes()).is_ok();
        if !before.starts_with('/')
            || !bounded
            || !readable(&format!("{before}x{after}"))
            || before.contains('*')
            || after.contains('*')
        {
            return Err(InjectionError::Path);
        }
        let (before, after) = (before.to_owned(), after.to_owned());
        Ok(Self { template, before, after })
    }

    /// The template.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// Whether the path ends with the slot.
    pub(super) fn is_open(&self) -> bool {
        self.after.is_empty()
    }

    /// The number of `/` around the slot.
    pub(super) fn slashes(&self) -> usize {
        self.before.matches('/').count() + self.after.matches('/').count()
    }

    /// What stands before the slot, in the slot and after it, if `path` is of this form. The slot has at least one byte and
    /// no `/`.
    pub fn split<'a>(&self, path: &'a [u8]) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let rest = path.strip_prefix(self.before.as_bytes())?;
        let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let (slot, after) = rest.split_at_checked(end)?;
        let fits =
            if self.after.is_empty() { after.is_empty() } else { after.starts_with(self.after.as_bytes()) };
        let before = path.get(..self.before.len())?;
        (fits && !slot.is_empty()).then_some((before, slot, after))
    }
}

/// The stored form of an injection: an object with `kind` first.
impl Serialize for Injection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = ToString::to_string;
        let (kind, entries): (&str, Vec<(&str, String)>) = match self {
            Self::Header { name, template } => {
                ("header", vec![("name", name.clone()), ("template", text(template))])
            }
            Self::Basic { user, password } => {
                ("basic", vec![("user", text(user)), ("password", text(password))])
            }
            Self::Query { name, template } => {
                ("query", vec![("name", name.clone()), ("template", text(template))])
            }
            Self::Path(path) => ("path", vec![("template", text(&path.template))]),
            Self::JsonField { pointer, template } => {
                ("json_field", vec![("pointer", pointer.clone()), ("template", text(template))])
            }
            Self::FormField { name, template } => {
                ("form_field", vec![("name", name.clone()), ("template", text(template))])
            }
        };
        let mut map = serializer.serialize_map(Some(entries.len() + 1))?;
        map.serialize_entry("kind", kind)?;
        for (name, entry) in entries {
            map.serialize_entry(name, &entry)?;
        }
        map.end()
    }
}

fn secret(template: &Template) -> Result<(), InjectionError> {
    if template.is_secret() { Ok(()) } else { Err(InjectionError::NoValue) }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Headers that say how a message is framed, coded, routed or kept, and the gateway's own: a value there would change what
/// the request is, or never arrive.
fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn parameter(name: &str) -> Result<String, InjectionError> {
    let word = |byte: u8| byte.is_ascii_graphic() && !b"&=#+%;".contains(&byte);
    if matches!(name.len(), 1..=128) && name.bytes().all(word) {
        Ok(name.to_owned())
    } else {
        Err(InjectionError::ParameterName)
    }
}

fn check_pointer(pointer: &str) -> Result<String, InjectionError> {
    let escapes = |token: &str| {
        token.split('~').skip(1).all(|after| after.starts_with('0') || after.starts_with('1'))
            && !token.is_empty()
    };
    let well_formed = pointer.strip_prefix('/').is_some_and(|tokens| tokens.split('/').all(escapes));
    let printable = pointer.bytes().all(|byte| byte.is_ascii_graphic());
    if well_formed && printable && pointer.len() <= 256 && pointer.matches('/').count() <= POINTER_DEPTH {
        Ok(pointer.to_owned())
    } else {
        Err(InjectionError::Pointer)
    }
}

const AUTHORIZATION: &str = "authorization";

#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "accept-encoding", "alt-used", "connection", "content-encoding", "content-length", "content-range", "content-type",
    "date", "expect", "forwarded", "host", "http2-settings", "if-range", "keep-alive", "max-forwards", "origin", "range",
    "te", "trailer", "transfer-encoding", "upgrade", "via", "x-http-method", "x-http-method-override", "x-method-override",
    "x-original-url", "x-real-ip", "x-rewrite-url",
];

const RESERVED_PREFIXES: &[&str] = &["proxy-", "sec-", "x-forwarded-", "x-keyward-", "x-onecli-"];

/// Deepest place in a JSON body.
const POINTER_DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        text.parse().unwrap()
    }

    #[test]
    fn headers_of_the_connection_and_of_the_gateway_are_no_place() {
        for name in [
            "Host",
            "Connection",
            "Transfer-Encoding",
            "content-length",
            "Proxy-Authorization",
            "X-Forwarded-Host",
            "X-Keyward-Account",
            "Sec-WebSocket-Key",
            "Range",
            "x-http-method-override",
        ] {
            let refused = Injection::header(name, Template::value());
            assert_eq!(refused, Err(InjectionError::HeaderReserved), "{name}");
        }
        for name in ["", "x api", "x-api:", "x\r\ny", "é", ":authority", &"x".repeat(65)] {
            assert_eq!(
                Injection::header(name, Template::value()),
                Err(InjectionError::HeaderName),
                "{name:?}"
            );
        }
        let own = Injection::header("X-Api-Key", Template::value()).unwrap();
        assert!(matches!(own, Injection::Header { name, .. } if name == "x-api-key"));
    }

    #[test]
    fn a_place_without_the_value_is_refused() {
        for text in ["", "Bearer", "x"] {
            assert_eq!(Injection::header("x-api-key", template(text)), Err(InjectionError::NoValue));
            assert_eq!(Injection::query("key", template(text)), Err(InjectionError::NoValue));
            assert_eq!(Injection::json_field("/key", template(text)), Err(InjectionError::NoValue));
            assert_eq!(Injection::form_field("key", template(text)), Err(InjectionError::NoValue));
            assert_eq!(Injection::basic(template(text), template("x")), Err(InjectionError::NoValue));
        }
        assert!(Injection::basic(template("{v}"), template("")).is_ok());
        assert!(Injection::basic(template(""), template("{v}")).is_ok());
        assert_eq!(Injection::basic(template("a:b"), template("{v}")), Err(InjectionError::BasicUser));
        for text in [" {v}", "{v} ", "Bearer {v} "] {
            assert_eq!(Injection::header("x-api-key", template(text)), Err(InjectionError::HeaderBlank));
        }
    }

    #[test]
    fn names_that_would_be_two_parameters_are_refused() {
        for name in ["", "a=b", "a&b", "a#", "a b", "a%62", "a+b", "é", "a;b", "a\n"] {
            assert_eq!(
                Injection::query(name, Template::value()),
                Err(InjectionError::ParameterName),
                "{name:?}"
            );
            assert!(Injection::form_field(name, Template::value()).is_err(), "{name:?}");
        }
        for pointer in ["", "key", "/", "/a//b", "/a~", "/a~2", "/a b", "/é", "/1/2/3/4/5/6/7/8/9"] {
            assert_eq!(
                Injection::json_field(pointer, Template::value()),
                Err(InjectionError::Pointer),
                "{pointer:?}"
            );
        }
        assert!(Injection::json_field("/auth/a~1b~0", Template::value()).is_ok());
    }

    #[test]
    fn a_path_has_one_bounded_slot() {
        let path = |text: &str| Injection::path(template(text));
        for text in [
            "{v}",
            "bot{v}/",
            "/bot{v}x",
            "/a{v}/{b}",
            "/bot",
            "/a/../{v}",
            "/a//{v}",
            "/a?x={v}",
            "/*/{v}",
            "/bot{v}/*",
            "/a b{v}",
        ] {
            assert_eq!(path(text), Err(InjectionError::Path), "{text}");
        }
        let Ok(Injection::Path(bot)) = path("/bot{v}/") else { panic!("it is a path") };
        let split = |path: &'static [u8]| bot.split(path);
        assert_eq!(split(b"/botX/sendMessage"), Some((&b"/bot"[..], &b"X"[..], &b"/sendMessage"[..])));
        for other in [&b"/bot/sendMessage"[..], b"/botX", b"/file/botX/a", b"/BotX/a", b"/", b""] {
            assert_eq!(bot.split(other), None, "{}", String::from_utf8_lossy(other));
        }
        let Ok(Injection::Path(hook)) = path("/services/{v}") else { panic!("it is a path") };
        assert!(hook.split(b"/services/X").is_some() && hook.split(b"/services/X/Y").is_none());
    }
}
