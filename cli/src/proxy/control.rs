//! The control listener of a running gateway, from outside.

use std::path::PathBuf;
use std::str::FromStr;

use keyward_gateway::ca::fingerprint;
use keyward_gateway::control;
use keyward_wire::rule::Authority;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::net::{TcpStream, UnixStream};

use super::options::host_and_port;
use crate::fault::{Code, Fault};

/// The place of a control listener, as `--control` and `keyward proxy` name it.
#[derive(Debug, Clone)]
pub enum Control {
    /// A host and port.
    Tcp(Authority),
    /// A socket on this machine.
    Unix(PathBuf),
}

impl Control {
    /// The gateway's answer to whether it is well.
    ///
    /// # Errors
    /// If the gateway does not answer as a gateway does, or is not well.
    pub async fn health(&self) -> anyhow::Result<serde_json::Value> {
        let (status, body) = self.ask(control::HEALTH).await?;
        let said: serde_json::Value = serde_json::from_slice(&body).map_err(|_| self.not_one())?;
        let (code, what) = match (status, said.get("status").and_then(serde_json::Value::as_str)) {
            (200, Some("ok")) => return Ok(said),
            (503, Some("grants_stale")) => {
                (Code::Stale, "the gateway serves nobody: its server was not heard for too long")
            }
            (503, Some("log_failed")) => {
                (Code::Unexpected, "the gateway serves nobody: it cannot write its log")
            }
            _ => return Err(self.not_one().into()),
        };
        Err(Fault::new(code, what).next("see what keyward proxy says on its terminal").into())
    }

    /// The gateway's certificate, if its SHA-256 is this one: whoever stands between could have answered with another.
    ///
    /// # Errors
    /// If the gateway does not answer, or with anything else.
    pub async fn certificate(&self, sha256: &str) -> anyhow::Result<CertificateDer<'static>> {
        let (status, body) = self.ask(control::CA).await?;
        if status != 200 {
            return Err(self.not_one().into());
        }
        let certificate = CertificateDer::from_pem_slice(&body).map_err(|_| self.not_one())?;
        if fingerprint(&certificate) == sha256 {
            return Ok(certificate);
        }
        // Which it is, is not said: it would be copied.
        Err(Fault::new(
            Code::Integrity,
            format!("{self} has another certificate than the one that was named"),
        )
        .next("do not trust it; where the gateway runs, see: keyward proxy ca")
        .into())
    }

    async fn ask(&self, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let asked = match self {
            Self::Tcp(at) => {
                let host = at.host.to_string();
                let stream = TcpStream::connect((host.trim_matches(['[', ']']), at.port)).await;
                match stream {
                    Ok(stream) => control::ask(stream, &at.to_string(), path).await,
                    Err(error) => Err(error),
                }
            }
            Self::Unix(path_of) => match UnixStream::connect(path_of).await {
                Ok(stream) => control::ask(stream, "localhost", path).await,
                Err(error) => Err(error),
            },
        };
        let (status, body) = asked.map_err(|error| {
            Fault::new(Code::Network, format!("no gateway answers at {self}: {error}"))
                .next("is it running, with --control and this address?")
        })?;
        Ok((status, body.to_vec()))
    }

    fn not_one(&self) -> Fault {
        Fault::new(Code::Network, format!("what answers at {self} is not a gateway's control listener"))
            .next("name what the gateway was given with --control; by another name, it needs --control-name")
    }
}

impl FromStr for Control {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("write it as unix:PATH".to_owned()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => {
                let at = text.strip_prefix("http://").unwrap_or(text);
                host_and_port(at.strip_suffix('/').unwrap_or(at)).map(Self::Tcp)
            }
        }
    }
}

impl std::fmt::Display for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(at) => write!(f, "{at}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
