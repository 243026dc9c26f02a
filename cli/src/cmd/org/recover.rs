//! `keyward org recover`: back in with the recovery kit, as a new owner.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use keyward_crypto::recover::{Newcomer, Opened, open};
use keyward_crypto::state::local::Local;
use keyward_crypto::state::roots::Recovery;
use keyward_crypto::verify::Floors;
use keyward_crypto::{Token, TokenKind, derive_secret};
use keyward_wire::Sha256;
use keyward_wire::api::recovery::RecoveryAnswer;
use keyward_wire::api::write::Base;
use keyward_wire::name::{Email, Name};
use serde_json::json;
use zeroize::Zeroizing;

use crate::account::device_login::DEVICE_TTL;
use crate::account::recovery_kit::RecoveryKit;
use crate::api::{Api, ApiError};
use crate::ctx::{Ctx, rfc3339};
use crate::fault::{Code, Fault, code_of, typed};
use crate::prompt;
use crate::prompt::new_password;
use crate::session::config::{Config, Holder, Login};
use crate::session::credential::{Credential, Server};
use crate::session::files;
use crate::session::home::Home;
use crate::vault::admin::Session;
use crate::vault::freshness::Freshness;

/// How long a recovery that meets others' writes is tried again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest file that is read as a kit, in bytes.
const KIT_BYTES: usize = 64 * 1024;

/// The first lines of a kit's file until the kit is good.
const PENDING: &str = "NOT CONFIRMED YET: this kit is good only if the recovery that made it was carried out.\n\
                       Keep the former kit as well, until these lines are gone or somebody can sign in.\n\n";

/// Get back in with the recovery kit, as a new owner
///
/// Makes another owner with a new password, and a new recovery kit in the place of the one that is used. Everybody else stays
/// as they are, and is told. The address must be one that nobody has on this server: whoever lost a password takes another
/// address, or one such as you+new@acme.example.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward org recover --email you+new@acme.example \\\n    \
                        --recovery-kit acme-recovery.txt --new-kit acme-recovery-2.txt")]
pub struct Options {
    /// E-mail address of the new owner
    #[arg(long)]
    email: Email,
    /// Name of the new owner [default: the address]
    #[arg(long)]
    name: Option<Name>,
    /// Read the recovery code from this file, a kit as keyward wrote it [default: ask]
    #[arg(long, value_name = "FILE")]
    recovery_kit: Option<PathBuf>,
    /// Read the recovery code from standard input
    #[arg(long, conflicts_with = "recovery_kit")]
    kit_stdin: bool,
    /// Read the new password from standard input instead of asking for it
    #[arg(long, conflicts_with = "kit_stdin")]
    password_stdin: bool,
    /// Write the new recovery kit to this new file
    #[arg(long, value_name = "FILE")]
    new_kit: Option<PathBuf>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let file = self.new_kit.as_deref();
        if file.is_none() && !prompt::on_terminal() {
            return Err(Fault::usage("where should the new recovery kit go?")
                .next("name a file with --new-kit: the present kit ends with this")
                .into());
        }
        refuse_present(file)?;
        let home = Home::required(ctx)?;
        Config::load(&home)?.check_signed_out()?;
        let token = self.token()?;
        let given = if self.password_stdin { Some(prompt::stdin_text("password")?) } else { None };
        let given = given.as_ref().map(|text| text.as_str());
        let (text, _) = new_password::choose(ctx, given, &[self.email.as_str()])?;

        let server = Server::of_options(ctx);
        let (api, recovery) = sign_in(&server, &token).await?;
        let floors = Freshness::default().floors(ctx, Local::default())?;
        let answer = api.recovery().await.map_err(not_let)?;
        let opened = open(&recovery, &answer, &floors).map_err(Fault::from)?;
        let newcomer = self.newcomer(ctx, &opened, &text)?;
        drop(text);
        let kit =
            RecoveryKit { token: &newcomer.kit, org: recovery.org, email: &self.email, url: &server.url };
        kit.keep(ctx, file, PENDING)?;

