//! JSON whose parts know where they stand: the parser keeps each value as a piece of the file's text.

use std::collections::BTreeSet;
use std::fmt;

use keyward_crypto::state::secret;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::problem::{At, Problem};

/// A file that is JSON, or several JSON documents one after another.
pub(super) struct Document<'a> {
    text: &'a str,
    /// Offsets of line ends.
    ends: Vec<usize>,
    /// The documents.
    pub(super) roots: Vec<&'a RawValue>,
}

/// The members of an object, in the file's order.
pub(super) struct Fields<'a> {
    at: At,
    members: Vec<(String, &'a RawValue)>,
}

impl<'a> Document<'a> {
    /// Reads the outermost form. UTF-8, with or without a byte order mark.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Vec<Problem>> {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(vec![Problem::line(1, "the file is UTF-16: save it as UTF-8")]);
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            vec![Problem::line(1 + newlines(before).count(), "not UTF-8: save the file as UTF-8")]
        })?;
        if !text.trim_start().starts_with(['{', '[']) {
            return Err(vec![Problem::line(1, "this is no JSON: it begins with neither { nor [")]);
        }
        let roots = serde_json::Deserializer::from_str(text).into_iter().collect::<Result<Vec<_>, _>>();
        // The parser's own words quote the file.
        let roots =
            roots.map_err(|error| vec![Problem::line(error.line(), "this is no JSON from here on")])?;
        Ok(Self { text, ends: newlines(bytes).collect(), roots })
    }

    /// The one document, if there is one only.
    pub(super) fn only(&self) -> Result<&'a RawValue, Vec<Problem>> {
        match self.roots.as_slice() {
            [root] => Ok(root),
            [_, second, ..] => {
                Err(vec![Problem::line(self.line(second), "a second JSON document begins here")])
            }
            [] => Err(vec![Problem::line(1, "there is nothing in it")]),
        }
    }

    /// The line on which a part begins.
    pub(super) fn line(&self, part: &RawValue) -> usize {
        let offset = part.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        1 + self.ends.partition_point(|end| *end < offset)
    }

    /// The place of the record of this index.
    pub(super) fn at(&self, index: usize, part: &RawValue) -> At {
        At::Record { number: index + 1, line: self.line(part) }
    }

    /// The objects of the documents, which are objects or lists of them.
    pub(super) fn records(&self) -> Result<Vec<Fields<'a>>, Vec<Problem>> {
        let (mut records, mut problems) = (Vec::new(), Vec::new());
        for root in &self.roots {
            let parts = serde_json::from_str::<Vec<&'a RawValue>>(root.get()).unwrap_or_else(|_| vec![*root]);
            for part in parts {
                match Fields::of(self.at(records.len() + problems.len(), part), part) {
                    Ok(fields) => records.push(fields),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if problems.is_empty() { Ok(records) } else { Err(problems) }
    }

    /// The members of the one document.
    pub(super) fn members(&self) -> Result<Vec<(String, &'a RawValue)>, Vec<Problem>> {
        let root = self.only()?;
        let fields = Fields::of(At::Line(self.line(root)), root).map_err(|problem| vec![problem])?;
        Ok(fields.members)
    }
}

impl<'a> Fields<'a> {
    /// The members of this object.
    pub(super) fn of(at: At, part: &'a RawValue) -> Result<Self, Problem> {
        let members = serde_json::from_str::<Members<'a>>(part.get());
        let Members(members) = members.map_err(|_| Problem::new(at, "not an object"))?;
        Ok(Self { at, members })
    }

    /// The place of this record in the file.
    pub(super) fn at(&self) -> At {
        self.at
    }

    /// Whether it has this member.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(member, _)| member == name)
    }

    /// Takes a member out. Twice the same one is ambiguous.
    pub(super) fn take(&mut self, name: &'static str) -> Result<Option<&'a RawValue>, Problem> {
        let Some(at) = self.members.iter().position(|(member, _)| member == name) else { return Ok(None) };
        let (_, value) = self.members.remove(at);
        if self.has(name) {
            return Err(Problem::new(self.at, format!("{name} stands twice in it")));
        }
        Ok(Some(value))
    }

    /// Takes a text out. `null` is none.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<Zeroizing<String>>, Problem> {
        match self.take(name)? {
            Some(value) if value.get() == "null" => Ok(None),
            Some(value) => match text(value) {
                Some(text) => Ok(Some(text)),
                None => Err(Problem::new(self.at, format!("{name} is no text"))),
            },
            None => Ok(None),
        }
    }

    /// Takes out a text that says something.
    pub(super) fn words(&mut self, name: &'static str) -> Result<Option<Zeroizing<String>>, Problem> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// Takes out a text that must be there.
    pub(super) fn required(&mut self, name: &'static str) -> Result<Zeroizing<String>, Problem> {
        self.text(name)?.ok_or_else(|| Problem::new(self.at, format!("it has no {name}")))
    }

    /// Takes out a list of texts.
    pub(super) fn list(&mut self, name: &'static str) -> Result<Vec<String>, Problem> {
        let Some(value) = self.take(name)?.filter(|value| value.get() != "null") else {
            return Ok(Vec::new());
        };
        serde_json::from_str(value.get())
            .map_err(|_| Problem::new(self.at, format!("{name} is no list of texts")))
    }

    /// Takes out an object of texts.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<secret::Fields, Problem> {
        let Some(value) = self.take(name)?.filter(|value| value.get() != "null") else {
            return Ok(secret::Fields::new());
        };
        let Members(members) = serde_json::from_str(value.get())
            .map_err(|_| Problem::new(self.at, format!("{name} is no object")))?;
        let mut texts = secret::Fields::new();
        for (member, value) in members {
            let text = text(value)
                .ok_or_else(|| Problem::new(self.at, format!("{name} has something that is no text")))?;
            if texts.insert(member, text).is_some() {
                return Err(Problem::new(self.at, format!("{name} has something twice")));
            }
        }
        Ok(texts)
    }

    /// Takes out an object as it stands.
    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Zeroizing<String>>, Problem> {
        let value = self.take(name)?.filter(|value| value.get() != "null");
        Ok(value.map(|value| Zeroizing::new(value.get().to_owned())))
    }

    /// Takes out a list of anything.
    pub(super) fn parts(&mut self, name: &'static str) -> Result<Vec<&'a RawValue>, Problem> {
        let Some(value) = self.take(name)?.filter(|value| value.get() != "null") else {
            return Ok(Vec::new());
        };
        serde_json::from_str(value.get()).map_err(|_| Problem::new(self.at, format!("{name} is no list")))
    }

    /// Notes which of the members that nobody took say something.
    pub(super) fn leave(self, not_kept: &mut BTreeSet<String>) {
        let silent = |value: &RawValue| matches!(value.get(), "null" | "\"\"" | "[]" | "{}" | "false");
        not_kept.extend(self.members.into_iter().filter(|(_, value)| !silent(value)).map(|(name, _)| name));
    }
}

/// A value that is a text.
pub(super) fn text(value: &RawValue) -> Option<Zeroizing<String>> {
    serde_json::from_str(value.get()).ok().map(Zeroizing::new)
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Map)
    }
}

fn newlines(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at)
}
