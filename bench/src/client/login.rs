//! `keyward login` against its password derivation alone.

use std::fs::File;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::office::{EMAIL, Office, PASSWORD};
use crate::common::lab::Lab;
use crate::common::report::{Report, talk};
use crate::common::rounds::{Contender, HEAD, interleaved};
use crate::common::stats::ratios;

pub(super) fn run(report: &mut Report, lab: &Lab, office: &Office) -> Result<()> {
    let password = lab.write("password", PASSWORD)?;
    let contenders = [
        Contender::new("floor: 600,000 rounds of PBKDF2", || {
            let mut command = Command::new(lab.program("keyward-bench-floor")?);
            command.arg("stretch").env_clear().stdin(Stdio::null());
            Ok(command)
        }),
        Contender::new("`keyward login`", || {
            let mut command = office.owner.keyward(&["login", "--email", EMAIL, "--password-stdin"]);
            command.stdin(File::open(&password)?);
            Ok(command)
        }),
    ];
    talk("login …");
    let rounds = report.effort.slow_rounds();
    let series = interleaved(rounds, &contenders)?;
    let [floor, login] = series.as_slice() else { unreachable!("as many as there are contenders") };
    report.section(
        "login",
        &format!(
            "{rounds} rounds, interleaved. An owner of 550 keys signs in again over TLS: the password stretched, the \
             organisation opened and shown, a new device credential stored, the former one ended."
        ),
    );
    report.table(&HEAD, &[floor.row(floor), login.row(floor)]);
    report.at_most("C5 login: wall ÷ PBKDF2 alone", &ratios(&login.wall, &floor.wall), 1.1, "×");
    report.at_most("C5 login: CPU ÷ PBKDF2 alone", &ratios(&login.cpu, &floor.cpu), 1.1, "×");
    Ok(())
}
