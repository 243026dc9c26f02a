//! Variables out, in the forms that other programs read. Pure: values in, bytes out.
//!
//! Whatever holds a value is wiped when it is dropped, and is made in its final size, so that growing it leaves no copy
//! behind.

mod dotenv;
mod json;
mod shell;

use std::fmt;
use std::io::{self, Write};

use keyward_wire::name::EnvName;
use zeroize::Zeroizing;

pub use shell::shell;

/// Forms that variables are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For `eval` in any Bourne-like shell
    Shell,
    /// A .env file
    Dotenv,
    /// One object, name to value
    Json,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shell => "shell",
            Self::Dotenv => "dotenv",
            Self::Json => "json",
        })
    }
}

/// One variable that an environment can hold: the value is any bytes without NUL. No `Debug`.
#[derive(Clone, Copy)]
pub struct Var<'a> {
    name: &'a EnvName,
    value: &'a [u8],
}

impl<'a> Var<'a> {
    /// Refuses a value with a NUL byte: it would be cut short there.
    pub fn new(name: &'a EnvName, value: &'a [u8]) -> Result<Self, ExportError> {
        if value.contains(&0) {
            return Err(ExportError::Nul { name: name.clone() });
        }
        Ok(Self { name, value })
    }

    /// Its name.
    pub fn name(&self) -> &'a EnvName {
        self.name
    }

    /// Its value, as bytes.
    pub fn value(&self) -> &'a [u8] {
        self.value
    }
}

/// Why variables cannot be written. Says names, never values.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// No environment variable can hold it, in any format.
    #[error("the value of {name} has a NUL byte, which no environment variable can hold")]
    Nul {
        /// Of the variable.
        name: EnvName,
    },
    /// The format holds text; the shell format and `run` hold any bytes.
    #[error(
        "{} cannot be written as {format}: not UTF-8 text; use --format shell, or keyward run",
        list(names)
    )]
    NotText {
        /// The format asked for.
        format: Format,
        /// All variables concerned.
        names: Vec<EnvName>,
    },
}

/// All of `vars`, in their order. Names are expected to be distinct.
pub fn render(format: Format, vars: &[Var<'_>]) -> Result<Zeroizing<Vec<u8>>, ExportError> {
    match format {
        Format::Shell => Ok(shell(vars)),
        Format::Dotenv => Ok(dotenv::dotenv(&texts(format, vars)?)),
        Format::Json => Ok(json::json(&texts(format, vars)?)),
    }
}

/// Names and values for a format that holds text only.
fn texts<'a>(format: Format, vars: &[Var<'a>]) -> Result<Vec<(&'a str, &'a str)>, ExportError> {
    let text = |var: &Var<'a>| std::str::from_utf8(var.value).ok();
    let names: Vec<EnvName> =
        vars.iter().filter(|var| text(var).is_none()).map(|var| var.name.clone()).collect();
    if !names.is_empty() {
        return Err(ExportError::NotText { format, names });
    }
    Ok(vars.iter().filter_map(|var| Some((var.name.as_str(), text(var)?))).collect())
}

fn list(names: &[EnvName]) -> String {
    names.iter().map(EnvName::as_str).collect::<Vec<_>>().join(", ")
}

/// What `write` writes, in a buffer that never grew: `write` runs twice, first to be measured.
fn presized(write: impl Fn(&mut dyn Write) -> io::Result<()>) -> Zeroizing<Vec<u8>> {
    let mut length = Length(0);
    write(&mut length).expect("counting does not fail");
    let mut out = Zeroizing::new(Vec::with_capacity(length.0));
    write(&mut *out).expect("a Vec takes everything");
    debug_assert_eq!(out.len(), length.0);
    out
}

struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_a_format_cannot_hold_are_refused_by_name_and_not_shown() {
        let [a, b, c] = ["A", "B", "C"].map(|name| name.parse::<EnvName>().unwrap());
        let vars = [
            Var::new(&a, b"hunter2\xff").unwrap(),
            Var::new(&b, b"fine").unwrap(),
            Var::new(&c, b"\xc3").unwrap(),
        ];
        for format in [Format::Dotenv, Format::Json] {
            let error = render(format, &vars).err().unwrap();
            assert_eq!(error, ExportError::NotText { format, names: vec![a.clone(), c.clone()] });
            assert!(error.to_string().starts_with("A, C cannot be written as "));
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        assert!(render(Format::Shell, &vars).is_ok());
        assert_eq!(Var::new(&a, b"x\0").err(), Some(ExportError::Nul { name: a.clone() }));
    }

    #[test]
    fn output_is_made_in_its_final_size() {
        let name: EnvName = "A".parse().unwrap();
        let value = "it's \"a\" $value\n\u{1}é ".repeat(50);
        let vars = [Var::new(&name, value.as_bytes()).unwrap()];
        for format in [Format::Shell, Format::Dotenv, Format::Json] {
            let out = render(format, &vars).unwrap();
            assert_eq!(out.len(), out.capacity());
        }
    }
}
