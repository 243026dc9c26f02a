//! `.keyward-deployment`: which deployment a name means in this folder and below.
//!
//! `{"environment_mappings": {"production": "482bd7d9-38e0-4568-99be-6ae3a44d48a2"}}`, in the working directory or a
//! parent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use keyward_wire::DeploymentId;
use serde::Deserialize;

use crate::fault::Fault;

/// File name.
pub const NAME: &str = ".keyward-deployment";

/// Largest file that is read, in bytes.
const LIMIT: u64 = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingFile {
    environment_mappings: BTreeMap<String, DeploymentId>,
}

/// The id that the nearest file gives to `name`, if there is a file and it names it.
///
/// # Errors
/// If the nearest file cannot be read or understood: the name might mean something else.
pub fn find(name: &str) -> anyhow::Result<Option<DeploymentId>> {
    // A deleted working directory has no parents to look into.
    let Ok(here) = std::env::current_dir() else { return Ok(None) };
    let Some(path) = nearest(&here) else { return Ok(None) };
    Ok(read(&path)?.get(name).copied())
}

fn nearest(from: &Path) -> Option<PathBuf> {
    from.ancestors().map(|folder| folder.join(NAME)).find(|path| path.is_file())
}

fn read(path: &Path) -> anyhow::Result<BTreeMap<String, DeploymentId>> {
    let size = std::fs::metadata(path).map_or(0, |facts| facts.len());
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let form = || {
        Fault::usage(format!("{} cannot be understood", path.display()))
            .next(r#"write it as {"environment_mappings": {"production": "<deployment id>"}}"#)
    };
    if size > LIMIT {
        return Err(form().into());
    }
    let file: MappingFile = keyward_wire::json::from_slice(&bytes).map_err(|_| form())?;
    Ok(file.environment_mappings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_decides_and_a_broken_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let id = "482bd7d9-38e0-4568-99be-6ae3a44d48a2";
        let write =
            |path: PathBuf, text: &str| crate::session::files::create(&path, text.as_bytes()).unwrap();
        write(folder.path().join(NAME), &format!(r#"{{"environment_mappings": {{"production": "{id}"}}}}"#));
        let found = nearest(&deep).unwrap();
        assert_eq!(read(&found).unwrap()["production"].to_string(), id);
        write(deep.join(NAME), r#"{"environment_mappings": {"production": "not-an-id"}}"#);
        assert!(read(&nearest(&deep).unwrap()).is_err());
    }
}
