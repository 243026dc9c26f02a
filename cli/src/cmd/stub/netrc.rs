//! `~/.netrc`: curl with `-n`, git, Python's requests. A program sends what it finds there as Basic.

use keyward_wire::rule::Authority;

use super::file::{File, MANAGED};

/// GitHub's git service takes any user name but wants one.
pub(super) fn files(hosts: &[Authority]) -> Vec<File> {
    // The format has no ports: what stands there is for all of a host's.
    let mut machines: Vec<String> =
        hosts.iter().map(|to| to.host.to_string().replace(['[', ']'], "")).collect();
    if machines.is_empty() {
        machines.push("github.com".to_owned());
    }
    machines.dedup();
    let entry = |machine: &String| format!("machine {machine}\n  login keyward\n  password {MANAGED}\n");
    vec![File::new(".netrc", machines.iter().map(entry).collect())]
}
