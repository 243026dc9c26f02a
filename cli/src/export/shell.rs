//! `eval $(keyward …)`: the form that arrives byte for byte in every Bourne-like shell, quotes around it or not.
//!
//! Unquoted, the shell splits the output on IFS, expands globs in each word, and `eval` joins the words with single
//! blanks. So no two blanks and no line end may matter, and no word may be a pattern. A value of plain bytes stands in
//! single quotes. Any other byte is a reference to a variable, made in front by one `printf`:
//!
//! ```sh
//! kw_5c='\ ';
//! kw_5c="${kw_5c% }";
//! if kw_t="`printf "kw_0a='${kw_5c}012';"`"; then
//! eval "$kw_t";
//! export KEY='line'"${kw_0a}"'line'"${kw_0a}${kw_0a}";
//! unset kw_t kw_v kw_p kw_5c kw_0a;
//! else false; fi
//! ```
//!
//! - One fork however many values, and none if all are plain. Only constants are arguments: in a shell without a
//!   `printf` of its own (mksh) they show in `ps`, a secret never.
//! - `if`, so that a failed `printf` (or an output cut short, which does not parse) sets nothing rather than wrong
//!   values.
//! - The only backslash stands at the end of a word. Anywhere else it would make the word a pattern (bash 5.0), which
//!   `nullglob` removes and a file name without the backslash replaces.
//! - No `''` beside or inside quoted text (zsh RC_QUOTES), no parenthesis (zsh GLOB_SUBST), no `{` but in a reference
//!   (ksh), no comment; the backquotes in quotes (zsh GLOB_ASSIGN).
//! - zsh copies a word for each reference in it, so more than [`PIECE`] of them are put together in pieces.
//!
//! What cannot be served: an IFS with a character that this form is written in: letters, digits or any of
//! `_ = ; ' " $ { } - . / + @ %`, the backquote and the backslash. And yash holds text of its locale only: it fails,
//! with a word, on bytes that are none.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::{Var, presized};

/// Commands for `eval` that export each of `vars`; the last of one name wins. Nothing for no variables.
pub fn shell(vars: &[Var<'_>]) -> Zeroizing<Vec<u8>> {
    let used = references(vars);
    let prefix = free_prefix(vars);
    presized(|out| {
        if used.is_empty() {
            return vars.iter().try_for_each(|var| export(out, &prefix, var));
        }
        define(out, &prefix, &used)?;
        vars.iter().try_for_each(|var| export(out, &prefix, var))?;
        write!(out, "unset {prefix}t {prefix}v {prefix}p {prefix}5c")?;
        used.iter().filter(|byte| **byte != b'\\').try_for_each(|byte| write!(out, " {prefix}{byte:02x}"))?;
        out.write_all(b";\nelse false; fi\n")
    })
}

/// What is in the way of a variable of this name.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    OWN.contains(&name)
        .then_some("a variable of a shell's own, which bash, zsh, ksh or mksh does not export as it is set")
}

/// Opens the `if` and defines a variable for each byte of `used`, the backslash first, since the others are made with it.
///
/// The output of `printf` is code: in quotes, line ends survive the backquotes that would drop them at the end.
fn define(out: &mut dyn Write, prefix: &str, used: &[u8]) -> io::Result<()> {
    let escape = format!("${{{prefix}5c}}");
    write!(out, "{prefix}5c='\\ ';\n{prefix}5c=\"${{{prefix}5c% }}\";\nif {prefix}t=\"`printf \"")?;
    for byte in used.iter().filter(|byte| **byte != b'\\') {
        match byte {
            b'\'' => write!(out, "{prefix}27={escape}042{escape}047{escape}042;")?,
            _ => write!(out, "{prefix}{byte:02x}='{escape}{byte:03o}';")?,
        }
    }
    write!(out, "\"`\"; then\neval \"${prefix}t\";\n")
}

fn export(out: &mut dyn Write, prefix: &str, var: &Var<'_>) -> io::Result<()> {
    let name = var.name().as_str();
    if is_all_plain(var.value()) {
        let parts: [&[u8]; 5] = [b"export ", name.as_bytes(), b"='", var.value(), b"';\n"];
        return parts.into_iter().try_for_each(|part| out.write_all(part));
    }
    let pieces = pieces(var.value());
    if pieces.len() == 1 {
        write!(out, "export {name}=")?;
        quoted(out, prefix, var.value())?;
        return out.write_all(b";\n");
    }
    writeln!(out, "{prefix}v='';")?;
    for piece in pieces {
        write!(out, "{prefix}p=")?;
        quoted(out, prefix, piece)?;
        writeln!(out, ";\n{prefix}v=\"${prefix}v${prefix}p\";")?;
    }
    writeln!(out, "export {name}=\"${prefix}v\";")
}

