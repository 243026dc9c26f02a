//! The command line client: whole processes, from their start to their end.

mod env_file;
mod login;
mod office;

use anyhow::Result;

use crate::common::lab::Lab;
use crate::common::report::Report;
use office::Office;

/// Measures the client against the lean programs of the same jobs.
///
/// # Errors
/// If something cannot be measured; a missed target is none.
pub fn run(report: &mut Report) -> Result<()> {
    let lab = Lab::new()?;
    let office = Office::open(&lab)?;
    env_file::run(report, &lab, &office)?;
    login::run(report, &lab, &office)
}
