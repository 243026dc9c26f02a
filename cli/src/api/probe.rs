//! A look at a server from outside: who answers, by which clock, with which certificate. No credential is sent.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use keyward_wire::limits::ANSWER_BYTES;
use reqwest::header::DATE;
use reqwest::{Client, Response};
use serde::Deserialize;

use super::client::configured;
use super::tls::{Observer, Roots};
use super::{Api, ApiError};
use crate::session::credential::Server;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a look at a server found.
#[derive(Debug)]
pub struct Probe {
    /// Host and port.
    pub host: String,
    /// Status of `/readyz`: 200, or 503 without its database.
    pub status: u16,
    /// How long the look took.
    pub took: Duration,
    /// The server's clock.
    pub clock: Option<SystemTime>,
    /// What its certificate chains to; `None` without TLS.
    pub chain: Option<Chain>,
    /// Version, if it is a keyward server.
    pub version: Option<String>,
}

/// A certificate that is trusted.
#[derive(Debug, Clone, Copy)]
pub struct Chain {
    /// What the certificate chains to.
    pub trust: Trust,
    /// When the certificate ends, in seconds since 1970.
    pub not_after_secs: Option<u64>,
}

/// What a certificate chains to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The file of `--ca`.
    File,
    /// The built-in roots.
    BuiltIn,
    /// The system's store.
    System,
}

/// Looks at a server.
///
/// # Errors
/// If its address is none or not allowed; or nothing answers.
pub async fn probe(server: &Server) -> anyhow::Result<Result<Probe, ApiError>> {
    let api = Api::new(server)?;
    let choices: &[(Trust, Roots<'_>)] = match &server.ca_file {
        Some(path) => &[(Trust::File, Roots::File(path))],
        None => &[(Trust::BuiltIn, Roots::BuiltIn), (Trust::System, Roots::System)],
    };
    let mut last = None;
    for (trust, roots) in choices {
        let (config, observer) = Observer::config(*roots)?;
        let client = configured(config)?;
        match look(&api, &client, *trust, &observer).await {
            Err(error @ ApiError::Network { untrusted: true, .. }) => last = Some(error),
            other => return Ok(other),
        }
    }
    Ok(Err(last.unwrap_or(ApiError::Malformed)))
}

async fn look(api: &Api, client: &Client, trust: Trust, observer: &Arc<Observer>) -> Result<Probe, ApiError> {
    let start = Instant::now();
    let ready = get(api, client, "/readyz").await?;
    let took = start.elapsed();
    let clock =
        ready.headers().get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let (status, is_tls) = (ready.status().as_u16(), ready.url().scheme() == "https");
    let chain = is_tls.then(|| Chain { trust, not_after_secs: observer.not_after_secs() });
    drop(ready);
    let version = match get(api, client, "/openapi.json").await {
        Ok(answer) => version(answer).await,
        Err(_) => None,
    };
    Ok(Probe { host: api.host(), status, took, clock, chain, version })
}

async fn get(api: &Api, client: &Client, path: &str) -> Result<Response, ApiError> {
    let request = client.get(api.url(path)).timeout(PATIENCE);
    request.send().await.map_err(|error| api.network(&error))
}

async fn version(mut answer: Response) -> Option<String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES {
            return None;
        }
    }
    let document: Document = serde_json::from_slice(&body).ok()?;
    (document.info.title == TITLE).then_some(document.info.version)
}

/// Title of the description that a keyward server gives of itself.
const TITLE: &str = "keyward server";

#[derive(Deserialize)]
struct Document {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    title: String,
    version: String,
}
