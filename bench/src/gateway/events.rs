//! Server-sent events: when the first is there, and how late each is.

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::SECRET;
use super::rounds::{Rounds, begin};
use super::scene::{Scene, Who};
use super::upstream::now;
use super::way::Way;
use crate::common::effort::Effort;
use crate::common::report::Report;
use crate::common::stats::{median, ratios};

/// Some streams of one turn, in microseconds.
struct Seen {
    /// Time from before the connection to the first event, p50.
    first: f64,
    /// Time from an event's being sent to its being read, p50 and p99.
    late: f64,
    latest: f64,
}

pub(super) fn run(report: &mut Report, scene: &Scene) -> Result<()> {
    begin("events");
    let rounds = match report.effort {
        Effort::Full => 9,
        Effort::Quick => 3,
    };
    let everybody = [Who::Direct, Who::Keyward, Who::Bare, Who::Hudsucker, Who::Mitmproxy];
    let rounds = Rounds::run(scene, &everybody, rounds, |client, _, way| {
        client.block_on(async {
            let (mut firsts, mut lates) = (Vec::new(), Vec::new());
            for _ in 0..STREAMS {
                let (first, late) = stream(way, scene.own.port).await?;
                firsts.push(first);
                lates.extend(late);
            }
            lates.sort_by(f64::total_cmp);
            let latest = lates.get(lates.len() * 99 / 100).copied().unwrap_or(0.0);
            Ok(Seen { first: median(&firsts), late: median(&lates), latest })
        })
    })?;
    let figure = |who, figure: fn(&Seen) -> f64| rounds.of(who, figure);
    let note = format!(
        "{} rounds, interleaved, of {STREAMS} streams of {EVENTS} events 4 ms apart, each on a new connection. The first is timed \
         from before the connection, the others from their being sent. {}",
        figure(Who::Direct, |seen| seen.first).len(),
        held_back()
    );
    report.section("Gateway: events", &note);
    let rows = rounds.each().map(|(who, name)| {
        let mut row = vec![name.to_owned()];
        let all: [fn(&Seen) -> f64; 3] = [|seen| seen.first, |seen| seen.late, |seen| seen.latest];
        row.extend(all.map(|one| format!("{:.0}", median(&figure(who, one)))));
        row
    });
    report.table(&["way", "first event µs", "event late µs, p50", "p99"], &rows.collect::<Vec<_>>());
    let ratio = |one: fn(&Seen) -> f64| ratios(&figure(Who::Keyward, one), &figure(Who::Direct, one));
    report.at_most("G6: first event ÷ direct", &ratio(|seen| seen.first), 1.3, "×");
    report.at_most("G6: event late ÷ direct", &ratio(|seen| seen.late), 1.9, "×");
    report.at_most("G6: event late, p99", &figure(Who::Keyward, |seen| seen.latest / 1e3), 5.0, " ms");
    Ok(())
}

/// Measures one stream: how long the first event took, and how late the others were.
async fn stream(way: &Way, port: u16) -> Result<(f64, Vec<f64>)> {
    let start = now();
    let mut line = way.open(port).await?;
    line.stream.write_all(&way.get(port, &format!("/events/{EVENTS}"))).await?;
    let (mut buffer, mut seen) = (Vec::with_capacity(16 * 1024), Vec::new());
    let mut searched = 0;
    loop {
        ensure!(line.stream.read_buf(&mut buffer).await? > 0, "the stream broke off");
        let at = now();
        while let Some(event) = buffer.get(searched..).and_then(|rest| memchr::memmem::find(rest, MARK)) {
            let from = searched + event + MARK.len();
            let Some(digits) = buffer.get(from..from + 20) else { break };
            let sent: u64 = std::str::from_utf8(digits)?.parse().context("an event of another kind")?;
            seen.push((sent, at));
            searched = from;
        }
        // To its end: one that is broken off takes the upstream's connection with it.
        if seen.len() == EVENTS && buffer.ends_with(b"0\r\n\r\n") {
            break;
        }
        ensure!(searched > 0 || buffer.len() < 8 * 1024, "no event: {}", String::from_utf8_lossy(&buffer));
    }
    let (_, first) = *seen.first().context("no event")?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let micros = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e3;
    Ok((micros(start, first), seen.iter().skip(1).map(|(sent, at)| micros(*sent, *at)).collect()))
}

/// What the scrubber keeps of a body without line ends, whatever is in it.
fn held_back() -> String {
    let held = keyward_gateway::redact::Held::new(SECRET.as_bytes(), None);
    let reach = held.map_or(0, |held| keyward_gateway::redact::Scrubber::new(&[held], 1).reach());
    format!(
        "keyward holds back what follows the last line end, {reach} to {} bytes of it, by the lengths of its values alone; an \
         event ends in a line end and is not held back.",
        2 * reach
    )
}

const MARK: &[u8] = b"{\"sent\":";
const STREAMS: usize = 10;
const EVENTS: usize = 40;
