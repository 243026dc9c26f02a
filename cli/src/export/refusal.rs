//! What a format cannot hold, said by name and reason.

use std::fmt;

use keyward_wire::name::EnvName;

use super::Format;

/// Why variables cannot be written. It says names, never values.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// No environment variable can hold it, in any format.
    #[error("the value of {name} has a NUL byte, which no environment variable can hold")]
    Nul {
        /// The name of the variable.
        name: EnvName,
    },
    /// A program that reads the format would find something else.
    #[error("{format} cannot hold {}", Reasons(refused))]
    Refused {
        /// The format asked for.
        format: Format,
        /// All variables concerned.
        refused: Vec<Refused>,
        /// Formats that hold all of the variables.
        instead: Vec<Format>,
    },
}

/// A variable that a format cannot hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// The name of the variable.
    pub name: EnvName,
    /// The reason.
    pub why: &'static str,
}

impl ExportError {
    /// What the user can do about the error.
    pub fn next(&self) -> String {
        match self {
            Self::Nul { name } => format!("give {name} another value, or unmap it"),
            Self::Refused { instead, .. } => {
                let formats: Vec<String> = instead.iter().map(Format::to_string).collect();
                format!("--format {} can; keyward run can, too", formats.join(", "))
            }
        }
    }
}

/// `A, B: why; C: why`
struct Reasons<'a>(&'a [Refused]);

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reasons: Vec<&str> = Vec::new();
        for refused in self.0 {
            if !reasons.contains(&refused.why) {
                reasons.push(refused.why);
            }
        }
        for (at, why) in reasons.into_iter().enumerate() {
            let names =
                self.0.iter().filter(|refused| refused.why == why).map(|refused| refused.name.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            write!(f, "{}{names}: {why}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}
