//! `.keyward-deployment`.

use super::check::Check;
use crate::text::{count, list};
use crate::vault::mapping_file;

/// The file that decides here.
pub(super) fn look() -> Check {
    match mapping_file::nearest_here() {
        Ok(None) => Check::ok("deployments", "no .keyward-deployment here or above: names mean themselves"),
        Ok(Some((path, ids))) => {
            let names: Vec<&String> = ids.keys().collect();
            let names = if names.is_empty() { String::new() } else { format!(": {}", list(&names)) };
            Check::ok(
                "deployments",
                format!("{} gives {}{names}", mapping_file::shown(&path), count(ids.len(), "name")),
            )
        }
        Err(error) => Check::of_error("deployments", &error),
    }
}
