//! Whether a value can stand where its rule writes it: asked when it is stored, and again before it is sent.

use zeroize::Zeroizing;

use super::injection::{Injection, PathTemplate};
use super::template::{FieldName, Part, Template};
use super::{RequestPath, Rule};

/// A key's value and the fields beside it. Borrowed, never copied here but into what is wiped.
pub struct Values<'a, F> {
    /// The value.
    pub value: &'a [u8],
    /// The field of a name, if there is one.
    pub field: F,
}

/// Why a value cannot stand where its rule writes it. It names the place, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The value, or a field, is empty.
    #[error("an empty value or field would be sent")]
    Empty,
    /// The rule names a field that is not there.
    #[error("the rule writes the field {0}, which has no value")]
    MissingField(FieldName),
    /// A control character, a byte that is not ASCII, or a blank at an end.
    #[error(
        "a header cannot hold it: it has a line end, another control character, a character that is not ASCII, or a blank at an end"
    )]
    Header,
    /// A control character, or a `:` in the user.
    #[error("Basic cannot hold it: it has a control character, or a : in the user")]
    Basic,
    /// A character that a path would have to encode, or that makes it another path.
    #[error("a path cannot hold it as it is")]
    Path,
    /// The value is not UTF-8, or has a NUL in it.
    #[error("JSON, a form or a query cannot hold it: it is not text, or has a NUL")]
    Text,
}

impl ValueError {
    /// What the user can do about the error.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Empty => "give it a value",
            Self::MissingField(_) => "give it with --field NAME=VALUE or --field-file NAME=FILE",
            Self::Header | Self::Basic | Self::Path | Self::Text => {
                "check the value: a file often ends with a line end, which --value-stdin drops"
            }
        }
    }
}

impl Rule {
    /// Checks that every place of the rule can hold what would be written there.
    ///
    /// # Errors
    /// [`ValueError`] names the first place that cannot.
    pub fn check_values<'a, F: Fn(&FieldName) -> Option<&'a [u8]>>(
        &self,
        values: &Values<'a, F>,
    ) -> Result<(), ValueError> {
        self.terms().into.iter().try_for_each(|injection| check(injection, values))
    }
}

impl Template {
    /// What is written: its text with the value and fields in their places, in a buffer that never grows.
    ///
    /// # Errors
    /// [`ValueError`] if a field is not there, or something is empty.
    pub fn render<'a, F: Fn(&FieldName) -> Option<&'a [u8]>>(
        &self,
        values: &Values<'a, F>,
    ) -> Result<Zeroizing<Vec<u8>>, ValueError> {
        let mut length = 0;
        self.each(values, |bytes| length += bytes.len())?;
        let mut rendered = Zeroizing::new(Vec::with_capacity(length));
        self.each(values, |bytes| rendered.extend_from_slice(bytes))?;
        Ok(rendered)
    }

    fn each<'a, F: Fn(&FieldName) -> Option<&'a [u8]>>(
        &self,
        values: &Values<'a, F>,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), ValueError> {
        for part in self.parts() {
            let secret = match part {
                Part::Text(text) => {
                    take(text.as_bytes());
                    continue;
                }
                Part::Value => values.value,
                Part::Field(name) => {
                    (values.field)(name).ok_or_else(|| ValueError::MissingField(name.clone()))?
                }
            };
            if secret.is_empty() {
                return Err(ValueError::Empty);
            }
            take(secret);
        }
        Ok(())
    }
}

fn check<'a, F: Fn(&FieldName) -> Option<&'a [u8]>>(
    injection: &Injection,
    values: &Values<'a, F>,
) -> Result<(), ValueError> {
    match injection {
        Injection::Header { template, .. } => {
            let text = template.render(values)?;
            let visible = text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
            let blank = text.first() == Some(&b' ') || text.last() == Some(&b' ');
            if visible && !blank { Ok(()) } else { Err(ValueError::Header) }
        }
        Injection::Basic { user, password } => {
            let (user, password) = (user.render(values)?, password.render(values)?);
            let control = user.iter().chain(password.iter()).any(u8::is_ascii_control);
            if control || user.contains(&b':') { Err(ValueError::Basic) } else { Ok(()) }
        }
        Injection::Path(path) => check_path(path, values),
        Injection::Query { template, .. }
        | Injection::FormField { template, .. }
        | Injection::JsonField { template, .. } => {
            let text = template.render(values)?;
            if std::str::from_utf8(&text).is_err() || text.contains(&0) {
                Err(ValueError::Text)
            } else {
                Ok(())
            }
        }
    }
}

