//! What stays the same, or does not, when an organisation grows.

mod crowd;
mod key_set;

use anyhow::Result;

use crate::common::report::Report;

/// Measures growth.
///
/// # Errors
/// If something cannot be measured; a missed target is none.
pub fn run(report: &mut Report) -> Result<()> {
    key_set::run(report)
}
