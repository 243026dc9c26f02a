//! An admin's `keyward key set`: the organisation read, one value sealed, views and grants of whoever reads the key
//! rebuilt, all of it written, and read back.

use std::fs::File;

use anyhow::{Context as _, Result};

use super::crowd::{Crowd, GROUPS};
use crate::common::effort::Effort;
use crate::common::lab::Lab;
use crate::common::process::{measure, millis};
use crate::common::report::{Report, talk};
use crate::common::stats::{median, minimum};

pub(super) fn run(report: &mut Report) -> Result<()> {
    let lab = Lab::new()?;
    let rounds = match report.effort {
        Effort::Full => 9,
        Effort::Quick => 3,
    };
    report.section("key set", &note(rounds));
    let mut rows = Vec::new();
    for keys in KEYS {
        talk(&format!("key set among {keys} keys …"));
        let mut crowd = Crowd::new(&lab, keys)?;
        let mut row = vec![format!("{keys:}"), String::new()];
        for users in USERS {
            crowd.grow(users)?;
            let (wall, cpu) = key_set(&lab, &crowd, rounds).context("key set")?;
            row.push(format!("{:.0} / {:.0} ({:.0})", minimum(&wall), median(&wall), median(&cpu)));
            if (keys, users) == (1_000, 1_000) {
                let seconds: Vec<f64> = wall.iter().map(|millis| millis / 1e3).collect();
                report.at_most("`key set` among 1,000 keys and 1,000 API users", &seconds, 2.0, " s");
            }
        }
        if let Some(size) = row.get_mut(1) {
            *size = format!("{} KiB", crowd.size()? / 1024);
        }
        rows.push(row);
    }
    report.table(&["keys", "ORG, most users", "1 API user", "10", "1,000"], &rows);
    Ok(())
}

fn key_set(lab: &Lab, crowd: &Crowd, rounds: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let value = lab.write("value", format!("sk_live_{round:032x}"))?;
        let mut command = crowd.owner.keyward(&["key", "set", "SERVICE_00000_API_KEY", "--value-stdin"]);
        let cost = measure(command.stdin(File::open(value)?))?;
        // The first one does not count.
        if round > 0 {
            wall.push(millis(cost.wall));
            cpu.push(millis(cost.cpu));
        }
    }
    Ok((wall, cpu))
}

fn note(rounds: usize) -> String {
    format!(
        "{rounds} rounds each. {GROUPS} groups with a deployment each, every key in one of them, one version a key; the \
         API users evenly in the groups. Whole processes of a signed-in owner over loopback: wall ms, min / median (CPU \
         of the client, median). Several writes of one key keep its history, as they always do."
    )
}

const KEYS: [usize; 4] = [10, 100, 1_000, 10_000];
const USERS: [usize; 3] = [1, 10, 1_000];