/// The whole path is still one that every server reads alike, and goes no further than the template says.
fn check_path<'a, F: Fn(&FieldName) -> Option<&'a [u8]>>(
    path: &PathTemplate,
    values: &Values<'a, F>,
) -> Result<(), ValueError> {
    let text = path.template().render(values)?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(byte);
    let slashes = |bytes: &[u8]| memchr::memchr_iter(b'/', bytes).count();
    // A value with `/` in it, as that of a webhook, is for the end of a path.
    let bounded = path.is_open() || slashes(&text) == path.slashes();
    let readable = RequestPath::new(&text).is_ok() && (!path.is_open() || !text.ends_with(b"/"));
    if text.iter().all(plain) && bounded && readable { Ok(()) } else { Err(ValueError::Path) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Template, Terms};

    fn checked(place: &str, value: &[u8], user: Option<&[u8]>) -> Result<(), ValueError> {
        let rule =
            Rule::new(Terms::new(vec!["a.test".parse().unwrap()], vec![place.parse().unwrap()])).unwrap();
        rule.check_values(&Values {
            value,
            field: |name: &FieldName| user.filter(|_| name.as_str() == "user"),
        })
    }

    #[test]
    fn what_would_break_out_of_its_place_is_refused() {
        for (place, value, why) in [
            ("bearer", &b"x\r\nX-Evil: 1"[..], ValueError::Header),
            ("bearer", b"secret\n", ValueError::Header),
            ("bearer", b"a\0b", ValueError::Header),
            ("bearer", b"a\tb", ValueError::Header),
            ("bearer", b"secret ", ValueError::Header),
            ("header:x-api-key", b" secret", ValueError::Header),
            ("bearer", "geheim\u{e9}".as_bytes(), ValueError::Header),
            ("bearer", b"", ValueError::Empty),
            ("basic:u", b"a\nb", ValueError::Basic),
            ("basic:{v}:", b"a:b", ValueError::Basic),
            ("path:/bot{v}/", b"a/../b", ValueError::Path),
            ("path:/bot{v}/", b"a/b", ValueError::Path),
            ("path:/bot{v}/", b"a?b", ValueError::Path),
            ("path:/bot{v}/", b"a b", ValueError::Path),
            ("path:/bot{v}/", b"a%2fb", ValueError::Path),
            ("path:/s/{v}", b"a/../b", ValueError::Path),
            ("path:/s/{v}", b"..", ValueError::Path),
            ("path:/s/{v}", b"a//b", ValueError::Path),
            ("path:/s/{v}", b"a/", ValueError::Path),
            ("path:/s/{v}", b"/a", ValueError::Path),
            ("json:/key", b"\xff", ValueError::Text),
            ("query:key", b"a\0", ValueError::Text),
        ] {
            assert_eq!(checked(place, value, None), Err(why), "{place} {}", String::from_utf8_lossy(value));
        }
        for (place, value) in [
            ("bearer", &b"sk-ant-api03_x.y/z+=="[..]),
            ("basic:u", "p\u{e4}ss:word".as_bytes()),
            ("path:/bot{v}/", b"123:ABC-def"),
            ("path:/services/{v}", b"T0/B0/xyz"),
            ("query:key", b"a&b=c#d"),
            ("json:/key", b"\"\\\n"),
        ] {
            assert_eq!(checked(place, value, None), Ok(()), "{place}");
        }
    }

    #[test]
    fn a_field_that_the_rule_writes_must_be_there() {
        let missing = ValueError::MissingField("user".parse().unwrap());
        assert_eq!(checked("basic:{user}", b"secret", None), Err(missing));
        assert_eq!(checked("basic:{user}", b"secret", Some(b"")), Err(ValueError::Empty));
        assert_eq!(checked("basic:{user}", b"secret", Some(b"a:b")), Err(ValueError::Basic));
        assert_eq!(checked("basic:{user}/token", b"secret", Some(b"me@example.com")), Ok(()));
    }

    #[test]
    fn a_template_is_rendered_without_a_second_reading() {
        let template: Template = "{user}:{v}".parse().unwrap();
        let values = Values { value: b"{user}", field: |_: &FieldName| Some(&b"{v}"[..]) };
        assert_eq!(template.render(&values).unwrap().as_slice(), b"{v}:{user}");
    }
}