        let device_end = ctx.now() + DEVICE_TTL;
        let attempt = Attempt { api: &api, recovery: &recovery, floors: &floors, newcomer: &newcomer };
        let sent = match attempt.carry_out(ctx, answer, device_end).await {
            Ok(sent) => sent,
            Err(error) => {
                // It opens nothing: no such owner was asked for.
                file.map(std::fs::remove_file);
                return Err(error);
            }
        };
        let (id, keys) = newcomer.device().into_keys();
        let credential = Credential { id, keys, server: server.clone(), home: Some(home.clone()) };
        if let Err(error) = look(ctx, credential, sent.written).await {
            let is_nobody = code_of(&error) == Code::SignIn;
            match (file, &sent.failure) {
                // It opens nothing: no such owner was made.
                (Some(path), Some(Failure::Refused(_))) if is_nobody => drop(std::fs::remove_file(path)),
                (Some(path), _) => ctx.out.warn(&format!(
                    "the recovery may have happened: keep the former kit, and the new one in {}",
                    path.display()
                )),
                (None, _) => {}
            }
            return Err(match sent.failure {
                Some(Failure::Refused(refusal)) => refusal,
                Some(Failure::Unknown(doubt)) => Fault::from(doubt).into(),
                None => error,
            });
        }
        if let Some(path) = file
            && let Err(error) = kit.settle(path)
        {
            ctx.out.warn(&format!(
                "the recovery is done, but its kit still says that it is not confirmed: {error:#}"
            ));
        }
        self.end_signed_in(ctx, &home, &server, &newcomer, &recovery, device_end)
    }

    fn end_signed_in(
        &self,
        ctx: &Ctx,
        home: &Home,
        server: &Server,
        newcomer: &Newcomer,
        recovery: &Recovery,
        device_end: i64,
    ) -> anyhow::Result<()> {
        let holder = Holder { org: recovery.org, identity: newcomer.id, email: Some(&self.email) };
        let login = Login::at(server, holder, &newcomer.device(), Some(device_end));
        Config::update(home, |config| config.login = Some(login))?;
        if let Some(path) = &self.new_kit {
            ctx.out.say(&format!(
                "the new recovery kit is in {}; print it and keep it away from this machine",
                path.display()
            ));
        }
        ctx.out.say(
            "the former kit is used up; destroy it: with an old copy of the server's database it still opens everything",
        );
        ctx.out.say(&format!("{} is an owner, signed in until {}", self.email, rfc3339(device_end)));
        if ctx.out.json {
            ctx.out.json(&json!({ "organisation": recovery.org, "identity": newcomer.id }))?;
        }
        Ok(())
    }

    /// The code, from where it was said to be; never from the command line.
    fn token(&self) -> anyhow::Result<Token> {
        let text = match &self.recovery_kit {
            Some(path) => code_in(path)?,
            None if self.kit_stdin => prompt::stdin_text("recovery code")?,
            None => prompt::secret(
                "Recovery code",
                "there is no terminal to ask for the recovery code; use --recovery-kit or --kit-stdin",
            )?,
        };
        let token = Token::parse(text.trim()).map_err(Fault::from)?;
        if token.kind != TokenKind::Recovery {
            let what = format!("this is {}, not a recovery code", token.kind.describe());
            return Err(Fault::new(Code::SignIn, what).next("it stands in the recovery kit, kwr1_…").into());
        }
        Ok(token)
    }

    /// Shows what was opened, and makes the new owner's keys if it may be one there.
    fn newcomer(&self, ctx: &Ctx, opened: &Opened, text: &str) -> anyhow::Result<Newcomer> {
        let org = &opened.org;
        let author = org.identity(org.written_by).map_or("somebody who has left", |by| by.name.as_str());
        ctx.out.say(&format!(
            "{}: seq {}, epoch {}, last change by {author} at {}",
            org.org_name,
            org.seq,
            org.epoch,
            rfc3339(org.written_at)
        ));
        let password = new_password::strong(text, &[self.email.as_str(), org.org_name.as_str()])?;
        if org.identities.iter().any(|identity| identity.email.as_ref() == Some(&self.email)) {
            return Err(taken(&self.email).into());
        }
        let name = self.name.clone().or_else(|| self.email.as_str().parse().ok());
        let name = name.ok_or_else(|| {
            Fault::usage("the e-mail address cannot be used as a name").next("name the new owner with --name")
        })?;
        if org.identities.iter().any(|identity| identity.name == name) {
            return Err(Fault::new(Code::Conflict, format!("the name {name} is taken"))
                .next("name the new owner otherwise, with --name")
                .into());
        }
        Ok(Newcomer::new(name, self.email.clone(), &password))
    }
}

/// The parts that one attempt and the next have in common.
struct Attempt<'a> {
    api: &'a Api,
    recovery: &'a Recovery,
    floors: &'a Floors,
    newcomer: &'a Newcomer,
}

/// A recovery that was sent. Unless all went well, only a look can tell whether it happened: on its way a request may have been
/// doubled, and the refusal is that of the second one.
struct Sent {
    /// The state as it is then.
    written: Base,
    failure: Option<Failure>,
}

enum Failure {
    /// The server said no.
    Refused(anyhow::Error),
    /// The server may still carry it out.
    Unknown(ApiError),
}

