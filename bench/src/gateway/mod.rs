//! The gateway: what it adds to a request, and how much it carries, beside a bare proxy of the same parts, hudsucker and
//! mitmproxy. Every request counted had its header put in: the upstream refuses those that had not.

mod bodies;
mod events;
mod http2;
mod idle;
mod latency;
mod load;
mod rounds;
mod scene;
mod upstream;
mod way;

use anyhow::{Result, bail};

use crate::common::report::Report;
use scene::Scene;

/// Measures these parts of it; of none named, all.
///
/// # Errors
/// If something cannot be measured; a missed target is none.
pub fn run(report: &mut Report, parts: &[&str]) -> Result<()> {
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(part)) {
        bail!("the gateway has no part {unknown}: there are {}", PARTS.join(", "));
    }
    more_files()?;
    let scene = Scene::new()?;
    let parts = if parts.is_empty() { &PARTS[..] } else { parts };
    for part in parts {
        match *part {
            "warm" => latency::warm(report, &scene)?,
            "fresh" => latency::fresh(report, &scene)?,
            "load" => load::few(report, &scene)?,
            "crowd" => load::many(report, &scene)?,
            "http2" => http2::run(report, &scene)?,
            "idle" => idle::run(report, &scene)?,
            "bodies" => bodies::run(report, &scene)?,
            _ => events::run(report, &scene)?,
        }
    }
    Ok(())
}

/// Raises the limit of open files as far as this process may: a thousand tunnels take some thousands.
fn more_files() -> Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

/// The names of the parts on the command line: `cargo xtask bench gateway PART…`.
pub const PARTS: [&str; 8] = ["warm", "fresh", "load", "crowd", "http2", "idle", "bodies", "events"];

/// The secret that is injected: not a real one.
const SECRET: &str = "sk-bench-6Qf2vN8xRk3ZtYw7LmPb4HdCsJ5gTq9WeXa1Uo0MiKz";
