//! GitHub Actions: lines for the file that `$GITHUB_ENV` names, and the commands that keep values out of the log.
//!
//! ```text
//! NAME<<kw_d41d8cd98f00b204e9800998ecf8427e
//! value, line ends and all
//! kw_d41d8cd98f00b204e9800998ecf8427e
//! ```
//!
//! A delimiter of 128 random bits for each value: whoever chose the value could not know it, so no line of it ends the
//! value early and begins another variable.

use std::io::{self, Write};

use keyward_crypto::random_bytes;
use zeroize::Zeroizing;

use super::presized;

/// The lines for each variable. No variable may be one that [`refusal`] names.
pub(super) fn github_actions(vars: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    let delimiters: Vec<String> = vars.iter().map(|(_, value)| delimiter(value)).collect();
    presized(|out| {
        vars.iter()
            .zip(&delimiters)
            .try_for_each(|((name, value), end)| writeln!(out, "{name}<<{end}\n{value}\n{end}"))
    })
}

/// Workflow commands that make the runner hide each value of `vars`, and each line of it, in everything it logs.
///
/// Without them it would print the values at the head of every later step.
pub fn masks(values: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let worth = |value: &&&[u8]| !value.trim_ascii().is_empty();
    presized(|out| {
        values.iter().filter(worth).try_for_each(|value| {
            out.write_all(b"::add-mask::")?;
            escaped(out, value)?;
            out.write_all(b"\n")
        })
    })
}

/// Why this variable cannot be written. `None` if it can.
pub(super) fn refusal(name: &str, value: &str) -> Option<&'static str> {
    let own = |prefix: &str, names: &[&str]| {
        let rest = name.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix));
        let rest = rest.and_then(|_| name.get(prefix.len()..));
        rest.is_some_and(|rest| names.iter().any(|own| own.eq_ignore_ascii_case(rest)))
    };
    if name.eq_ignore_ascii_case("NODE_OPTIONS") {
        Some("a name that GitHub does not take from $GITHUB_ENV")
    } else if own("GITHUB_", &GITHUB) || own("RUNNER_", &RUNNER) {
        Some("a variable of GitHub's own, which the runner sets again")
    } else if value.ends_with('\r') {
        Some("a carriage return at the end, which a runner on Windows drops")
    } else {
        None
    }
}

fn delimiter(value: &str) -> String {
    loop {
        let random = data_encoding::HEXLOWER.encode(&random_bytes::<16>());
        let delimiter = format!("kw_{random}");
        if !value.contains(&delimiter) {
            return delimiter;
        }
    }
}

/// The value, escaped in the way in which the runner decodes what stands behind a command.
fn escaped(out: &mut dyn Write, value: &[u8]) -> io::Result<()> {
    value.iter().try_for_each(|byte| match byte {
        b'%' | b'\r' | b'\n' => write!(out, "%{byte:02X}"),
        byte => out.write_all(&[*byte]),
    })
}

/// What follows `GITHUB_` in the variables that the runner sets for each step.
const GITHUB: [&str; 40] = [
    "ACTION",
    "ACTIONS",
    "ACTION_PATH",
    "ACTION_REF",
    "ACTION_REPOSITORY",
    "ACTOR",
    "ACTOR_ID",
    "API_URL",
    "ARTIFACTS",
    "ARTIFACTS_LIST",
    "BASE_REF",
    "ENV",
    "EVENT_NAME",
    "EVENT_PATH",
    "GRAPHQL_URL",
    "HEAD_REF",
    "JOB",
    "OUTPUT",
    "PATH",
    "REF",
    "REF_NAME",
    "REF_PROTECTED",
    "REF_TYPE",
    "REPOSITORY",
    "REPOSITORY_ID",
    "REPOSITORY_OWNER",
    "REPOSITORY_OWNER_ID",
    "RETENTION_DAYS",
    "RUN_ATTEMPT",
    "RUN_ID",
    "RUN_NUMBER",
    "SERVER_URL",
    "SHA",
    "STATE",
    "STEP_SUMMARY",
    "TRIGGERING_ACTOR",
    "WORKFLOW",
    "WORKFLOW_REF",
    "WORKFLOW_SHA",
    "WORKSPACE",
];

/// Names that may not follow `RUNNER_`.
const RUNNER: [&str; 8] = ["ARCH", "DEBUG", "ENVIRONMENT", "NAME", "OS", "TEMP", "TOOL_CACHE", "WORKSPACE"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_stands_between_two_lines_of_its_own() {
        let out = github_actions(&[("A", "x\ny\n"), ("B", "")]);
        let text = str::from_utf8(&out).unwrap();
        let (a, b) = (text.lines().next().unwrap(), text.lines().nth(5).unwrap());
        let (a, b) = (a.strip_prefix("A<<").unwrap(), b.strip_prefix("B<<").unwrap());
        assert_eq!(text, format!("A<<{a}\nx\ny\n\n{a}\nB<<{b}\n\n{b}\n"));
        assert!(a != b && a.len() == 35);
        assert_ne!(out.as_slice(), github_actions(&[("A", "x\ny\n"), ("B", "")]).as_slice());
    }

    #[test]
    fn names_that_the_runner_keeps_to_itself_are_refused() {
        for name in ["NODE_OPTIONS", "node_options", "GITHUB_SHA", "Github_Env", "RUNNER_TEMP"] {
            assert!(refusal(name, "x").is_some(), "{name}");
        }
        for name in ["GITHUB_TOKEN", "RUNNER_TOKEN", "CI", "GITHUB_", "NODE_ENV"] {
            assert!(refusal(name, "x").is_none(), "{name}");
        }
        assert!(refusal("A", "x\r").is_some() && refusal("A", "x\r\ny").is_none());
    }

    #[test]
    fn masks_are_one_line_each() {
        let values: [&[u8]; 4] = [b"50% \r\nof", b"", b" \n", b"x"];
        assert_eq!(masks(&values).as_slice(), b"::add-mask::50%25 %0D%0Aof\n::add-mask::x\n");
    }
}
