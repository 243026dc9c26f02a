//! What is written where a value goes: text around `{v}` and `{field}`.

use std::fmt;
use std::str::FromStr;

/// Name of a further field that is sealed beside the value: `[a-z][a-z0-9_]*`, at most 32 bytes, not `v`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(String);

impl FieldName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `Bearer {v}`, `{email}/token`: literal text, the value, fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template(Vec<Part>);

/// One part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text that stands as it is: printable ASCII without braces.
    Text(String),
    /// `{v}`
    Value,
    /// `{field}`
    Field(FieldName),
}

/// Why a template was refused. The template's text is not repeated: somebody may have written the value itself there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace that does not enclose `v` or the name of a field.
    #[error("a brace that encloses neither v nor the name of a field")]
    Brace,
    /// A name that is not `[a-z][a-z0-9_]*` of at most 32 bytes, or is `v`.
    #[error("not the name of a field")]
    FieldName,
    /// A control character, or one that is not ASCII.
    #[error("a character that is not printable ASCII")]
    Character,
    /// The template is longer than [`TEMPLATE_BYTES`].
    #[error("longer than {TEMPLATE_BYTES} bytes")]
    TooLong,
}

impl TemplateError {
    /// What the user can do about the error.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Brace => "write {v} where the value goes, or {user} for a field named user",
            Self::FieldName => {
                "use small letters, digits and _, starting with a letter; v is the value itself"
            }
            Self::Character => "write printable ASCII only",
            Self::TooLong => "shorten it",
        }
    }
}

impl Template {
    /// `{v}` and nothing else.
    pub fn value() -> Self {
        Self(vec![Part::Value])
    }

    /// `Bearer {v}`.
    pub(super) fn bearer() -> Self {
        Self(vec![Part::Text("Bearer ".to_owned()), Part::Value])
    }

    /// The parts of the template, in order. No two texts are neighbours.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The fields it names.
    pub fn fields(&self) -> impl Iterator<Item = &FieldName> {
        self.0.iter().filter_map(|part| if let Part::Field(name) = part { Some(name) } else { None })
    }

    /// Whether `{v}` stands in it.
    pub fn has_value(&self) -> bool {
        self.0.contains(&Part::Value)
    }

    /// Whether `{v}` or a field stands in it.
    pub fn is_secret(&self) -> bool {
        self.has_value() || self.fields().next().is_some()
    }

    /// The bytes of its literal text.
    pub(super) fn literal(&self) -> impl Iterator<Item = u8> {
        self.0
            .iter()
            .filter_map(|part| if let Part::Text(text) = part { Some(text.bytes()) } else { None })
            .flatten()
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if text.len() > TEMPLATE_BYTES {
            return Err(TemplateError::TooLong);
        }
        if text.bytes().any(|byte| !byte.is_ascii_graphic() && byte != b' ') {
            return Err(TemplateError::Character);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(TemplateError::Brace)?;
            push_text(&mut parts, before)?;
            parts.push(match name {
                "v" => Part::Value,
                name => Part::Field(name.parse().map_err(|_| TemplateError::Brace)?),
            });
            rest = after;
        }
        push_text(&mut parts, rest)?;
        Ok(Self(parts))
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) -> Result<(), TemplateError> {
    if text.contains('}') {
        return Err(TemplateError::Brace);
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(())
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Value => f.write_str("{v}"),
            Part::Field(name) => write!(f, "{{{name}}}"),
        })
    }
}

impl FromStr for FieldName {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !starts || text == "v" || text.len() > 32 || !text.bytes().all(word) {
            return Err(TemplateError::FieldName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Longest template, in bytes.
pub const TEMPLATE_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_template_is_text_around_the_value_and_fields() {
        let parts = |text: &str| text.parse::<Template>().unwrap().parts().to_vec();
        let field = |name: &str| Part::Field(name.parse().unwrap());
        assert_eq!(parts("{v}"), [Part::Value]);
        assert_eq!(parts("Bearer {v}"), [Part::Text("Bearer ".to_owned()), Part::Value]);
        assert_eq!(parts("{email}/token"), [field("email"), Part::Text("/token".to_owned())]);
        assert_eq!(parts("{a}{v}"), [field("a"), Part::Value]);
        assert_eq!(parts(""), []);
    }

    #[test]
    fn braces_enclose_a_name_or_are_refused() {
        for text in ["{", "}", "{}", "{v", "v}", "{{v}}", "{V}", "{a b}", "{1}", "{v}}", "{-}", "{a{v}"] {
            assert_eq!(text.parse::<Template>(), Err(TemplateError::Brace), "{text}");
        }
        for text in ["a\r\nX-Evil: {v}", "a\tb", "é{v}", "\0", "a\u{7f}"] {
            assert_eq!(text.parse::<Template>(), Err(TemplateError::Character), "{text:?}");
        }
        for name in ["v", "", "A", "1a", "_a", "a-b", &"a".repeat(33)] {
            assert_eq!(name.parse::<FieldName>(), Err(TemplateError::FieldName), "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "[a-c{}v ]{0,16}") {
            if let Ok(template) = text.parse::<Template>() {
                prop_assert_eq!(template.to_string(), text);
            }
        }
    }
}
