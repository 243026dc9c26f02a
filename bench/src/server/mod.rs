//! The server: what it costs to hand out bundles, each authenticated, with an audit entry that is durable before the answer.

pub mod crowd;
mod load;
mod place;
mod throughput;

use anyhow::Result;

use crate::common::lab::Lab;
use crate::common::report::Report;
use place::Engine;

/// Measures the server against bare routes of the same parts, on both engines.
///
/// # Errors
/// If something cannot be measured; a missed target is none.
pub fn run(report: &mut Report) -> Result<()> {
    let lab = Lab::new()?;
    for engine in [Engine::Sqlite, Engine::Postgres] {
        throughput::run(report, &lab, engine)?;
    }
    Ok(())
}
