//! `keyward login`: password in, a device credential kept.

use clap::Args;
use keyward_crypto::state::cred::Cred;
use keyward_crypto::verify::Verified;
use keyward_crypto::{CredentialKeys, Password, derive_password, enrol};
use keyward_wire::api::auth::{LoginAnswer, PreloginAnswer};
use keyward_wire::envelope::SUITE;
use keyward_wire::name::Email;

use crate::account::device_login::{self, DEVICE_TTL};
use crate::api::{Api, ApiError};
use crate::ctx::{Ctx, parse_span, rfc3339};
use crate::fault::{Code, Fault};
use crate::prompt;
use crate::session::config::{Config, Holder, Login};
use crate::session::credential::Server;
use crate::session::home::Home;
use crate::vault::admin::Session;
use crate::vault::{cache, notice};

/// Longest life of a persisted login.
const PERSIST_TTL: i64 = 90 * 86_400_000;

/// Sign in with your password; this device then stays signed in for 12 hours
#[derive(Args)]
#[command(after_help = "Example:\n  keyward login --email you@acme.example")]
pub struct Options {
    /// Your e-mail address [default: the one used last]
    #[arg(long)]
    email: Option<Email>,
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
    /// How long this device stays signed in [default: 12h; with --persist: 90d, which is the most]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    ttl: Option<i64>,
    /// Stay signed in for longer than 12 hours, for a container
    #[arg(long)]
    persist: bool,
    /// Let an owner or admin persist: whoever reads this device's files then is one
    #[arg(long, requires = "persist")]
    allow_admin: bool,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let ttl = self.checked_ttl()?;
        let home = Home::required(ctx)?;
        let former = Config::load(&home)?.login;
        let server = match &former {
            Some(former) => Server::of_login(ctx, former),
            None => Server::of_options(ctx),
        };
        let email = self.email(former.as_ref())?;
        let mut api = Api::new(&server)?;
        let cred = self.sign_in(&mut api, &email).await?;
        let session = Session::resume(api, cred, Some(home.clone()));
        let standing = session.standing(ctx).await?;
        if self.persist && standing.administers && !self.allow_admin {
            return Err(Fault::new(Code::Policy, "owners and admins do not persist a login")
                .next("use an API user for machines; or --allow-admin, if this device is guarded like you")
                .into());
        }
        let end = ctx.now() + ttl;
        if standing.administers {
            show_state(ctx, &standing);
        }
        // Before there is a device on the server that could not be kept here.
        drop(home.lock()?);
        let (device, credential) = enrol::new_device(&session.cred, standing.epoch, standing.seq, end);
        session.api.add_credential(&credential).await.map_err(Fault::from)?;
        let holder = Holder { org: session.cred.org, identity: session.cred.id, email: Some(&email) };
        let login = Login::at(&server, holder, &device, Some(end));
        // First, so that whatever fails from here on leaves this device signed in.
        // What stands there by now: another login of this device may have come between.
        let former = match Config::update(&home, |config| config.login.replace(login)) {
            Ok(former) => former,
            Err(error) => {
                // Nobody has its secret.
                let _ = session.api.drop_credential(credential.id).await;
                return Err(error);
            }
        };
        // A stored token is not this device's alone: others may use it.
        let former = former.filter(|former| former.email.is_some());
        let own = former.as_ref().filter(|former| is_same_person(former, &session, &server));
        let replaced = own.and_then(|own| own.halves().ok()).map(|halves| halves.into_keys().0);
        if let Some(replaced) = replaced {
            cache::clear(&home, replaced);
        } else if let Some(former) = &former {
            Box::pin(device_login::end(ctx, &home, former)).await;
        }
        let mut ended = session.api.log_out(replaced).await;
        if replaced.is_some() && ended.is_err() {
            ctx.out.warn("the former login could not be ended on the server; it ends by itself");
            if matches!(ended, Err(ApiError::Refused { .. })) {
                ended = session.api.log_out(None).await;
            }
        }
        if ended.is_err() {
            ctx.out.warn("the password's session could not be ended on the server; it ends by itself");
        }
        ctx.out.say(&format!("signed in as {email} until {}", rfc3339(end)));
        if let Some(variable) = ctx.env.token_variable() {
            ctx.out
                .warn(&format!("{variable} is set, and goes before this login: unset it to use the login"));
        }
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({ "identity": session.cred.id, "ends_at": rfc3339(end) }))?;
        }
        Ok(())
    }

    fn checked_ttl(&self) -> anyhow::Result<i64> {
        let most = if self.persist { PERSIST_TTL } else { DEVICE_TTL };
        let ttl = self.ttl.unwrap_or(most);
        if ttl > most {
            let hint = if self.persist { "90 days are the most" } else { "beyond 12 hours needs --persist" };
            return Err(Fault::usage("--ttl is too long").next(hint).into());
        }
        Ok(ttl)
    }

    fn email(&self, former: Option<&Login>) -> anyhow::Result<Email> {
        if let Some(email) = &self.email {
            return Ok(email.clone());
        }
        let former = former.and_then(|login| login.email.as_ref()).and_then(|email| email.parse().ok());
        match former {
            Some(email) => Ok(email),
            None => prompt::line("E-mail", "name your e-mail address with --email")?
                .parse()
                .map_err(|_| Fault::usage("that is not an e-mail address").into()),
        }
    }

    /// Signs in, with at most three tries on a terminal, one otherwise.
    async fn sign_in(&self, api: &mut Api, email: &Email) -> anyhow::Result<Cred> {
        let prelogin = checked(api.prelogin(email).await)?;
        for tries_left in (0..3).rev() {
            let keys = derive_password(&self.password()?, email, prelogin.cred, &prelogin.salt);
            match api.log_in(prelogin.cred, &keys).await {
                Ok(answer) => return open(&keys, &prelogin, &answer),
                Err(ApiError::Refused { status: 401, .. }) if tries_left > 0 && !self.password_stdin => {
                    crate::out::Out::default().warn("e-mail or password is wrong");
                }
                Err(ApiError::Refused { status: 401, .. }) => break,
                Err(error) => return Err(Fault::from(error).into()),
            }
        }
        Err(Fault::new(Code::SignIn, "e-mail or password is wrong").into())
    }

    fn password(&self) -> anyhow::Result<Password> {
        let text = if self.password_stdin {
            prompt::stdin_text("password")?
        } else {
            prompt::secret("Password", "there is no terminal to ask for a password; use --password-stdin")?
        };
        Ok(Password::entered(&text))
    }
}

