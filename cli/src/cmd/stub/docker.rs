//! `~/.docker/config.json`: docker, buildah, podman, skopeo and others sign in to registries with what stands there. Most exchange it
//! for a token, which they show where the image is: the gateway can serve those registries that do the one at another host than
//! the other, as Docker Hub does.

use data_encoding::BASE64;
use keyward_wire::rule::Authority;
use serde_json::{Map, json};

use super::file::{File, MANAGED};
use super::npmrc;

pub(super) fn files(hosts: &[Authority]) -> Vec<File> {
    let mut registries: Vec<String> = hosts.iter().map(name).collect();
    if registries.is_empty() {
        registries.push(DOCKER_HUB.to_owned());
    }
    let auth = BASE64.encode(format!("keyward:{MANAGED}").as_bytes());
    let auths: Map<_, _> =
        registries.into_iter().map(|registry| (registry, json!({ "auth": auth }))).collect();
    vec![File::json(".docker/config.json", &json!({ "auths": auths }))]
}

/// A registry as clients look for it in this file: Docker Hub has one name here, whichever of its hosts is meant.
fn name(to: &Authority) -> String {
    match npmrc::name(to).as_str() {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => {
            DOCKER_HUB.to_owned()
        }
        other => other.to_owned(),
    }
}

const DOCKER_HUB: &str = "https://index.docker.io/v1/";

pub(super) const ADVICE: &str = "the gateway needs a key for auth.docker.io (keyward provider show docker-hub-registry) and --egress \
    allow, for the token that clients get there and take to registry-1.docker.io";
