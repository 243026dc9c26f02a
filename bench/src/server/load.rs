//! A load: some connections, each sending the same request again as soon as it has the answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::common::http::answer;
use crate::common::process::cpu_micros;

/// A target that is measured: a request to a server process.
#[derive(Clone)]
pub(super) struct Target {
    /// The target's name in the table.
    pub(super) name: String,
    /// The address of the server.
    pub(super) address: SocketAddr,
    /// The process whose CPU time counts.
    pub(super) process: u32,
    /// Every byte of the request.
    pub(super) request: Vec<u8>,
    /// The status that the answer must have.
    pub(super) status: u16,
}

/// The result of one stretch of load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// Answers a second.
    pub(super) rate: f64,
    /// Microseconds of the server's processor an answer.
    pub(super) cpu: f64,
    /// Microseconds that half of the answers took at most.
    pub(super) median: f64,
}

impl Target {
    /// `GET path`, with these header lines, each ended.
    pub(super) fn get(name: &str, address: SocketAddr, process: u32, path: &str, headers: &str) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n").into_bytes();
        Self { name: name.to_owned(), address, process, request, status: 200 }
    }

    /// Loads it with so many connections for so long.
    ///
    /// # Errors
    /// If it gives any other answer than the one wanted.
    pub(super) fn load(&self, connections: usize, time: Duration) -> Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let loaded = runtime.block_on(async {
            let mut all = tokio::task::JoinSet::new();
            let (start, before) = (Instant::now(), cpu_micros(self.process)?);
            for _ in 0..connections {
                all.spawn(connection(self.clone(), start + time));
            }
            let mut took = Vec::new();
            while let Some(done) = all.join_next().await {
                took.extend(done??);
            }
            anyhow::Ok((took, start.elapsed(), cpu_micros(self.process)? - before))
        });
        let (mut took, time, cpu) = loaded.with_context(|| format!("while loading {}", self.name))?;
        ensure!(!took.is_empty(), "{}: no answer in time", self.name);
        took.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let (count, half) = (took.len() as f64, took[took.len() / 2].as_nanos() as f64);
        Ok(Outcome { rate: count / time.as_secs_f64(), cpu: cpu / count, median: half / 1e3 })
    }
}

/// Asks again and again until `end`; returns how long each answer took.
async fn connection(target: Target, end: Instant) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    let (mut took, mut buffer) = (Vec::new(), Vec::with_capacity(128 * 1024));
    while Instant::now() < end {
        let start = Instant::now();
        stream.write_all(&target.request).await?;
        let status = answer(&mut stream, &mut buffer).await?;
        ensure!(status == target.status, "status {status}: {}", String::from_utf8_lossy(&buffer));
        took.push(start.elapsed());
    }
    Ok(took)
}
