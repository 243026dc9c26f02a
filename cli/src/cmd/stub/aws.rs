//! `~/.aws/credentials`: the AWS command line and libraries sign requests with what stands there.

use super::file::{File, MANAGED};

pub(super) fn files() -> Vec<File> {
    let text = format!("[default]\naws_access_key_id = {MANAGED}\naws_secret_access_key = {MANAGED}\n");
    vec![File::new(".aws/credentials", text)]
}

pub(super) const ADVICE: &str = "programs start with this file, but get no further: each request is signed, and the gateway does not \
    sign. It refuses AWS's hosts as unknown ones, or AWS refuses the signature under --egress allow";
