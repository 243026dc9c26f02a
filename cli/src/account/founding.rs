//! Founding an organisation: the recovery kit first, then the sign-up, then the login of this device.

use std::path::Path;

use keyward_crypto::enrol::{Signup, sign_up};
use keyward_wire::name::{Email, Name};
use keyward_wire::{IdentityId, OrgId};

use super::device_login::DEVICE_TTL;
use super::recovery_kit::RecoveryKit;
use crate::api::{Api, ApiError};
use crate::ctx::{Ctx, rfc3339};
use crate::fault::Fault;
use crate::prompt;
use crate::prompt::new_password;
use crate::session::config::{Config, Holder, Login};
use crate::session::credential::Server;
use crate::session::home::Home;

/// An organisation to be, and its first owner.
pub(crate) struct Founding<'a> {
    pub(crate) org: &'a Name,
    pub(crate) email: &'a Email,
    /// The file of the recovery kit; `None`: it is shown on the terminal.
    pub(crate) recovery_kit: Option<&'a Path>,
    pub(crate) setup_code: Option<String>,
}

/// An organisation that was founded.
pub(crate) struct Founded {
    pub(crate) org: OrgId,
    pub(crate) owner: IdentityId,
}

/// Whether there is such an organisation although its sign-up was refused: on its way a request may have been doubled, and the
/// refusal is that of the second one. `None` if that cannot be found out.
async fn happened(server: &Server, signup: &Signup) -> Option<bool> {
    let mut api = Api::new(server).ok()?;
    let (id, keys) = signup.device.duplicate().into_keys();
    match api.log_in(id, &keys).await {
        Ok(_) => {
            // At worst it ends by itself.
            let _ = api.log_out(None).await;
            Some(true)
        }
        Err(error) => error.is_status(401).then_some(false),
    }
}

impl Founding<'_> {
    /// Founds it on this server, with this password, or one that is asked for; ends signed in. The inner error is the answer to
    /// the sign-up itself: then nothing was founded, unless the error leaves doubt.
    pub(crate) async fn found(
        self,
        ctx: &Ctx,
        home: &Home,
        server: &Server,
        password: Option<&str>,
    ) -> anyhow::Result<Result<Founded, ApiError>> {
        if self.recovery_kit.is_none() && !prompt::on_terminal() {
            return Err(Fault::usage("where should the recovery kit go?")
                .next("name a file with --recovery-kit: it is the only way back in if the password is lost")
                .into());
        }
        Config::load(home)?.check_signed_out()?;
        let api = Api::new(server)?;
        let (_, password) = new_password::choose(ctx, password, &[self.email.as_str(), self.org.as_str()])?;
        let device_end = ctx.now() + DEVICE_TTL;
        let signup = sign_up(self.org.clone(), self.email, &password, ctx.now(), device_end, self.setup_code);
        drop(password);
        let org = signup.request.org;
        RecoveryKit { token: &signup.recovery, org, email: self.email, url: &server.url }.keep(
            ctx,
            self.recovery_kit,
            "",
        )?;
        if let Err(error) = api.sign_up(&signup.request).await {
            let happened = match error {
                _ if error.leaves_doubt() => None,
                ApiError::Network { .. } | ApiError::RequestTooLarge => Some(false),
                _ => happened(server, &signup).await,
            };
            match (happened, self.recovery_kit) {
                (None, Some(kit)) => ctx.out.warn(&format!(
                    "the sign-up may have happened: the recovery kit stays in {}",
                    kit.display()
                )),
                // It opens nothing: the organisation was not made.
                (Some(false), Some(kit)) => drop(std::fs::remove_file(kit)),
                (Some(true), _) | (_, None) => {}
            }
            if happened != Some(true) {
                return Ok(Err(error));
            }
        }
        if let Some(kit) = self.recovery_kit {
            ctx.out.say(&format!(
                "the recovery kit is in {}; print it and keep it away from this machine",
                kit.display()
            ));
        }
        let Signup { request, device, .. } = &signup;
        let holder = Holder { org: request.org, identity: request.identity, email: Some(self.email) };
        let login = Login::at(server, holder, device, Some(device_end));
        Config::update(home, |config| config.login = Some(login))?;
        ctx.out.say(&format!(
            "{} is signed up; you are its owner, signed in until {}",
            self.email,
            rfc3339(device_end)
        ));
        Ok(Ok(Founded { org: request.org, owner: request.identity }))
    }
}
