//! The login of this device: how long it lives, and how it ends.

use crate::api::{Api, ApiError};
use crate::ctx::Ctx;
use crate::session::config::{Config, Login};
use crate::session::credential::Server;
use crate::session::home::Home;
use crate::vault::cache;

/// How long the device stays signed in, in milliseconds, unless its login persists.
pub(crate) const DEVICE_TTL: i64 = 12 * 3_600_000;

/// Signs this device out: a person's login ends on the server, too.
///
/// # Errors
/// If there is no folder, or its configuration cannot be changed.
pub(crate) async fn sign_out(ctx: &Ctx) -> anyhow::Result<()> {
    let home = Home::required(ctx)?;
    let former = Config::update(&home, |config| config.login.take())?;
    let was_signed_in = former.is_some();
    match former {
        Some(login) if login.email.is_some() => {
            end(ctx, &home, &login).await;
            ctx.out.say("signed out");
        }
        // An API user's token stays good: others may use it.
        Some(login) => {
            // What was kept for it is this device's, and nobody is signed in here to be answered with it.
            let clean = login.halves().is_ok_and(|halves| cache::clear(&home, halves.into_keys().0));
            if !clean {
                let folder = home.path().join("cache");
                ctx.out.warn(&format!("the kept answers in {} could not be removed", folder.display()));
            }
            ctx.out.say("signed out here; the token itself stays good until it is revoked");
        }
        None => ctx.out.say("nobody was signed in"),
    }
    if ctx.out.json {
        ctx.out.json(&serde_json::json!({ "signed_out": was_signed_in }))?;
    }
    Ok(())
}

/// Ends the device credential of a former login on the server, if it still lives.
pub(crate) async fn end(ctx: &Ctx, home: &Home, login: &Login) {
    let server = Server {
        ca_file: login.ca_file.clone(),
        allow_http: login.allow_http,
        ..Server::at(login.url.clone())
    };
    let attempt = async {
        let (id, keys) = login.halves()?.into_keys();
        cache::clear(home, id);
        let mut api = Api::new(&server)?;
        api.log_in(id, &keys).await?;
        anyhow::Ok(api.drop_credential(id).await?)
    };
    let Err(error) = attempt.await else { return };
    // One that is refused has ended before.
    if !error.downcast_ref::<ApiError>().is_some_and(|error| error.is_status(401)) {
        ctx.out.warn("the former login could not be ended on the server; it ends by itself");
    }
}