/// `value`, in parts of at most [`PIECE`] references; one part, perhaps empty, if it has no more.
fn pieces(value: &[u8]) -> Vec<&[u8]> {
    let mut rest = value;
    let mut pieces = Vec::new();
    loop {
        let next = marked(rest).enumerate().filter(|(_, (_, refers))| *refers).nth(PIECE);
        let Some((end, _)) = next else {
            pieces.push(rest);
            return pieces;
        };
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
}

/// Runs of plain bytes in single quotes, runs of references in double quotes: the two kinds take turns.
fn quoted(out: &mut dyn Write, prefix: &str, value: &[u8]) -> io::Result<()> {
    if value.is_empty() {
        return out.write_all(b"''");
    }
    for (run, refers) in runs(value) {
        let quote: &[u8] = if refers { b"\"" } else { b"'" };
        out.write_all(quote)?;
        if refers {
            run.iter().try_for_each(|byte| write!(out, "${{{prefix}{byte:02x}}}"))?;
        } else {
            out.write_all(run)?;
        }
        out.write_all(quote)?;
    }
    Ok(())
}

/// The longest runs of bytes that all must be references, or all need not.
fn runs(value: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let mut marks = marked(value).map(|(_, refers)| refers).peekable();
    let mut rest = value;
    std::iter::from_fn(move || {
        let refers = marks.next()?;
        let more = std::iter::from_fn(|| marks.next_if_eq(&refers)).count();
        let (run, after) = rest.split_at(1 + more);
        rest = after;
        Some((run, refers))
    })
}

/// Each byte, and whether it must be a reference. A second blank must, or there would be a run of them; so must a `=`
/// after a blank or another `=` (zsh GLOB_SUBST and MAGIC_EQUAL_SUBST would look for a command of the name that follows).
fn marked(value: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let mut previous = 0;
    value.iter().map(move |&byte| {
        let plain = match byte {
            b' ' => previous != b' ',
            b'=' => previous != b' ' && previous != b'=',
            _ => is_plain(byte),
        };
        previous = byte;
        (byte, !plain)
    })
}

/// Whether no byte needs a look at the one before, either. So are the values of nearly all keys.
fn is_all_plain(value: &[u8]) -> bool {
    value.iter().all(|byte| is_plain(*byte))
}

/// Letters, digits, punctuation that is in no shell's patterns and in no usual IFS, and all that is not ASCII.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || !byte.is_ascii()
        || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'+' | b'@' | b'%')
}

