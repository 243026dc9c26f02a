//! What a server's refusal of a credential means: the end of what is kept for it, if it is that credential's own server.

use super::cache;
use crate::api::ApiError;
use crate::fault::{Fault, typed};
use crate::session::credential::Credential;

impl Credential {
    /// What is said of a request with this credential that failed, which `told` puts into words.
    ///
    /// A refusal ends what is cached for the credential, or it would still be used when the network is gone. The word of another
    /// server than the login's ends nothing: that one may never have heard of the credential.
    pub(super) fn refused(&self, error: ApiError, told: impl Fn(ApiError) -> Fault) -> Fault {
        let ends_access = error.ends_access();
        let fault = told(error);
        if !ends_access {
            return fault;
        }
        if let Some(own) = &self.server.instead_of {
            return fault.next(format!(
                "--url or KEYWARD_URL names another server than that of the login, {}: leave it out, or sign in there (keyward login)",
                typed(own, 100)
            ));
        }
        match &self.home {
            Some(home) if !cache::clear(home, self.id) => {
                let left =
                    format!("remove {}, which could not be emptied", home.path().join("cache").display());
                let next = fault.advice().map_or_else(|| left.clone(), |advice| format!("{advice}; {left}"));
                fault.next(next)
            }
            _ => fault,
        }
    }
}
