//! 32 connections that ask for one bundle of 50 keys, against bare axum routes over sqlx that do a part of the same.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::load::{Outcome, Target};
use super::place::{Engine, Place, found};
use crate::common::effort::Effort;
use crate::common::lab::Lab;
use crate::common::process::resident_mib;
use crate::common::report::{Report, talk};
use crate::common::stats::{median, ratios};

pub(super) fn run(report: &mut Report, lab: &Lab, engine: Engine) -> Result<()> {
    talk(&format!("the server, {} …", engine.name()));
    let place = Place::new(engine, "server")?;
    let server = place.serve(lab)?;
    let fresh = resident_mib(server.id())?;
    let authorization = found(lab, &server, &place.name, KEYS)?;
    let session = session(server.address, &authorization)?;
    let bare = Place::new(engine, "reference")?;
    let reference = Reference::start(lab, &bare)?;

    let bundle = |name: &str, headers: &str| {
        let headers = format!("{headers}\r\n");
        Target::get(name, server.address, server.id(), "/v1/me/bundle", &headers)
    };
    let own = format!("authorization: {authorization}");
    let mut unchanged = bundle(
        "bundle, unchanged (304)",
        &format!("{own}\r\nif-none-match: {}", etag(server.address, &own)?),
    );
    unchanged.status = 304;
    let targets = [
        reference.target("hello: two bytes", "/hello"),
        reference.target("50 rows through sqlx, unaudited", "/read50"),
        reference.target("50 rows, a durable transaction a request", "/each50"),
        bundle("bundle, 50 keys (200)", &own),
        unchanged,
        bundle("bundle, 50 keys, in a transaction of its own", &format!("authorization: {session}")),
    ];
    let rounds = measure(report.effort, &targets)?;
    let memory = resident_mib(server.id())?;
    tell(report, engine, &targets, &rounds, &[fresh, memory]);
    Ok(())
}

/// Outcomes by target, one a round; each round begins with the next target.
fn measure(effort: Effort, targets: &[Target]) -> Result<Vec<Vec<Outcome>>> {
    let (rounds, time) = match effort {
        Effort::Full => (9, Duration::from_millis(1500)),
        Effort::Quick => (3, Duration::from_millis(700)),
    };
    let mut outcomes = vec![Vec::with_capacity(rounds); targets.len()];
    for target in targets {
        target.load(CONNECTIONS, time / 4)?;
    }
    for round in 0..rounds {
        for place in 0..targets.len() {
            let at = (place + round) % targets.len();
            outcomes[at].push(targets[at].load(CONNECTIONS, time)?);
        }
    }
    Ok(outcomes)
}

fn tell(report: &mut Report, engine: Engine, targets: &[Target], rounds: &[Vec<Outcome>], memory: &[f64]) {
    let name = engine.name();
    let note = format!(
        "{CONNECTIONS} connections, {} rounds, interleaved; client, server and database share the machine. CPU is the \
         server process's own. Ratios are medians of the paired ratios to the unaudited reads.",
        rounds[0].len()
    );
    report.section(&format!("Server, {name}"), &note);
    let of = |at: usize, value: fn(&Outcome) -> f64| rounds[at].iter().map(value).collect::<Vec<f64>>();
    let rate = |at| of(at, |outcome| outcome.rate);
    let cpu = |at| of(at, |outcome| outcome.cpu);
    let rows: Vec<_> = targets
        .iter()
        .enumerate()
        .map(|(at, target)| {
            vec![
                target.name.clone(),
                format!("{:.0}", median(&rate(at))),
                format!("{:.2}", median(&ratios(&rate(at), &rate(READ)))),
                format!("{:.0}", median(&cpu(at))),
                format!("{:.2}", median(&of(at, |outcome| outcome.median)) / 1e3),
            ]
        })
        .collect();
    report.table(&["route", "answers/s", "× unaudited", "CPU µs each", "median ms"], &rows);
    let (reads, each) = if engine == Engine::Sqlite { (0.9, 4.0) } else { (0.8, 3.0) };
    report.at_least(
        &format!("S1 {name}: bundle ÷ unaudited reads"),
        &ratios(&rate(BUNDLE), &rate(READ)),
        reads,
        "×",
    );
    let target = format!("S1 {name}: bundle ÷ a transaction a request");
    report.at_least(&target, &ratios(&rate(BUNDLE), &rate(EACH)), each, "×");
    report.at_most(
        &format!("S2 {name}: CPU of a bundle ÷ hello"),
        &ratios(&cpu(BUNDLE), &cpu(HELLO)),
        10.0,
        "×",
    );
    report.at_least(
        &format!("{name}: unchanged ÷ bundle"),
        &ratios(&rate(UNCHANGED), &rate(BUNDLE)),
        1.5,
        "×",
    );
    report.at_most(&format!("{name}: memory after its start"), &memory[..1], 64.0, " MiB");
    report.at_most(&format!("{name}: memory after the load"), &memory[1..], 64.0, " MiB");
}

/// Places in the list of targets.
const HELLO: usize = 0;
const READ: usize = 1;
const EACH: usize = 2;
const BUNDLE: usize = 3;
const UNCHANGED: usize = 4;

/// The bare routes, as a process; dropping it ends it.
struct Reference {
    process: Child,
    address: SocketAddr,
}

impl Reference {
    fn start(lab: &Lab, place: &Place) -> Result<Self> {
        let file = format!("sqlite:{}", lab.path("reference.sqlite3").display());
        let mut command = Command::new(lab.program("keyward-bench-reference")?);
        command
            .arg(place.url.as_ref().unwrap_or(&file))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut process = command.spawn().context("keyward-bench-reference did not start")?;
        let mut line = String::new();
        let out = process.stdout.take().context("its output")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().rsplit_once("//").context("its address")?.1.parse()?;
        Ok(Self { process, address })
    }

    fn target(&self, name: &str, path: &str) -> Target {
        Target::get(name, self.address, self.process.id(), path, "")
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// `Bearer …`: a session of the same API user. Its bundles are read in transactions of their own.
pub(super) fn session(address: SocketAddr, authorization: &str) -> Result<String> {
    let (cred, auth) =
        authorization.strip_prefix("Keyward ").and_then(|rest| rest.split_once('.')).context("a proof")?;
    let bytes = data_encoding::BASE64URL_NOPAD.decode(cred.as_bytes())?;
    let cred = keyward_wire::CredentialId::from_bytes(bytes.try_into().ok().context("an id")?);
    let body = serde_json::json!({ "cred": cred, "auth": auth }).to_string();
    let head = "POST /v1/auth/login HTTP/1.1\r\nconnection: close\r\ncontent-type: application/json";
    let answer =
        exchange(address, &format!("{head}\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len()))?;
    let body: serde_json::Value =
        serde_json::from_str(answer.split_once("\r\n\r\n").context("an answer")?.1)?;
    let token = body["session"].as_str().context("a session")?;
    Ok(format!("Bearer {token}"))
}

/// The `ETag` of the bundle.
fn etag(address: SocketAddr, authorization: &str) -> Result<String> {
    let head =
        format!("GET /v1/me/bundle HTTP/1.1\r\nconnection: close\r\nhost: x\r\n{authorization}\r\n\r\n");
    let answer = exchange(address, &head)?;
    let line = answer.lines().find_map(|line| line.strip_prefix("etag: ")).context("an ETag")?;
    Ok(line.to_owned())
}

fn exchange(address: SocketAddr, request: &str) -> Result<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Keys in the bundle.
const KEYS: usize = 50;

const CONNECTIONS: usize = 32;
