//! `~/.docker/config.json`: docker, buildah, podman, skopeo and others sign in to registries with what stands there. Most exchange it
//! for a token, which they show where the image is: the gateway can serve those registries that do the one at another host than
//! the other, as Docker Hub does.

use data_encoding::BASE64;
use keyward_wire::rule::Authority;
use serde_json::{Map, json};

use super::file::File;
use super::{MANAGED, npmrc};

pub(super) fn files(hosts: &[Authority]) -> Vec<File> {
    let mut registries: Vec<String> = hosts.iter().map(npmrc::name).collect();
    if registries.is_empty() {
        // Docker Hub's name in this file.
        registries.push("https://index.docker.io/v1/".to_owned());
    }
    let auth = BASE64.encode(format!("keyward:{MANAGED}").as_bytes());
    let auths: Map<_, _> =
        registries.into_iter().map(|registry| (registry, json!({ "auth": auth }))).collect();
    vec![File::json(".docker/config.json", &json!({ "auths": auths }))]
}

pub(super) const ADVICE: &str = "the gateway needs a key for auth.docker.io (keyward provider show docker-hub-registry) and --egress \
    allow, for the token that clients get there and take to registry-1.docker.io";