/// Shows how new the organisation's state is: a device without memory of its own can only be told.
fn show_state(ctx: &Ctx, standing: &Verified) {
    notice::continuity(ctx, standing);
    let author = standing.author.as_ref().map_or("somebody who has left", |author| author.as_str());
    ctx.out.say(&format!(
        "{}: seq {}, epoch {}, last change by {author} at {}",
        standing.view.org_name,
        standing.seq,
        standing.epoch,
        rfc3339(standing.issued_at)
    ));
}

/// The suite settles how a password is stretched. Whatever else a server asks for, nothing is derived and nothing sent.
fn checked(prelogin: Result<PreloginAnswer, ApiError>) -> anyhow::Result<PreloginAnswer> {
    match prelogin {
        Ok(prelogin) if prelogin.suite == SUITE => Ok(prelogin),
        // A salt of another length, or none, is another way, too.
        Ok(_) | Err(ApiError::Malformed) => Err(Fault::new(
            Code::Policy,
            "the server asks for a way of signing in that this client does not know",
        )
        .next("update this client if the server is newer; otherwise do not trust that server")
        .into()),
        Err(error) => Err(Fault::from(error).into()),
    }
}

fn open(keys: &CredentialKeys, prelogin: &PreloginAnswer, answer: &LoginAnswer) -> anyhow::Result<Cred> {
    Ok(Cred::open(&keys.unlock, prelogin.cred, &answer.cred).map_err(Fault::from)?)
}

/// Whether this session may end the former login of this device: then no session need be made for that.
fn is_same_person(former: &Login, session: &Session, server: &Server) -> bool {
    former.url == server.url && former.org == session.cred.org && former.identity == session.cred.id
}
