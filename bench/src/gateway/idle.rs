//! What a tunnel costs in memory on which nothing is asked for, and the process by itself.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::load::open;
use super::rounds::{begin, client};
use super::scene::{Scene, Who};
use crate::common::effort::Effort;
use crate::common::process::resident_mib;
use crate::common::report::Report;
use crate::common::stats::median;

/// 1,000 tunnels, each of which had one request. A new process each time.
pub(super) fn run(report: &mut Report, scene: &Scene) -> Result<()> {
    begin("1,000 idle tunnels");
    let rounds = match report.effort {
        Effort::Full => 3,
        Effort::Quick => 1,
    };
    let everybody = [Who::Keyward, Who::Bare, Who::Hudsucker];
    let mut outcomes = vec![Vec::new(); everybody.len()];
    let mut names = vec![""; everybody.len()];
    let client = client()?;
    for _ in 0..rounds {
        for (at, who) in everybody.into_iter().enumerate() {
            let running = scene.start(who)?;
            names[at] = running.way.name;
            let process = running.way.process.context("a process")?;
            let fresh = resident_mib(process)?;
            let after = client.block_on(async {
                let lines = open(&running.way, scene.nginx.http1, TUNNELS).await?;
                tokio::time::sleep(SETTLE).await;
                let after = resident_mib(process)?;
                drop(lines);
                anyhow::Ok(after)
            });
            outcomes[at].push((fresh, (after? - fresh) * 1024.0 / 1000.0));
        }
    }
    let fresh = |at: usize| outcomes[at].iter().map(|(fresh, _)| *fresh).collect::<Vec<f64>>();
    let each = |at: usize| outcomes[at].iter().map(|(_, each)| *each).collect::<Vec<f64>>();
    let note = format!(
        "{rounds} new processes each; {TUNNELS} tunnels, opened some at a time, each with one request; looked at {} s later.",
        SETTLE.as_secs()
    );
    report.section("Gateway: idle tunnels", &note);
    let rows = names.iter().enumerate().map(|(at, name)| {
        vec![(*name).to_owned(), format!("{:.1}", median(&fresh(at))), format!("{:.1}", median(&each(at)))]
    });
    report.table(&["proxy", "fresh process, MiB", "KiB a tunnel"], &rows.collect::<Vec<_>>());
    report.at_most("G5: KiB a tunnel, 1,000 idle", &each(0), 27.0, " KiB");
    report.at_most("G5: fresh process", &fresh(0), 12.0, " MiB");
    Ok(())
}

const TUNNELS: usize = 1000;
/// How long to wait for memory that is given back when nothing happens.
const SETTLE: Duration = Duration::from_secs(12);
