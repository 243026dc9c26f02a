//! 1 GiB either way, with values kept out of the answers.

use std::time::Instant;

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::rounds::{Rounds, begin};
use super::scene::{Scene, Who};
use super::upstream::{large_file, text};
use super::way::Way;
use crate::common::effort::Effort;
use crate::common::http::{Head, head_end};
use crate::common::process::{cpu_micros, forget_peak, peak_mib, resident_mib};
use crate::common::report::Report;
use crate::common::stats::{median, ratios};

/// A body on its way.
#[derive(Debug, Clone, Copy)]
struct Passed {
    /// MiB a second.
    rate: f64,
    /// Seconds of the proxy's processor a GiB.
    cpu: f64,
    /// MiB that the proxy's memory grew by at most.
    growth: f64,
}

/// Down from nginx, up to the small server: nginx would answer before it has read.
pub(super) fn run(report: &mut Report, scene: &Scene) -> Result<()> {
    let (mib, rounds) = match report.effort {
        Effort::Full => (1024, 5),
        Effort::Quick => (256, 3),
    };
    begin("bodies");
    large_file(&scene.lab, mib)?;
    let everybody = [Who::Direct, Who::Keyward, Who::Bare, Who::Hudsucker];
    let down = Rounds::run(scene, &everybody, rounds, |client, _, way| {
        client.block_on(passed(way, mib, async || download(way, scene.nginx.http1, mib).await))
    })?;
    tell(report, "down", mib, &down);
    // Two gateways do not write one log.
    drop(down);
    let up = Rounds::run(scene, &everybody, rounds, |client, _, way| {
        client.block_on(passed(way, mib, async || upload(way, scene.own.port, mib).await))
    })?;
    tell(report, "up", mib, &up);
    Ok(())
}

async fn passed(way: &Way, mib: usize, pass: impl AsyncFn() -> Result<()>) -> Result<Passed> {
    let (mut before, mut resident) = (0.0, 0.0);
    if let Some(process) = way.process {
        forget_peak(process)?;
        (before, resident) = (cpu_micros(process)?, resident_mib(process)?);
    }
    let start = Instant::now();
    pass().await?;
    let took = start.elapsed().as_secs_f64();
    let (mut cpu, mut growth) = (0.0, 0.0);
    if let Some(process) = way.process {
        (cpu, growth) = (cpu_micros(process)? - before, peak_mib(process)? - resident);
    }
    #[expect(clippy::cast_precision_loss, reason = "thousands at most")]
    let mib = mib as f64;
    Ok(Passed { rate: mib / took, cpu: cpu / 1e6 * 1024.0 / mib, growth })
}

async fn download(way: &Way, port: u16, mib: usize) -> Result<()> {
    let mut line = way.open(port).await?;
    line.stream.write_all(&way.get(port, "/large")).await?;
    let mut buffer = Vec::with_capacity(256 * 1024);
    let end = loop {
        ensure!(line.stream.read_buf(&mut buffer).await? > 0, "the answer broke off");
        if let Some(end) = head_end(&buffer) {
            break end;
        }
    };
    let head = Head::parse(&buffer[..end])?;
    ensure!(head.status == 200 && head.length == Some(mib << 20), "an answer of another kind: {head:?}");
    let mut left = (mib << 20) - (buffer.len() - end);
    while left > 0 {
        buffer.clear();
        let read = line.stream.read_buf(&mut buffer).await?;
        ensure!(read > 0, "the body broke off");
        left = left.saturating_sub(read);
    }
    Ok(())
}

async fn upload(way: &Way, port: u16, mib: usize) -> Result<()> {
    let mut line = way.open(port).await?;
    let (header, length) = (&way.header, mib << 20);
    let head =
        format!("POST /sink HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: {length}\r\n{header}\r\n");
    line.stream.write_all(head.as_bytes()).await?;
    let block = text(64 * 1024);
    for _ in 0..length / block.len() {
        line.stream.write_all(&block).await?;
    }
    line.stream.flush().await?;
    line.answered().await
}

fn tell(report: &mut Report, way: &str, mib: usize, rounds: &Rounds<Passed>) {
    let rate = |who| rounds.of(who, |one: &Passed| one.rate);
    let note = format!(
        "{mib} MiB of JSON in lines of 200 bytes, {} rounds, interleaved. CPU is the proxy's own; growth is the most in any round.",
        rate(Who::Keyward).len()
    );
    report.section(&format!("Gateway: bodies, {way}"), &note);
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let rows = rounds.each().map(|(who, name)| {
        vec![
            name.to_owned(),
            format!("{:.0}", median(&rate(who))),
            format!("{:.2}", median(&ratios(&rate(who), &rate(Who::Direct)))),
            format!("{:.2}", median(&rounds.of(who, |one| one.cpu))),
            format!("{:.1}", most(&rounds.of(who, |one| one.growth))),
        ]
    });
    report.table(&["way", "MiB/s", "× direct", "CPU s a GiB", "memory grew, MiB"], &rows.collect::<Vec<_>>());
    report.at_least(
        &format!("G7: {way} ÷ direct"),
        &ratios(&rate(Who::Keyward), &rate(Who::Direct)),
        0.65,
        "×",
    );
    report.at_most(
        &format!("G7: {way}, growth"),
        &[most(&rounds.of(Who::Keyward, |one| one.growth))],
        4.0,
        " MiB",
    );
    if way == "down" {
        let ratio = ratios(&rate(Who::Keyward), &rate(Who::Hudsucker));
        report.at_least("G7: down ÷ hudsucker's", &ratio, 1.2, "×");
        let (own, hudsucker) =
            (rounds.of(Who::Keyward, |one| one.cpu), rounds.of(Who::Hudsucker, |one| one.cpu));
        report.at_most("G7: CPU a GiB ÷ hudsucker's", &ratios(&own, &hudsucker), 0.8, "×");
    }
}
