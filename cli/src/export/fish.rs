//! fish: `keyward … --format fish | source`, or `eval (keyward …)`.
//!
//! ```fish
//! begin;
//! set -gx KEY 'it\'s'\X0a'two lines';
//! true;
//! end
//! ```
//!
//! - `eval` joins the lines with blanks, so no line end may matter: one in a value is `\X0a`, outside the quotes. So is
//!   every byte that is no printable ASCII, which makes the output the same in every locale.
//! - `begin … end`, so that an output cut short does not parse and sets nothing.
//! - `true`, because `set` hands on the status of whatever ran before.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::{Var, presized};

/// Commands that export each of `vars`. No variable may be one that [`refusal`] names.
pub(super) fn fish(vars: &[Var<'_>]) -> Zeroizing<Vec<u8>> {
    presized(|out| {
        out.write_all(b"begin;\n")?;
        for var in vars {
            write!(out, "set -gx {} ", var.name())?;
            quoted(out, var.value())?;
            out.write_all(b";\n")?;
        }
        out.write_all(b"true;\nend\n")
    })
}

/// Why a variable of this name cannot be written. `None` if it can.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    let own = OWN.contains(&name) || name.starts_with("__fish_");
    own.then_some("a variable of fish's own, which cannot be set")
}

/// Runs of printable ASCII in single quotes, everything else as escapes between them.
fn quoted(out: &mut dyn Write, value: &[u8]) -> io::Result<()> {
    let mut open = false;
    for &byte in value {
        let printable = matches!(byte, b' '..=b'~');
        if open != printable {
            out.write_all(b"'")?;
            open = printable;
        }
        match byte {
            b'\'' | b'\\' => out.write_all(&[b'\\', byte])?,
            _ if printable => out.write_all(&[byte])?,
            _ => write!(out, "\\X{byte:02x}")?,
        }
    }
    match (open, value.is_empty()) {
        (true, _) => out.write_all(b"'"),
        (false, true) => out.write_all(b"''"),
        (false, false) => Ok(()),
    }
}

/// Read-only in fish, or not a variable like others (`umask`).
const OWN: [&str; 17] = [
    "FISH_VERSION",
    "PWD",
    "SHLVL",
    "_",
    "argv",
    "fish_kill_signal",
    "fish_killring",
    "fish_pid",
    "fish_terminal_color_theme",
    "history",
    "hostname",
    "pipestatus",
    "status",
    "status_generation",
    "umask",
    "version",
    "fish_private_mode",
];

#[cfg(test)]
mod tests {
    use keyward_wire::name::EnvName;

    use super::*;

    #[test]
    fn bytes_that_are_no_printable_ascii_are_escaped_outside_the_quotes() {
        let name: EnvName = "A".parse().unwrap();
        let cases: [(&[u8], &str); 6] = [
            (b"", "''"),
            (b"plain $x  (id) *", "'plain $x  (id) *'"),
            (b"it's\\", "'it\\'s\\\\'"),
            (b"\n", "\\X0a"),
            (b"a\nb\n", "'a'\\X0a'b'\\X0a"),
            (b"\xc3\xa9\xff0", "\\Xc3\\Xa9\\Xff'0'"),
        ];
        for (value, text) in cases {
            let vars = [Var::new(&name, value).unwrap()];
            let wanted = format!("begin;\nset -gx A {text};\ntrue;\nend\n");
            assert_eq!(fish(&vars).as_slice(), wanted.as_bytes(), "{value:?}");
        }
        assert_eq!(fish(&[]).as_slice(), b"begin;\ntrue;\nend\n");
    }
}
