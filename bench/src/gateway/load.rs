//! How much a proxy carries: some connections, each sending the same request again as soon as it has the answer.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::rounds::{Rounds, begin};
use super::scene::{Scene, Who};
use super::way::{Line, Way};
use crate::common::effort::Effort;
use crate::common::process::cpu_micros;
use crate::common::report::Report;
use crate::common::stats::{median, ratios};

/// The result of one turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carried {
    /// Answers a second.
    pub(super) rate: f64,
    /// Microseconds of the proxy's processor an answer.
    pub(super) cpu: f64,
}

/// 16 connections.
pub(super) fn few(report: &mut Report, scene: &Scene) -> Result<()> {
    begin("16 connections");
    let rounds =
        measure(report, scene, &[Who::Direct, Who::Keyward, Who::Bare, Who::Hudsucker, Who::Mitmproxy], 16)?;
    tell(report, "16 connections", &rounds);
    let (rate, cpu) = (|who| rounds.of(who, |one| one.rate), |who| rounds.of(who, |one| one.cpu));
    report.at_least(
        "G3: requests/s at 16 ÷ hudsucker's",
        &ratios(&rate(Who::Keyward), &rate(Who::Hudsucker)),
        1.5,
        "×",
    );
    report.at_least(
        "G3: requests/s at 16 ÷ mitmproxy's",
        &ratios(&rate(Who::Keyward), &rate(Who::Mitmproxy)),
        80.0,
        "×",
    );
    report.at_most(
        "G4: CPU a request ÷ hudsucker's",
        &ratios(&cpu(Who::Keyward), &cpu(Who::Hudsucker)),
        0.65,
        "×",
    );
    report.at_most(
        "CPU a request ÷ the bare proxy's",
        &ratios(&cpu(Who::Keyward), &cpu(Who::Bare)),
        2.0,
        "×",
    );
    Ok(())
}

/// 1,000 connections. mitmproxy would take a minute to accept them.
pub(super) fn many(report: &mut Report, scene: &Scene) -> Result<()> {
    begin("1,000 connections");
    let rounds = measure(report, scene, &[Who::Direct, Who::Keyward, Who::Bare, Who::Hudsucker], 1000)?;
    tell(report, "1,000 connections", &rounds);
    let rate = |who| rounds.of(who, |one| one.rate);
    report.at_least(
        "G3: requests/s at 1,000 ÷ hudsucker's",
        &ratios(&rate(Who::Keyward), &rate(Who::Hudsucker)),
        4.0,
        "×",
    );
    Ok(())
}

fn measure(report: &Report, scene: &Scene, everybody: &[Who], connections: usize) -> Result<Rounds<Carried>> {
    let (rounds, time) = match (report.effort, connections) {
        (Effort::Full, ..100) => (9, 1000),
        (Effort::Full, _) => (5, 2000),
        (Effort::Quick, _) => (3, 700),
    };
    let (port, time) = (scene.nginx.http1, Duration::from_millis(time));
    Rounds::run(scene, everybody, rounds, |client, _, way| load(client, way, port, connections, time))
}

/// One turn. Before time begins the connections are there, and have had an answer each, and then one more all at once: a proxy that
/// shares its upstreams has as many as it takes by then.
pub(super) fn load(
    client: &Runtime,
    way: &Way,
    port: u16,
    connections: usize,
    time: Duration,
) -> Result<Carried> {
    client.block_on(async {
        let request: std::sync::Arc<[u8]> = way.get(port, "/small").into();
        let lines = at_once(open(way, port, connections).await?, &request).await?;
        let used = || way.process.map_or(Ok(0.0), cpu_micros);
        let (start, before) = (Instant::now(), used()?);
        let mut all = JoinSet::new();
        for mut line in lines {
            let request = std::sync::Arc::clone(&request);
            all.spawn(async move {
                let mut count = 0_u32;
                while start.elapsed() < time {
                    line.exchange(&request).await?;
                    count += 1;
                }
                anyhow::Ok((count, line))
            });
        }
        let (mut count, mut lines) = (0.0, Vec::new());
        while let Some(done) = all.join_next().await {
            let (one, line) = done??;
            count += f64::from(one);
            lines.push(line);
        }
        let (took, cpu) = (start.elapsed(), used()? - before);
        ensure!(count > 0.0, "no answer in time");
        Ok(Carried { rate: count / took.as_secs_f64(), cpu: cpu / count })
    })
}

async fn at_once(lines: Vec<Line>, request: &std::sync::Arc<[u8]>) -> Result<Vec<Line>> {
    let mut all = JoinSet::new();
    for mut line in lines {
        let request = std::sync::Arc::clone(request);
        all.spawn(async move {
            line.exchange(&request).await?;
            anyhow::Ok(line)
        });
    }
    all.join_all().await.into_iter().collect()
}

/// Makes so many connections, some at a time, each of which gets an answer.
pub(super) async fn open(way: &Way, port: u16, connections: usize) -> Result<Vec<Line>> {
    let mut opened = Vec::with_capacity(connections);
    let mut opening = JoinSet::new();
    for _ in 0..connections {
        if opening.len() == AT_A_TIME
            && let Some(line) = opening.join_next().await
        {
            opened.push(line??);
        }
        let way = way.clone();
        opening.spawn(async move {
            let mut line = way.open(port).await?;
            line.exchange(&way.get(port, "/small")).await?;
            anyhow::Ok(line)
        });
    }
    while let Some(line) = opening.join_next().await {
        opened.push(line??);
    }
    Ok(opened)
}

fn tell(report: &mut Report, title: &str, rounds: &Rounds<Carried>) {
    let count = rounds.of(Who::Keyward, |one| one.rate).len();
    let note = format!(
        "{count} rounds, interleaved; client, proxy and upstream share the machine. CPU is the proxy's own. Ratios are medians \
         of the paired ratios to hudsucker."
    );
    report.section(&format!("Gateway: {title}"), &note);
    let rate = |who| rounds.of(who, |one| one.rate);
    let rows = rounds.each().map(|(who, name)| {
        vec![
            name.to_owned(),
            format!("{:.0}", median(&rate(who))),
            format!("{:.2}", median(&ratios(&rate(who), &rate(Who::Hudsucker)))),
            format!("{:.1}", median(&rounds.of(who, |one| one.cpu))),
        ]
    });
    report.table(&["way", "requests/s", "× hudsucker", "CPU µs a request"], &rows.collect::<Vec<_>>());
}

const AT_A_TIME: usize = 16;
