//! Whether the shell can take what `env-file --stdout` prints.

use super::check::Check;
use crate::fault::printable;
use crate::process_env::ProcessEnv;

/// The calling shell, what separates its words, and an option of zsh that breaks quoting.
pub(super) fn look(env: &ProcessEnv) -> Vec<Check> {
    let mut checks = vec![which(env)];
    checks.extend(separators(env));
    checks.extend(junkie_quotes(env));
    checks
}

fn which(env: &ProcessEnv) -> Check {
    let Some(shell) = env.shell() else {
        return Check::ok("shell", "none is known: neither SHELL nor the calling program says");
    };
    let shell = printable(&shell, 40);
    if EVALS.contains(&shell.as_str()) {
        return Check::ok("shell", format!("{shell}: eval $(keyward deployment env-file … --stdout) works"));
    }
    if let Some((_, line)) = FORMATS.iter().find(|(name, _)| *name == shell) {
        return Check::ok("shell", format!("{shell}: {line} works"));
    }
    let found = format!("{shell} does not eval what a Bourne shell does");
    Check::warn("shell", found, "start programs with `keyward run`")
}

/// Shells set IFS anew when they start; one that is exported shows what the calling shell splits by.
fn separators(env: &ProcessEnv) -> Option<Check> {
    let ifs = env.variables.get(std::ffi::OsStr::new("IFS"))?;
    let ifs = ifs.to_string_lossy();
    if ifs == " \t\n" {
        return None;
    }
    let letters = ifs.chars().any(char::is_alphanumeric);
    let found = "IFS is exported, and not what shells start with";
    Some(if letters {
        Check::warn(
            "shell",
            format!("{found}: with letters or digits in it, an unquoted eval $(…) breaks"),
            "unset IFS",
        )
    } else {
        Check::warn(
            "shell",
            format!("{found}: scripts may split words in another way than they were written for"),
            "unset IFS",
        )
    })
}

/// zsh's CSH_JUNKIE_QUOTES forbids a newline in quotes. Its files are read, not run.
fn junkie_quotes(env: &ProcessEnv) -> Option<Check> {
    let files = [".zshenv", ".zprofile", ".zshrc", ".zlogin"].map(|name| env.in_home("ZDOTDIR", name));
    let system =
        ["/etc/zsh/zshenv", "/etc/zsh/zshrc", "/etc/zshenv", "/etc/zshrc"].map(|name| Some(name.into()));
    let sets = files.into_iter().chain(system).flatten().find(|path| {
        std::fs::read(path).is_ok_and(|text| String::from_utf8_lossy(&text).lines().any(sets_junkie_quotes))
    })?;
    Some(Check::warn(
        "shell",
        format!("{} sets CSH_JUNKIE_QUOTES, with which zsh misreads quotes", sets.display()),
        "remove it; or in the scripts: emulate -L zsh",
    ))
}

fn sets_junkie_quotes(line: &str) -> bool {
    let code = line.split('#').next().unwrap_or_default().to_lowercase().replace('_', "");
    let sets = code.contains("setopt") && !code.contains("unsetopt") || code.contains("set -o");
    let negated = code.contains("nocshjunkiequotes");
    sets && code.contains("cshjunkiequotes") && !negated || code.contains("unsetopt") && negated
}

/// Shells that the form of `env-file --stdout` was made for.
const EVALS: [&str; 10] = ["sh", "dash", "ash", "busybox", "bash", "zsh", "ksh", "ksh93", "mksh", "yash"];

/// Shells that have a format of their own.
const FORMATS: [(&str, &str); 2] = [
    ("fish", "keyward deployment env-file … --stdout --format fish | source; or exit"),
    ("pwsh", "keyward deployment env-file … --stdout --format powershell | Invoke-Expression"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csh_junkie_quotes_are_found_however_they_are_written() {
        for line in [
            "setopt CSH_JUNKIE_QUOTES",
            "  setopt cshjunkiequotes extendedglob",
            "set -o csh_junkie_quotes",
            "unsetopt no_csh_junkie_quotes",
        ] {
            assert!(sets_junkie_quotes(line), "{line}");
        }
        for line in [
            "# setopt csh_junkie_quotes",
            "unsetopt csh_junkie_quotes",
            "setopt no_csh_junkie_quotes",
            "setopt extendedglob",
        ] {
            assert!(!sets_junkie_quotes(line), "{line}");
        }
    }
}
