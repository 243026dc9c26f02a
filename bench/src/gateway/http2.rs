//! HTTP/2 on both legs: 100 streams of one connection, beside the same gateway's HTTP/1.1 over 16 connections.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::SECRET;
use super::load::{Carried, load};
use super::rounds::{begin, client};
use super::scene::{Scene, Who};
use super::way::Way;
use crate::common::effort::Effort;
use crate::common::process::cpu_micros;
use crate::common::report::Report;
use crate::common::stats::{median, ratios};

pub(super) fn run(report: &mut Report, scene: &Scene) -> Result<()> {
    begin("HTTP/2");
    let (rounds, time) = match report.effort {
        Effort::Full => (9, Duration::from_millis(1500)),
        Effort::Quick => (3, Duration::from_millis(700)),
    };
    let (keyward, direct) = (scene.start(Who::Keyward)?, scene.start(Who::Direct)?);
    let (gateway, straight) = (keyward.http2(), direct.http2());
    let client = client()?;
    let mut outcomes = [const { Vec::new() }; 3];
    for round in 0..=rounds {
        for (at, outcomes) in outcomes.iter_mut().enumerate() {
            let outcome = match at {
                0 => load(&client, &keyward.way, scene.nginx.http1, 16, time)?,
                1 => streams(&client, &gateway, scene.nginx.http2, time)?,
                _ => streams(&client, &straight, scene.nginx.http2, time)?,
            };
            // The first one does not count.
            if round > 0 {
                outcomes.push(outcome);
            }
        }
    }
    let note = format!(
        "{rounds} rounds, interleaved; nginx speaks HTTP/2 where the client does. CPU is the gateway's own."
    );
    report.section("Gateway: HTTP/2", &note);
    let rate = |at: usize| outcomes[at].iter().map(|one| one.rate).collect::<Vec<f64>>();
    let cpu = |at: usize| outcomes[at].iter().map(|one| one.cpu).collect::<Vec<f64>>();
    let names =
        ["keyward, HTTP/1.1, 16 connections", "keyward, HTTP/2, 100 streams", "direct, HTTP/2, 100 streams"];
    let rows = names.iter().enumerate().map(|(at, name)| {
        vec![
            (*name).to_owned(),
            format!("{:.0}", median(&rate(at))),
            format!("{:.2}", median(&ratios(&rate(at), &rate(0)))),
            format!("{:.1}", median(&cpu(at))),
        ]
    });
    report.table(&["way", "requests/s", "× HTTP/1.1", "CPU µs a request"], &rows.collect::<Vec<_>>());
    report.at_least("HTTP/2, 100 streams ÷ HTTP/1.1, 16 connections", &ratios(&rate(1), &rate(0)), 1.5, "×");
    Ok(())
}

/// 100 streams of one connection, each sending the same request again as soon as it has the answer.
fn streams(client: &Runtime, way: &Way, port: u16, time: Duration) -> Result<Carried> {
    client.block_on(async {
        let line = way.open(port).await?;
        ensure!(line.stream.get_ref().1.alpn_protocol() == Some(b"h2"), "{} does not speak HTTP/2", way.name);
        let (sender, connection) =
            http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(line.stream)).await?;
        tokio::spawn(connection);
        let used = || way.process.map_or(Ok(0.0), cpu_micros);
        let (start, before) = (Instant::now(), used()?);
        let direct = way.proxy.is_none();
        let mut all = JoinSet::new();
        for _ in 0..STREAMS {
            let mut sender = sender.clone();
            all.spawn(async move {
                let mut count = 0_u32;
                while start.elapsed() < time {
                    let mut request = Request::get(format!("https://localhost:{port}/small"));
                    if direct {
                        request = request.header("authorization", format!("Bearer {SECRET}"));
                    }
                    sender.ready().await?;
                    let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
                    ensure!(answer.status() == StatusCode::OK, "status {}", answer.status());
                    answer.into_body().collect().await?;
                    count += 1;
                }
                anyhow::Ok(count)
            });
        }
        let mut count = 0.0;
        while let Some(done) = all.join_next().await {
            count += f64::from(done??);
        }
        let (took, cpu) = (start.elapsed(), used()? - before);
        ensure!(count > 0.0, "no answer in time");
        Ok(Carried { rate: count / took.as_secs_f64(), cpu: cpu / count })
    })
}

const STREAMS: usize = 100;
