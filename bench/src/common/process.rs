//! The cost of a whole process, from its start to its reaping.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// The cost of one process.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Time by the clock.
    pub wall: Duration,
    /// Time of the processor: the process's own and the kernel's for it.
    pub cpu: Duration,
}

/// Runs a command to its end; its output is dropped unless the caller says otherwise.
///
/// The CPU time is what the kernel adds to this process's children when it is reaped: exact to the microsecond, as long
/// as no other child ends meanwhile.
///
/// # Errors
/// If it does not start, or does not succeed: a failure costs something else than what is asked about.
pub fn measure(command: &mut Command) -> Result<Cost> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let before = children()?;
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?} did not start"))?;
    let status = child.wait()?;
    let wall = start.elapsed();
    let cpu = children()?.saturating_sub(before);
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Cost { wall, cpu })
}

/// CPU time of every child that was reaped so far.
fn children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("getrusage")?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros).context("a negative time")?))
}

/// The time in milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// CPU time of a running process so far, its own and the kernel's for it, in microseconds; exact to a hundredth of a second.
///
/// # Errors
/// If there is no such process.
pub fn cpu_micros(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("the process is gone")?;
    let fields = stat.rsplit_once(')').context("/proc/…/stat")?.1;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let ticks: u32 = ticks.collect::<Result<Vec<_>, _>>()?.into_iter().sum();
    Ok(f64::from(ticks) * 1e6 / TICKS_PER_SEC)
}

/// Resident memory of a process in MiB.
///
/// # Errors
/// If there is no such process.
pub fn resident_mib(process: u32) -> Result<f64> {
    memory_mib(process, "VmRSS:")
}

/// The most that it was since [`forget_peak`].
///
/// # Errors
/// If there is no such process.
pub fn peak_mib(process: u32) -> Result<f64> {
    memory_mib(process, "VmHWM:")
}

/// Lets [`peak_mib`] begin with what is resident now.
///
/// # Errors
/// If there is no such process, or it is somebody else's.
pub fn forget_peak(process: u32) -> Result<()> {
    fs::write(format!("/proc/{process}/clear_refs"), "5").context("the process is gone")
}

fn memory_mib(process: u32, field: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process is gone")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
    let kib: u32 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(f64::from(kib) / 1024.0)
}

/// Clock ticks in a second, on every Linux that Debian builds.
const TICKS_PER_SEC: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_has_no_cost() {
        assert!(measure(&mut Command::new("false")).is_err());
        assert!(measure(&mut Command::new("/no/such/program")).is_err());
        assert!(measure(&mut Command::new("true")).is_ok());
    }

    #[test]
    fn a_process_is_charged_for_what_it_computes() {
        let busy = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
        let cost = measure(Command::new("sh").args(["-c", busy])).unwrap();
        assert!(cost.cpu > Duration::ZERO && cost.wall > Duration::ZERO);
    }
}
