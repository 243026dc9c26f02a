//! A gateway, asked by one of its agents.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Api, ApiError};
use crate::fault::{Code, Fault, typed};
use crate::session::credential::Server;

/// A key that an agent may use.
#[derive(Debug, Deserialize)]
pub struct AgentKey {
    /// The key's name.
    pub name: String,
    /// The provider whose service the key is for.
    pub provider: Option<String>,
    /// The host that base-URL mode leads to with this key. `None` if it could be several.
    pub host: Option<String>,
}

#[derive(Deserialize)]
struct Listing {
    keys: Vec<AgentKey>,
}

/// What the agent with this credential may use at the gateway `at`.
///
/// # Errors
/// If no gateway is there, or it does not know the credential.
pub async fn usable_keys(at: &str, credential: &str) -> anyhow::Result<Vec<AgentKey>> {
    // An operator who lets a gateway listen beyond a machine has said that its network is not read.
    let server = Server { allow_http: true, ..Server::at(format!("http://{at}")) };
    let mut api = Api::new(&server)?;
    api.authorization = Some(Zeroizing::new(format!("Bearer {credential}")));
    match api.get("/-/", &[]).await {
        Ok(Listing { keys }) => Ok(keys),
        Err(error) => Err(fault(at, &error).into()),
    }
}

fn fault(at: &str, error: &ApiError) -> Fault {
    let at = typed(at, 100);
    match error {
        ApiError::Refused { status: 401, .. } => {
            Fault::new(Code::SignIn, format!("the gateway at {at} does not know this agent")).next(
                "its credential may have been replaced or ended: keyward agent list, keyward agent rotate",
            )
        }
        ApiError::Refused { status: 503, .. } => {
            Fault::new(Code::Stale, format!("the gateway at {at} has not heard its server for too long"))
                .next("look at what keyward proxy says there, and try again once it reaches its server")
        }
        ApiError::Network { why, .. } => {
            Fault::new(Code::Network, format!("no gateway answers at {at}: {why}"))
                .next("start it with keyward proxy, or say where it is")
        }
        _ => Fault::new(Code::Network, format!("what answers at {at} is no gateway of this version"))
            .next("say where the gateway is, as HOST:PORT"),
    }
}
