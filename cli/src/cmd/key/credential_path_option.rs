//! A change of a key's provider, by which the gateway stops refusing paths that make or show credentials.

use clap::Args;
use keyward_wire::name::Name;

use super::rule_change::{RuleChange, brief_paths};
use crate::fault::{Code, Fault};

/// Said wherever a key's provider may become another one.
#[derive(Args)]
pub(super) struct CredentialPathOption {
    /// Allow another provider by which the gateway no longer refuses paths that make or show credentials
    #[arg(long, help_heading = "Injection by the gateway")]
    allow_credential_paths: bool,
}

impl CredentialPathOption {
    /// Requires the option if the change opens paths that were refused before.
    ///
    /// # Errors
    /// A fault that lists these paths, if the option is not given.
    pub(super) fn check(&self, key: &Name, change: &RuleChange) -> Result<(), Fault> {
        let allowed = change.newly_allowed();
        if allowed.is_empty() || self.allow_credential_paths {
            return Ok(());
        }
        let what = format!(
            "with this provider the gateway would no longer refuse, for {key}, what makes or shows credentials: {}",
            brief_paths(&allowed)
        );
        Err(Fault::new(Code::Policy, what)
            .next("nothing was stored; leave the provider as it is, or add --allow-credential-paths"))
    }
}
