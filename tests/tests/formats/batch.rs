//! Many values at once, through a format and its reader.

use std::collections::BTreeMap;

use keyward_cli::export::{ExportError, Format, Var, render};
use keyward_tests::machine::{Ended, Machine};

use crate::values::{hostile, ordinary};

/// The variables that a reader found: name to value.
pub(crate) type Found = BTreeMap<String, Vec<u8>>;

/// Every hostile value that the format takes, by a name.
pub(crate) struct Batch {
    format: Format,
    values: Found,
}

impl Batch {
    /// Those values, and how many were refused; each refusal named its variable and showed nothing.
    pub(crate) fn of(format: Format) -> Self {
        let mut values = Found::new();
        for (at, value) in hostile().into_iter().enumerate() {
            let name = format!("V{at}");
            match written(format, &name, &value) {
                Ok(_) => {
                    values.insert(name, value);
                }
                Err(ExportError::Refused { refused, .. }) => {
                    assert_eq!(
                        refused.iter().map(|refused| refused.name.as_str()).collect::<Vec<_>>(),
                        [name]
                    );
                }
                Err(nul) => panic!("{nul}"),
            }
        }
        Self { format, values }
    }

    /// As [`Self::of`], with what every format must hold among the values.
    pub(crate) fn with_the_ordinary(format: Format) -> Self {
        let mut batch = Self::of(format);
        for (at, value) in ordinary().into_iter().enumerate() {
            let name = format!("ORDINARY_{at}");
            assert!(written(format, &name, value).is_ok(), "{format}: {}", String::from_utf8_lossy(value));
            batch.values.insert(name, value.to_vec());
        }
        batch
    }

    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The batch with one more value under each of these names.
    pub(crate) fn under(mut self, names: &[&str]) -> Self {
        for name in names {
            self.values.insert((*name).to_owned(), b"under a name of its own".to_vec());
        }
        self
    }

    /// All in one file.
    pub(crate) fn file(&self) -> Vec<u8> {
        file(self.format, &self.values)
    }

    /// A reader's find must be exactly this.
    pub(crate) fn check(&self, reader: &str, found: &Found) {
        for (name, value) in &self.values {
            let text = String::from_utf8_lossy(value);
            let read = found.get(name).map(|read| String::from_utf8_lossy(read).into_owned());
            assert!(
                found.get(name) == Some(value),
                "{reader} read {name} as {read:?}\n  of {text:?}\n  from {}",
                String::from_utf8_lossy(&written(self.format, name, value).unwrap())
            );
        }
        assert_eq!(found.len(), self.values.len(), "{reader} found more than was written");
    }
}

/// One variable alone.
pub(crate) fn written(format: Format, name: &str, value: &[u8]) -> Result<Vec<u8>, ExportError> {
    let name = name.parse().unwrap();
    render(format, &[Var::new(&name, value)?]).map(|text| text.to_vec())
}

/// Variables that the format must take.
pub(crate) fn file(format: Format, values: &Found) -> Vec<u8> {
    let names: Vec<_> = values.keys().map(|name| name.parse().unwrap()).collect();
    let vars: Vec<_> =
        names.iter().zip(values.values()).map(|(name, value)| Var::new(name, value).unwrap()).collect();
    render(format, &vars).unwrap().to_vec()
}

/// A machine with this file, which is called `file`, and with variables that expansions would betray.
pub(crate) fn machine(file: &[u8]) -> Machine {
    let machine = Machine::new("http://127.0.0.1:1").with("LC_ALL", "C.UTF-8");
    let machine =
        ["a", "x", "_", "H", "Users"].iter().fold(machine, |machine, name| machine.with(name, "EXPANDED"));
    machine.write("file", file);
    machine
}

/// The texts of a JSON object that a program printed.
pub(crate) fn from_json(ended: Ended) -> Found {
    let text = ended.ok(&["…"]);
    let object: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
    object.into_iter().map(|(name, value)| (name, value.into_bytes())).collect()
}
