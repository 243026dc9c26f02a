//! `keyward deployment env-file --stdout` against one TLS handshake and one GET of the same answer from the same server,
//! and against `age` on a local file.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::office::{Desk, Office};
use crate::common::lab::Lab;
use crate::common::report::{Report, talk};
use crate::common::rounds::{Contender, HEAD, Series, interleaved};
use crate::common::stats::{differences, ratios};

pub(super) fn run(report: &mut Report, lab: &Lab, office: &Office) -> Result<()> {
    let age = Age::new(lab, &office.small)?;
    let floor = |words: Vec<PathBuf>| -> Result<Command> {
        let mut command = Command::new(lab.program("keyward-bench-floor")?);
        command.args(words).env_clear().stdin(Stdio::null());
        Ok(command)
    };
    let get = |desk: &Desk| {
        let target = PathBuf::from("/v1/me/bundle");
        let address = PathBuf::from(office.server.address.to_string());
        floor(vec!["get".into(), address, lab.path("ca.pem"), target, desk.authorization.clone()])
    };
    let warm = |desk: &Desk| Ok(desk.machine.keyward(&desk.env_file()));
    let cold = |desk: &Desk| {
        std::fs::remove_dir_all(desk.cache()).context("the cache that should be there")?;
        warm(desk)
    };
    let (small, large) = (&office.small, &office.large);
    let run = |desk: &Desk| Ok(desk.machine.keyward(&["run", &desk.deployment, "--", "true"]));
    let contenders = [
        Contender::new("hello, static", || floor(vec!["hello".into()])),
        Contender::new("`true` (dynamic)", || Ok(Command::new("true"))),
        Contender::new("`keyward --version`", || Ok(small.machine.keyward(&["--version"]))),
        Contender::new("floor: handshake + GET, 50 keys", || get(small)),
        Contender::new("`env-file`, 50 keys, unchanged (304)", || warm(small)),
        Contender::new("`env-file`, 50 keys, new (200)", || cold(small)),
        Contender::new("`run -- true`, 50 keys, unchanged", || run(small)),
        Contender::new("`age -d`, local file, 50 keys", || Ok(age.decrypt())),
        Contender::new("floor: handshake + GET, 500 keys", || get(large)),
        Contender::new("`env-file`, 500 keys, unchanged (304)", || warm(large)),
        Contender::new("`env-file`, 500 keys, new (200)", || cold(large)),
    ];
    talk("env-file …");
    let rounds = report.effort.rounds();
    let series = interleaved(rounds, &contenders)?;
    let [hello, _, _, floor50, warm50, cold50, run50, age50, floor500, warm500, cold500] = series.as_slice()
    else {
        unreachable!("as many as there are contenders");
    };

    report.section("env-file", &note(rounds, small, large)?);
    let rows: Vec<Vec<String>> = series
        .iter()
        .map(|series| series.row(if series.name.contains("500") { floor500 } else { floor50 }))
        .collect();
    report.table(&HEAD, &rows);
    for (keys, floor, limit, forms) in
        [(50, floor50, 1.5, [warm50, cold50]), (500, floor500, 2.0, [warm500, cold500])]
    {
        for (form, what) in forms.into_iter().zip(["unchanged", "new"]) {
            let target =
                |kind| format!("C{} {keys} keys, {what}: {kind} ÷ floor", if keys == 50 { 1 } else { 2 });
            report.at_most(&target("wall"), &ratios(&form.wall, &floor.wall), limit, "×");
            report.at_most(&target("CPU"), &ratios(&form.cpu, &floor.cpu), limit, "×");
        }
    }
    for (form, what) in [(warm50, "unchanged"), (cold50, "new")] {
        let target = format!("C3 50 keys, {what}: wall ÷ `age -d`");
        report.at_most(&target, &ratios(&form.wall, &age50.wall), 1.0, "×");
    }
    report.at_most("`run -- true` − `env-file`, wall", &differences(&run50.wall, &warm50.wall), 1.0, " ms");
    own_share(report, hello, floor50, warm50);
    Ok(())
}

/// What keyward's own part costs: everything but a process, a handshake and a GET.
fn own_share(report: &mut Report, hello: &Series, floor: &Series, env_file: &Series) {
    let own = differences(&env_file.cpu, &floor.cpu);
    let process = &hello.cpu;
    let row = |name: &str, values: &[f64]| {
        vec![name.to_owned(), format!("{:.2}", crate::common::stats::median(values))]
    };
    report.table(
        &["CPU of 50 keys, unchanged", "ms, median"],
        &[
            row("a static process", process),
            row("the handshake and the GET", &differences(&floor.cpu, process)),
            row("all the rest of keyward", &own),
        ],
    );
}

fn note(rounds: usize, small: &Desk, large: &Desk) -> Result<String> {
    // Beside the answer there is the record of when it was confirmed, which is smaller.
    let size = |desk: &Desk| -> Result<u64> {
        let lengths = std::fs::read_dir(desk.cache())?.map(|entry| Ok(entry?.metadata()?.len()));
        let lengths = lengths.collect::<Result<Vec<_>>>()?;
        Ok(lengths.into_iter().max().context("a kept answer")? / 1024)
    };
    Ok(format!(
        "{rounds} rounds, interleaved. The floor is one static process: read the CA file, one TLS 1.3 handshake \
         (rustls, ring), one GET of the very answer that env-file asks for ({} KiB for {} keys, {} KiB for {}), \
         with its authentication and its audit entry. Ratios are medians of the paired ratios to the floor of as many \
         keys.",
        size(small)?,
        small.keys,
        size(large)?,
        large.keys
    ))
}

/// The same variables, in a file for `age`.
struct Age {
    identity: PathBuf,
    file: PathBuf,
}

impl Age {
    fn new(lab: &Lab, desk: &Desk) -> Result<Self> {
        let (identity, file) = (lab.path("age.key"), lab.path("age.env"));
        let words = ["deployment", "env-file", &desk.deployment, "--stdout", "--format", "dotenv"];
        let plain = lab.write("plain.env", desk.machine.ok(&words, "")?)?;
        let keygen = Command::new("age-keygen").arg("-o").arg(&identity).output();
        let keygen = keygen.context("age-keygen did not start: install the package age")?;
        ensure!(keygen.status.success(), "age-keygen: {}", String::from_utf8_lossy(&keygen.stderr));
        let sealed =
            Command::new("age").arg("-e").arg("-i").arg(&identity).arg("-o").arg(&file).arg(plain).output();
        let sealed = sealed.context("age did not start")?;
        ensure!(sealed.status.success(), "age: {}", String::from_utf8_lossy(&sealed.stderr));
        Ok(Self { identity, file })
    }

    fn decrypt(&self) -> Command {
        let mut command = Command::new("age");
        command.arg("-d").arg("-i").arg(&self.identity).arg(&self.file).stdin(Stdio::null());
        command
    }
}
