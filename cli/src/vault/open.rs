//! An answer as the server sent it, from the network or from this client's folder alike: opened and verified in full
//! (CRYPTO.md §2.7).

use keyward_crypto::state::cred::Cred;
use keyward_crypto::state::local::{Local, Parts};
use keyward_crypto::verify::{Floors, Verified, VerifyError, verify_bundle};
use keyward_wire::api::bundle::{Bundle, SecretItem};

use super::freshness::Freshness;
use super::pins::Pins;
use crate::api::ApiError;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::session::credential::Credential;

/// Opens the answers to one credential.
pub(super) struct Opener<'a> {
    pub(super) credential: &'a Credential,
    /// All lower bounds except the state that this client has seen, which is read for each answer.
    floors: Floors,
}

/// An answer that was opened and verified. Nothing of it has been printed: the server may yet say that it is not the current one.
pub(super) struct Opened {
    pub(super) verified: Verified,
    pub(super) secrets: Vec<SecretItem>,
    pub(super) cred: Cred,
    pub(super) parts: Parts,
    pub(super) pins: Pins,
}

impl<'a> Opener<'a> {
    /// An opener for this credential.
    ///
    /// # Errors
    /// If a lower bound of the environment cannot be read.
    pub(super) fn new(ctx: &Ctx, credential: &'a Credential, freshness: &Freshness) -> anyhow::Result<Self> {
        Ok(Self { credential, floors: freshness.floors(ctx, Local::default())? })
    }

    /// Opens a bundle and verifies it, at `now` in milliseconds UTC.
    ///
    /// # Errors
    /// If the bundle is not as it must be.
    pub(super) fn open(&self, bundle: Bundle, now: i64) -> anyhow::Result<Opened> {
        self.open_or(bundle, now, Fault::from)
    }

    /// As [`open`](Self::open), with `fault` for what is wrong with the bundle.
    ///
    /// # Errors
    /// If the bundle is not as it must be.
    pub(super) fn open_or(
        &self,
        bundle: Bundle,
        now: i64,
        fault: impl FnOnce(VerifyError) -> Fault,
    ) -> anyhow::Result<Opened> {
        let Credential { id, keys, home, .. } = self.credential;
        let sealed = bundle.cred.as_ref().ok_or_else(|| missing("this credential's own part"))?;
        let cred = Cred::open(&keys.unlock, *id, sealed).map_err(Fault::from)?;
        let pins = Pins::load(home.as_ref(), &cred)?;
        let floors = Floors { local: pins.local.clone(), ..self.floors.clone() };
        let verified = verify_bundle(&cred, &bundle, &floors, now).map_err(fault)?;
        let state = verified.state().ok_or_else(|| missing("this identity's state"))?.sha256;
        let parts = Parts { cred: sealed.sha256(), state };
        Ok(Opened { verified, secrets: bundle.secrets, cred, parts, pins })
    }
}

/// Reads a bundle from the body of an answer.
///
/// # Errors
/// If the body is not a bundle.
pub(super) fn read(body: &[u8]) -> Result<Bundle, Fault> {
    keyward_wire::json::from_slice(body).map_err(|_| Fault::from(ApiError::Malformed))
}

/// The fault that the server did not send a part that every answer has.
pub(super) fn missing(what: &str) -> Fault {
    Fault::new(Code::Missing, format!("the server left out {what}"))
        .next("nothing was used; check the address, or ask the server's operator")
}
