//! `~/.npmrc`: npm sends a token to the registry that it is for.

use keyward_wire::rule::Authority;

use super::file::{File, MANAGED};

pub(super) fn files(hosts: &[Authority]) -> Vec<File> {
    let mut registries: Vec<String> = hosts.iter().map(name).collect();
    if registries.is_empty() {
        registries.push("registry.npmjs.org".to_owned());
    }
    let line = |registry: &String| format!("//{registry}/:_authToken={MANAGED}\n");
    vec![File::new(".npmrc", registries.iter().map(line).collect())]
}

/// The host as it stands in a URL.
pub(super) fn name(to: &Authority) -> String {
    if to.port == 443 { to.host.to_string() } else { to.to_string() }
}