/// Bytes that need a variable, ascending.
fn references(vars: &[Var<'_>]) -> Vec<u8> {
    let mut used = [false; 256];
    let values = vars.iter().map(Var::value).filter(|value| !is_all_plain(value));
    for (byte, refers) in values.flat_map(marked) {
        used[usize::from(byte)] |= refers;
    }
    (0..=u8::MAX).filter(|byte| used[usize::from(*byte)]).collect()
}

/// A beginning for the names of our own variables that none of `vars` has.
fn free_prefix(vars: &[Var<'_>]) -> String {
    let mut prefix = "kw_".to_owned();
    while vars.iter().any(|var| var.name().as_str().starts_with(&prefix)) {
        prefix.push('_');
    }
    prefix
}

/// References in one word.
const PIECE: usize = 100;

/// What bash, zsh, ksh93 or mksh keeps for itself: the value is lost, changed, or read as something else.
#[rustfmt::skip]
const OWN: &[&str] = &[
    "ARGC", "ARGV0", "BASHOPTS", "BASH_ALIASES", "BASH_ARGC", "BASH_ARGV", "BASH_CMDS", "BASH_COMMAND", "BASH_LINENO",
    "BASH_SOURCE", "BASH_SUBSHELL", "BASH_VERSINFO", "DIRSTACK", "FUNCNAME", "GROUPS", "HISTCHARS", "JOBMAX",
    "KEYBOARD_HACK", "KSH_VERSION", "TTYIDLE", "WATCH", "ZSH_EVAL_CONTEXT", "ZSH_SUBSHELL", "_", "aliases",
    "argv", "builtins", "commands", "dirstack", "dis_aliases", "dis_builtins", "dis_functions", "dis_functions_source",
    "dis_galiases", "dis_patchars", "dis_reswords", "dis_saliases", "fignore", "funcfiletrace", "funcsourcetrace",
    "funcstack", "functions", "functions_source", "functrace", "galiases", "histchars", "history", "historywords",
    "jobdirs", "jobstates", "jobtexts", "keymaps", "mailpath", "manpath", "modules", "nameddirs", "options",
    "parameters", "patchars", "pipestatus", "psvar", "reswords", "saliases", "signals", "termcap", "terminfo",
    "userdirs", "usergroups", "watch", "widgets", "zsh_eval_context", "zsh_scheduled_events",
];

#[cfg(test)]
mod tests {
    use keyward_wire::name::EnvName;

    use super::*;

    fn text(vars: &[(&str, &[u8])]) -> String {
        let names: Vec<EnvName> = vars.iter().map(|(name, _)| name.parse().unwrap()).collect();
        let vars: Vec<Var<'_>> =
            names.iter().zip(vars).map(|(name, (_, value))| Var::new(name, value).unwrap()).collect();
        String::from_utf8(shell(&vars).to_vec()).unwrap()
    }

    #[test]
    fn plain_values_are_plain_lines() {
        assert_eq!(text(&[]), "");
        assert_eq!(
            text(&[("A", b"sk_live-1+2/3=.@%="), ("B", b""), ("C", "grüße an alle".as_bytes())]),
            "export A='sk_live-1+2/3=.@%=';\nexport B='';\nexport C='grüße an alle';\n",
        );
    }

    #[test]
    fn other_bytes_are_references_to_what_one_printf_defines() {
        assert_eq!(
            text(&[("A", b"it's\n"), ("B", b"a  b"), ("C", b"plain")]),
            "kw_5c='\\ ';\nkw_5c=\"${kw_5c% }\";\n\
             if kw_t=\"`printf \"kw_0a='${kw_5c}012';kw_20='${kw_5c}040';\
             kw_27=${kw_5c}042${kw_5c}047${kw_5c}042;\"`\"; then\n\
             eval \"$kw_t\";\n\
             export A='it'\"${kw_27}\"'s'\"${kw_0a}\";\n\
             export B='a '\"${kw_20}\"'b';\n\
             export C='plain';\n\
             unset kw_t kw_v kw_p kw_5c kw_0a kw_20 kw_27;\n\
             else false; fi\n",
        );
    }

    #[test]
    fn own_variables_never_meet_those_of_the_user() {
        let out = text(&[("kw_0a", b"\n"), ("kw__t", b"x")]);
        assert!(out.contains("export kw_0a=\"${kw___0a}\";"), "{out}");
        assert!(out.contains("unset kw___t kw___v kw___p kw___5c kw___0a;"), "{out}");
    }

    #[test]
    fn words_stay_short_and_forks_few_however_long_or_many_the_values() {
        let long = "'\n".repeat(5_000);
        let vars: Vec<(&str, &[u8])> = vec![("A", long.as_bytes()); 20];
        let out = text(&vars);
        assert_eq!(out.matches('`').count(), 2, "one substitution");
        assert!(
            out.split_ascii_whitespace()
                .filter(|word| !word.starts_with("\"kw_"))
                .all(|word| word.matches("${").count() <= PIECE)
        );
    }

    #[test]
    fn output_has_nothing_that_splitting_or_globbing_would_change() {
        let all: Vec<u8> = (1..=127).chain(b' '..=b'~').chain([b' ', b' ', b' ']).collect();
        let out = text(&[("A", &all), ("B", b"  "), ("C", b" "), ("D", b"' '")]);
        assert!(!out.contains("  ") && !out.contains('\t'));
        assert!(
            !out.contains(['*', '?', '[', ']', '(', ')', '<', '>', '|', '&', '~', '^', '#', '!', ',', ':'])
        );
        assert!(!out.contains("''"));
        assert_eq!(out.matches('\\').count(), out.matches("\\ ").count(), "a backslash only ends a word");
        assert_eq!(out.matches('{').count(), out.matches("${kw_").count());
    }
}