impl Attempt<'_> {
    /// Sends it; again on top of what others wrote meanwhile, for up to 30 seconds. An error means that nothing was sent.
    async fn carry_out(
        &self,
        ctx: &Ctx,
        mut answer: RecoveryAnswer,
        device_end: i64,
    ) -> anyhow::Result<Sent> {
        let start = Instant::now();
        let mut sent = None;
        loop {
            let opened = || open(self.recovery, &answer, self.floors).map_err(Fault::from);
            let made = opened().and_then(|org| {
                let request =
                    self.newcomer.request(self.recovery, &answer, (org, opened()?), ctx.now(), device_end);
                request.map_err(Fault::from)
            });
            let made = match (made, sent) {
                (Ok(made), _) => made,
                (Err(fault), None) => return Err(fault.into()),
                (Err(fault), Some(written)) => {
                    return Ok(Sent { written, failure: Some(Failure::Refused(fault.into())) });
                }
            };
            let written = made.after;
            sent = Some(written);
            let refused = |fault: Fault| Sent { written, failure: Some(Failure::Refused(fault.into())) };
            match self.api.recover(&made.request).await {
                Ok(_) => return Ok(Sent { written, failure: None }),
                Err(error) if error.leaves_doubt() => {
                    return Ok(Sent { written, failure: Some(Failure::Unknown(error)) });
                }
                Err(error) if !error.is_status(409) => return Ok(refused(not_let(error))),
                Err(_) => {}
            }
            let former: Sha256 = answer.env.sha256();
            answer = match self.api.recovery().await {
                Ok(answer) => answer,
                Err(error) => return Ok(refused(not_let(error))),
            };
            if answer.env.sha256() == former {
                // Nobody wrote: it is about the address, which somebody of another organisation has.
                return Ok(refused(taken(&made.request.email)));
            }
            if start.elapsed() > PATIENCE {
                let what = "others kept changing the organisation; nothing was recovered";
                return Ok(refused(Fault::new(Code::Conflict, what).next("run the command again")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Whether the new owner is there, signed in as it.
async fn look(ctx: &Ctx, credential: Credential, written: Base) -> anyhow::Result<()> {
    let session = Session::with(credential).await?;
    if session.shows(ctx, written).await? {
        return Ok(());
    }
    Err(Fault::new(
        Code::Integrity,
        "the server said that the recovery is stored, but shows a state without it",
    )
    .next("do not rely on it; keep the former kit, and ask the server's operator")
    .into())
}

async fn sign_in(server: &Server, token: &Token) -> anyhow::Result<(Api, Recovery)> {
    let mut api = Api::new(server)?;
    let keys = derive_secret(token.id, &token.secret);
    let answer = api.log_in(token.id, &keys).await.map_err(|error| match error {
        ApiError::Refused { status: 401, .. } => {
            Fault::new(Code::SignIn, "the server does not take this recovery kit").next(
                "it was used or replaced, or is of another server: look at the address in it, and at --url",
            )
        }
        other => other.into(),
    })?;
    let recovery = Recovery::open(&keys.unlock, token.id, &answer.cred).map_err(Fault::from)?;
    Ok((api, recovery))
}

fn code_in(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    use std::io::Read as _;
    let shown = typed(&path.to_string_lossy(), 500);
    let cannot = || format!("cannot read {shown}");
    // In its final size, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(KIT_BYTES + 64));
    let file = std::fs::File::open(path).with_context(cannot)?;
    file.take(KIT_BYTES as u64).read_to_string(&mut text).with_context(cannot)?;
    let code = text.split_whitespace().find(|word| word.starts_with("kwr1_"));
    let code = code.map(|word| Zeroizing::new(word.to_owned()));
    Ok(code.ok_or_else(|| {
        Fault::new(Code::SignIn, format!("{shown} holds no recovery code")).next("it begins with kwr1_")
    })?)
}

fn refuse_present(file: Option<&Path>) -> Result<(), Fault> {
    match file {
        Some(path) if path.symlink_metadata().is_ok() => Err(files::exists_already(path)),
        _ => Ok(()),
    }
}

fn taken(email: &Email) -> Fault {
    let shown = crate::fault::printable(email.as_str(), 100);
    Fault::new(
        Code::Conflict,
        format!("somebody has the address {shown} on this server; nothing was recovered"),
    )
    .next("a new owner needs an address of its own: such as you+new@acme.example")
}

/// A session of the kit was refused what it is there for.
fn not_let(error: ApiError) -> Fault {
    match error {
        ApiError::Refused { status: 401 | 403, .. } => {
            Fault::new(Code::Policy, "the server no longer lets this kit recover").next(
                "a kit's sign-in is good for ten minutes: run the command again; or the kit was replaced meanwhile",
            )
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_in_the_place_of_the_kits_path_is_not_repeated() {
        let error = code_in(Path::new("kwr1_hunter2")).unwrap_err();
        assert!(!format!("{error:#}").contains("hunter2"));
    }
}
