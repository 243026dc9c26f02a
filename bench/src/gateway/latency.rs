//! What a proxy adds to one request: on a connection that is there, and on a new one.

use std::time::Instant;

use anyhow::Result;

use super::rounds::{Rounds, begin};
use super::scene::{Scene, Who};
use super::way::Way;
use crate::common::effort::Effort;
use crate::common::report::Report;
use crate::common::stats::{differences, median, minimum, ratios};

/// Requests one after the other on one connection.
pub(super) fn warm(report: &mut Report, scene: &Scene) -> Result<()> {
    begin("one request after the other");
    let port = scene.nginx.http1;
    let rounds = Rounds::run(scene, &EVERYBODY, rounds(report.effort), |client, who, way| {
        client.block_on(async {
            let (mut line, request) = (way.open(port).await?, way.get(port, "/small"));
            line.exchange(&request).await?;
            let mut took = Vec::new();
            for _ in 0..if who == Who::Mitmproxy { 60 } else { 1500 } {
                let start = Instant::now();
                line.exchange(&request).await?;
                took.push(micros(start));
            }
            Ok(median(&took))
        })
    })?;
    tell(report, "Warm", "One request after the other on one connection.", &rounds);
    let added = |who| added(&rounds, who);
    let hudsucker = ratios(&added(Who::Keyward), &added(Who::Hudsucker));
    report.at_most("G1: warm, added ÷ hudsucker's", &hudsucker, 0.7, "×");
    let mitmproxy = ratios(&added(Who::Mitmproxy), &added(Who::Keyward));
    report.at_least("G1: warm, mitmproxy's added ÷ keyward's", &mitmproxy, 40.0, "×");
    report.at_most(
        "warm, added ÷ the bare proxy's",
        &ratios(&added(Who::Keyward), &added(Who::Bare)),
        2.0,
        "×",
    );
    Ok(())
}

/// A new connection for each request: `CONNECT`, TLS, request, answer.
pub(super) fn fresh(report: &mut Report, scene: &Scene) -> Result<()> {
    begin("new connections");
    let port = scene.nginx.http1;
    let rounds = Rounds::run(scene, &EVERYBODY, rounds(report.effort), |client, who, way| {
        client.block_on(async {
            let mut took = Vec::new();
            for _ in 0..if matches!(who, Who::Mitmproxy | Who::Hudsucker) { 20 } else { 100 } {
                took.push(connect_and_ask(way, port).await?);
            }
            Ok(median(&took))
        })
    })?;
    let note = "A new connection for each request: CONNECT, a whole TLS 1.3 handshake, request, answer.";
    tell(report, "Fresh", note, &rounds);
    let direct = rounds.of(Who::Direct, |took| *took);
    report.at_most(
        "G2: fresh, added ÷ a direct connection",
        &ratios(&added(&rounds, Who::Keyward), &direct),
        0.35,
        "×",
    );
    let hudsucker = rounds.of(Who::Hudsucker, |took| *took);
    // Of the whole: what keyward adds may be less than nothing, since it has its connection to the upstream already.
    report.at_most(
        "fresh ÷ hudsucker's",
        &ratios(&rounds.of(Who::Keyward, |took| *took), &hudsucker),
        0.1,
        "×",
    );
    Ok(())
}

/// Microseconds from the first byte to the answer's last.
async fn connect_and_ask(way: &Way, port: u16) -> Result<f64> {
    let start = Instant::now();
    way.open(port).await?.exchange(&way.get(port, "/small")).await?;
    Ok(micros(start))
}

fn rounds(effort: Effort) -> usize {
    match effort {
        Effort::Full => 15,
        Effort::Quick => 5,
    }
}

fn added(rounds: &Rounds<f64>, who: Who) -> Vec<f64> {
    differences(&rounds.of(who, |took| *took), &rounds.of(Who::Direct, |took| *took))
}

fn tell(report: &mut Report, title: &str, note: &str, rounds: &Rounds<f64>) {
    let count = rounds.of(Who::Direct, |took| *took).len();
    report.section(
        &format!("Gateway: {title}"),
        &format!("{note} {count} rounds, interleaved; each figure is of the rounds' p50."),
    );
    let rows = rounds.each().map(|(who, name)| {
        let (took, added) = (rounds.of(who, |took| *took), added(rounds, who));
        vec![
            name.to_owned(),
            format!("{:.0} / {:.0}", minimum(&took), median(&took)),
            format!("{:.0} / {:.0}", minimum(&added), median(&added)),
        ]
    });
    report.table(
        &["way", "p50 µs, min / median", "added to direct µs, min / median"],
        &rows.collect::<Vec<_>>(),
    );
}

fn micros(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6
}

const EVERYBODY: [Who; 5] = [Who::Direct, Who::Keyward, Who::Bare, Who::Hudsucker, Who::Mitmproxy];
