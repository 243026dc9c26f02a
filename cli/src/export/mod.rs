//! Variables out, in the forms that other programs read. Pure: values in, bytes out.
//!
//! Whatever holds a value is wiped when it is dropped, and is made in its final size, so that growing it leaves no copy
//! behind.

pub mod archive;
mod docker;
mod dotenv;
mod fish;
mod github_actions;
mod json;
mod powershell;
mod refusal;
mod shell;
mod systemd;
mod yaml;

use std::fmt;
use std::io::{self, Write};

use clap::ValueEnum as _;
use keyward_wire::name::EnvName;
use zeroize::Zeroizing;

pub use github_actions::masks;
pub use refusal::{ExportError, Refused};
pub use shell::shell;

/// Forms that variables are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For `eval` in any Bourne-like shell
    Shell,
    /// For `source` or `eval` in fish
    Fish,
    /// For Invoke-Expression in PowerShell
    Powershell,
    /// A .env file, for python-dotenv, dotenv for Node and docker compose
    Dotenv,
    /// One JSON object, name to value
    Json,
    /// One YAML mapping, name to value
    Yaml,
    /// For docker run --env-file
    Docker,
    /// For the file that $GITHUB_ENV names; masks the values in the log
    GithubActions,
    /// For EnvironmentFile= of a systemd unit
    Systemd,
}

impl Format {
    /// Whether a program runs what it reads: then a failure must say `false`, or it would go on.
    pub fn is_run(self) -> bool {
        matches!(self, Self::Shell | Self::Fish)
    }

    /// Why a variable among `vars` cannot be written. `None` if it can.
    fn refusal(self, var: &Var<'_>, vars: &[Var<'_>]) -> Option<&'static str> {
        let name = var.name.as_str();
        match self {
            Self::Shell => return shell::refusal(name),
            Self::Fish => return fish::refusal(name),
            _ => {}
        }
        let Ok(value) = str::from_utf8(var.value) else {
            return Some("not UTF-8 text");
        };
        match self {
            Self::Shell | Self::Fish | Self::Json | Self::Yaml => None,
            Self::Powershell => {
                powershell::refusal(name, value, vars.iter().map(|other| other.name.as_str()))
            }
            Self::Dotenv => dotenv::refusal(value),
            Self::Docker => docker::refusal(name, value),
            Self::GithubActions => github_actions::refusal(name, value),
            Self::Systemd => systemd::refusal(value),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shell => "shell",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Dotenv => "dotenv",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Docker => "docker",
            Self::GithubActions => "github-actions",
            Self::Systemd => "systemd",
        })
    }
}

/// A variable that an environment can hold: the value is any bytes without NUL. It has no `Debug`.
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

    /// The variable's name.
    pub fn name(&self) -> &'a EnvName {
        self.name
    }

    /// The variable's value, as bytes.
    pub fn value(&self) -> &'a [u8] {
        self.value
    }
}

/// Why the form for `eval` cannot hold a variable of this name, whatever its value. `None` if it can.
pub fn shell_refusal(name: &EnvName) -> Option<&'static str> {
    shell::refusal(name.as_str())
}

/// All of `vars`, in their order, as a reader of the format finds them again, or none. Names are expected to be distinct.
pub fn render(format: Format, vars: &[Var<'_>]) -> Result<Zeroizing<Vec<u8>>, ExportError> {
    let refused = refusals(format, vars);
    if !refused.is_empty() {
        let holds_all = |other: &Format| refusals(*other, vars).is_empty();
        let instead = Format::value_variants().iter().copied().filter(holds_all).collect();
        return Err(ExportError::Refused { format, refused, instead });
    }
    let texts: Vec<(&str, &str)> =
        vars.iter().filter_map(|var| Some((var.name.as_str(), str::from_utf8(var.value).ok()?))).collect();
    Ok(match format {
        Format::Shell => shell(vars),
        Format::Fish => fish::fish(vars),
        Format::Powershell => powershell::powershell(&texts),
        Format::Dotenv => dotenv::dotenv(&texts),
        Format::Json => json::json(&texts),
        Format::Yaml => yaml::yaml(&texts),
        Format::Docker => docker::docker(&texts),
        Format::GithubActions => github_actions::github_actions(&texts),
        Format::Systemd => systemd::systemd(&texts),
    })
}

fn refusals(format: Format, vars: &[Var<'_>]) -> Vec<Refused> {
    let refused = |var: &Var<'_>| Some(Refused { name: var.name.clone(), why: format.refusal(var, vars)? });
    vars.iter().filter_map(refused).collect()
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

    fn vars<'a>(names: &'a [EnvName], values: &[&'a [u8]]) -> Vec<Var<'a>> {
        names.iter().zip(values).map(|(name, value)| Var::new(name, value).unwrap()).collect()
    }

    #[test]
    fn what_a_format_cannot_hold_is_refused_by_name_and_not_shown() {
        let names = ["A", "B", "C", "D"].map(|name| name.parse::<EnvName>().unwrap());
        let [a, b, c, d] = &names;
        let vars = vars(&names, &[b"hunter2\xff", b"fine", b"\xc3", b"\r\n${hunter2}\n"]);
        for &format in Format::value_variants() {
            let Err(error) = render(format, &vars) else {
                assert!(format.is_run(), "{format}");
                continue;
            };
            let said = error.to_string();
            assert!(said.starts_with(&format!("{format} cannot hold A, C: not UTF-8 text")), "{said}");
            assert_eq!(error.next(), "--format shell, fish can; keyward run can, too");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{said}");
            assert!(!said.contains(b.as_str()), "{said}");
            let text_only =
                matches!(format, Format::Json | Format::Yaml | Format::GithubActions | Format::Powershell);
            assert_eq!(said.contains(&format!("; {d}: ")), !text_only, "{said}");
        }
        assert_eq!(Var::new(a, b"x\0").err(), Some(ExportError::Nul { name: a.clone() }));
        assert_eq!(c.as_str(), "C");
    }

    #[test]
    fn a_refusal_names_the_formats_that_hold_everything() {
        let names = ["A".parse().unwrap()];
        let error = render(Format::Docker, &vars(&names, &[b"two\nlines"])).err().unwrap();
        assert_eq!(
            error.next(),
            "--format shell, fish, powershell, dotenv, json, yaml, github-actions, systemd can; keyward run can, too"
        );
    }

    #[test]
    fn output_is_made_in_its_final_size() {
        let names = ["A".parse().unwrap()];
        let value = "it's a value\u{e9} ".repeat(50);
        let vars = vars(&names, &[value.trim_end().as_bytes()]);
        for &format in Format::value_variants() {
            let out = render(format, &vars).unwrap();
            assert_eq!(out.len(), out.capacity(), "{format}");
        }
    }

    #[test]
    fn a_format_is_called_what_the_command_line_calls_it() {
        for format in Format::value_variants() {
            assert_eq!(format.to_string(), format.to_possible_value().unwrap().get_name());
        }
    }
}
