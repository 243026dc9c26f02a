//! PATH, proxies, and keyward's own variables.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::check::Check;
use crate::fault::{likeness, printable, typed};
use crate::process_env::ProcessEnv;

/// Finds the `keyward` that a shell would start.
pub(super) fn path(env: &ProcessEnv) -> Check {
    let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
    for folder in env.path() {
        let file = folder.join("keyward");
        let runs =
            file.metadata().is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0);
        if let Some(target) = runs.then(|| file.canonicalize().ok()).flatten()
            && !found.iter().any(|(_, known)| *known == target)
        {
            found.push((file, target));
        }
    }
    let own = std::env::current_exe().ok().and_then(|own| own.canonicalize().ok());
    let names: Vec<String> = found.iter().map(|(file, _)| file.display().to_string()).collect();
    match (found.first(), own) {
        (None, _) => Check::warn("PATH", "there is no keyward on PATH", "put its folder into PATH"),
        (Some((first, target)), Some(own)) if *target != own => Check::warn(
            "PATH",
            format!("`keyward` starts {}, and this is {}", first.display(), own.display()),
            "remove one of them, or put the right folder first in PATH",
        ),
        (Some((first, _)), _) if found.len() > 1 => Check::warn(
            "PATH",
            format!("there are {} different ones: {}", found.len(), names.join(", ")),
            format!("{} is the one that runs; remove the others", first.display()),
        ),
        (Some((first, _)), _) => Check::ok("PATH", first.display().to_string()),
    }
}

/// Proxies that other programs would use.
pub(super) fn proxies(env: &ProcessEnv) -> Check {
    let is_proxy = |name: &str| PROXIES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy));
    let set: Vec<String> = env
        .variables
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, _)| Some(name.to_str()?.to_owned()).filter(|name| is_proxy(name)))
        .collect();
    if set.is_empty() {
        return Check::ok("proxies", "none are set, and keyward uses none");
    }
    Check::warn(
        "proxies",
        format!("{} set, and ignored: keyward speaks to its server itself", is_or_are(&set)),
        "if this machine reaches the server only through a proxy, open a direct way to it",
    )
}

/// keyward's own variables.
pub(super) fn variables(env: &ProcessEnv) -> Vec<Check> {
    let mut checks = Vec::new();
    let set = |name: &str| env.variable(name).is_some();
    for (name, value) in &env.variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with("KEYWARD_")) else { continue };
        if name.starts_with("KEYWARD_SERVER_") {
            continue;
        }
        let name = printable(name, 60);
        if !KNOWN.contains(&name.as_str()) {
            let nearest = KNOWN.iter().max_by(|a, b| likeness(&name, a).total_cmp(&likeness(&name, b)));
            let meant = nearest.filter(|near| likeness(&name, near) > 0.9);
            let next = meant.map_or_else(|| format!("unset {name}"), |near| format!("did you mean {near}?"));
            checks.push(Check::warn("variables", format!("{name} means nothing to keyward"), next));
        } else if value.is_empty() {
            checks.push(Check::warn(
                "variables",
                format!("{name} is empty, which is as good as unset"),
                format!("unset {name}"),
            ));
        } else if SECRET.contains(&name.as_str()) {
            checks.push(Check::ok("variables", format!("{name} is set")));
        } else if value.as_bytes().contains(&b'@') {
            // A password may stand before it.
            checks.push(Check::ok("variables", format!("{name} is set to something with an @")));
        } else {
            checks.push(Check::ok("variables", format!("{name}={}", typed(&value.to_string_lossy(), 200))));
        }
    }
    if set("KEYWARD_TOKEN") && set("KEYWARD_TOKEN_FILE") {
        checks.push(Check::warn(
            "variables",
            "KEYWARD_TOKEN and KEYWARD_TOKEN_FILE are both set; the file is what counts",
            "unset one of them",
        ));
    }
    if checks.is_empty() {
        checks.push(Check::ok("variables", "no KEYWARD_ variable is set"));
    }
    checks
}

fn is_or_are(names: &[String]) -> String {
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// The variables that [`Env`](crate::ctx::Env) reads.
const KNOWN: [&str; 7] = [
    "KEYWARD_URL",
    "KEYWARD_HOME",
    "KEYWARD_CA_FILE",
    "KEYWARD_TOKEN",
    "KEYWARD_TOKEN_FILE",
    "KEYWARD_MIN_SEQ",
    "KEYWARD_MIN_EPOCH",
];

const SECRET: [&str; 1] = ["KEYWARD_TOKEN"];
