//! `config.toml`: the login, and which identities this client has a memory of.

use std::path::PathBuf;

use anyhow::Context as _;
use keyward_crypto::Halves;
use keyward_wire::name::Email;
use keyward_wire::{IdentityId, InstallId, OrgId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::credential::Server;
use super::files;
use super::home::{Home, Lock};
use crate::fault::{Code, Fault};

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Tells this client's memory from another's.
    pub install: InstallId,
    /// Identities with a file in `state/`: a missing one is a fault, never a fresh start.
    #[serde(default)]
    pub pinned: Vec<IdentityId>,
    /// The login of whoever is signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
}

/// A stored login. Holds a secret: no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The server.
    pub url: String,
    /// Trust only these certificate authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// http:// beyond this machine was allowed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_http: bool,
    /// The organisation.
    pub org: OrgId,
    /// The identity.
    pub identity: IdentityId,
    /// The name to show to people: the e-mail address; empty for an API user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When the credential ends, milliseconds UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// `kwh1_…`: the credential's two halves.
    secret: Zeroizing<String>,
}

/// Whose login it is.
#[derive(Clone, Copy)]
pub struct Holder<'a> {
    /// The organisation.
    pub org: OrgId,
    /// The identity.
    pub identity: IdentityId,
    /// The e-mail address; `None` for an API user.
    pub email: Option<&'a Email>,
}

impl Login {
    /// A login at this server, which is reached from now on as it was now, until `not_after` (milliseconds UTC).
    pub fn at(server: &Server, holder: Holder<'_>, halves: &Halves, not_after: Option<i64>) -> Self {
        let Holder { org, identity, email } = holder;
        Self {
            url: server.url.clone(),
            ca_file: server.ca_file.clone(),
            allow_http: server.allow_http,
            org,
            identity,
            email: email.map(Email::to_string),
            not_after,
            secret: halves.encode(),
        }
    }

    /// Whether it is still good at this time, as far as this machine knows.
    pub fn lives(&self, now: i64) -> bool {
        self.not_after.is_none_or(|end| end > now)
    }

    /// The credential.
    ///
    /// # Errors
    /// If the file was edited.
    pub fn halves(&self) -> anyhow::Result<Halves> {
        let damaged = |_| {
            Fault::new(Code::SignIn, "the login that is kept on this device is damaged")
                .next("run `keyward login` or `keyward auth api-user --token-stdin` again")
        };
        Ok(Halves::parse(&self.secret).map_err(damaged)?)
    }
}

impl Config {
    /// Reads the file; a fresh one if there is none.
    ///
    /// # Errors
    /// If others may read it, or it cannot be understood.
    pub fn load(home: &Home) -> anyhow::Result<Self> {
        let path = home.config();
        if home.path().exists() {
            files::folder(home.path())?;
        }
        let Some(bytes) = files::read(&path)? else {
            return Ok(Self { install: keyward_crypto::new_id(), pinned: Vec::new(), login: None });
        };
        let broken = || {
            Fault::new(Code::Unexpected, format!("{} cannot be understood", path.display()))
                .next(
                    "move it away, run `keyward pin --forget`, since what was remembered of the server cannot be read without it, and \
                     sign in again",
                )
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| broken())?;
        // The parser's own error would quote the line, and with it the secret.
        toml::from_str(text).map_err(|_| broken().into())
    }

    /// Refuses to take the place of a login.
    ///
    /// # Errors
    /// If somebody is signed in.
    pub fn check_signed_out(&self) -> Result<(), Fault> {
        if self.login.is_none() {
            return Ok(());
        }
        Err(Fault::new(Code::Conflict, "this client is signed in already")
            .next("run `keyward logout` first, or use another folder with --home"))
    }

    /// Changes the file under the folder's lock.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn update<T>(home: &Home, change: impl FnOnce(&mut Self) -> T) -> anyhow::Result<T> {
        let lock = home.lock()?;
        let mut config = Self::load(home)?;
        let answer = change(&mut config);
        config.store(home, &lock)?;
        Ok(answer)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn store(&self, home: &Home, _: &Lock) -> anyhow::Result<()> {
        let text = Zeroizing::new(toml::to_string(self).context("cannot write the configuration")?);
        files::write(&home.config(), text.as_bytes())
    }
}
