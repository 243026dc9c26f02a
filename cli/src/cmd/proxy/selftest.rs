//! `keyward proxy selftest`: the attacks that the gateway is held against, on this machine.

use clap::Args;
use keyward_attacks::Case;

use crate::ctx::Ctx;
use crate::fault::{Code, Fault};

/// Attack a gateway, and see that nothing comes of it
///
/// A gateway of its own, with values made up for it and services that lie: no server, no network and no sign-in are needed,
/// and nothing is written but to a temporary folder. The rows and their groups (R: answers that repeat the value, D: to another
/// place, …) are those of docs/ATTACKS.md.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward proxy selftest\n  keyward proxy selftest D R7")]
pub(super) struct Options {
    /// Only attacks of this row (R7), or of all rows with this letter (D)
    #[arg(value_name = "ROW")]
    rows: Vec<String>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let cases: Vec<&Case> = keyward_attacks::all().filter(|case| self.wants(case)).collect();
        if let Some(row) = self.rows.iter().find(|row| !cases.iter().any(|case| is_of(case, row))) {
            return Err(not_here(row).into());
        }
        let (mut done, mut failed) = (Vec::new(), 0);
        for case in &cases {
            let (case, rows, claim) = (*case, case.rows().collect::<Vec<_>>(), case.claim());
            let held = tokio::task::spawn_blocking(|| case.run()).await?;
            failed += usize::from(held.is_err());
            if !ctx.out.json {
                let word = if held.is_ok() { "pass" } else { "FAIL" };
                ctx.out.line(&format!("{word}  {:12}  {claim}", rows.join(" ")))?;
                if let Err(what) = &held {
                    ctx.out.note(what);
                }
            }
            done.push(serde_json::json!({
                "rows": rows, "claim": claim, "passed": held.is_ok(), "failure": held.err(),
            }));
        }
        if ctx.out.json {
            ctx.out.json(&done)?;
        }
        if failed > 0 {
            let what = format!("{failed} of {} attacks did what they must not", done.len());
            return Err(Fault::new(Code::Unexpected, what)
                .next(
                    "try those rows again with nothing else at work here: a slow machine or a stray connection can fail one. If one \
                     fails again, do not use this gateway for keys that matter, and please report what is said above",
                )
                .into());
        }
        ctx.out.say(&format!("attacks: {}; nothing came of any", done.len()));
        Ok(())
    }

    fn wants(&self, case: &Case) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| is_of(case, row))
    }
}

/// Whether the attack is of this row, or of a row with this letter.
fn is_of(case: &Case, row: &str) -> bool {
    case.rows().any(|own| is_meant(&own, row))
}

fn is_meant(own: &str, row: &str) -> bool {
    let row = row.to_ascii_uppercase();
    own == row || (row.len() == 1 && own.starts_with(&row))
}

fn not_here(row: &str) -> Fault {
    if keyward_attacks::rows().any(|own| is_meant(&own, row)) {
        let what =
            format!("attacks of row {row} are only in the tests: they need gigabytes, or minutes alone");
        return Fault::new(Code::Usage, what).next("name other rows; where the source is: cargo xtask test");
    }
    Fault::new(Code::Usage, format!("no attack of row {row:?} is tried here"))
        .next("name a row, as R7, or all rows with a letter, as R. Some of docs/ATTACKS.md take a server, and are only in the tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_only_the_tests_try_is_not_said_not_to_be() {
        for row in ["R6", "p18"] {
            assert!(not_here(row).to_string().contains("only in the tests"), "{row}");
        }
        assert!(not_here("R99").to_string().contains("no attack of row"));
    }
}
