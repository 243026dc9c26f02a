//! What is to be done: from the options, and from the answers of whoever can be asked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use keyward_wire::name::{Email, Name};

use super::Options;
use super::local_server;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::prompt;
use crate::session::config::Login;
use crate::session::home::Home;

/// The place of the server.
pub(super) enum ServerChoice {
    /// The server is on this machine; it may have to be started.
    Here { listen: Option<SocketAddr>, background: bool },
    /// The server is at this address.
    At(String),
}

/// Everything that is to be done.
pub(super) struct Plan {
    pub(super) place: ServerChoice,
    /// The organisation to found; `None`: there is one to sign in to, or somebody is signed in.
    pub(super) org: Option<Name>,
    pub(super) email: Option<Email>,
    pub(super) password_stdin: bool,
    pub(super) recovery_kit: Option<PathBuf>,
    pub(super) setup_code: Option<String>,
    pub(super) deployment: Name,
    pub(super) env: Option<PathBuf>,
    pub(super) api_user: Option<Name>,
    pub(super) group: Name,
}

impl Plan {
    /// Asks for what is missing, on a terminal only.
    pub(super) fn make(ctx: &Ctx, options: Options, login: Option<&Login>) -> anyhow::Result<Self> {
        let asks = prompt::on_terminal() && !ctx.out.json;
        let place = place(ctx, &options, login, asks)?;
        let (mut org, mut email) = (options.org, options.email);
        let known: Option<Email> =
            login.and_then(|login| login.email.as_ref()).and_then(|email| email.parse().ok());
        if let (Some(login), Some(asked)) = (login.filter(|login| login.lives(ctx.now())), &email)
            && known.as_ref() != Some(asked)
        {
            let who = login.email.as_deref().unwrap_or("an API user");
            return Err(signed_in(&format!("{who} is signed in, not {asked}")).into());
        }
        email = email.or(known);
        if login.is_none() && email.is_none() {
            if asks && org.is_none() {
                let name = prompt::line(
                    "Name of your new organisation (nothing: sign in to one that is there)",
                    "",
                )?;
                org = if name.is_empty() { None } else { Some(parse(&name, "a name")?) };
            }
            email = Some(parse(
                &prompt::line("Your e-mail address", "name your e-mail address with --email")?,
                "an e-mail address",
            )?);
        }
        let env = match options.env {
            Some(file) => Some(file),
            None => found_env(asks, options.yes, ctx)?,
        };
        let deployment = match options.deployment {
            Some(name) => name,
            None if asks => named("Name of the deployment", DEPLOYMENT)?,
            None => fixed(DEPLOYMENT),
        };
        let api_user = match options.api_user {
            None if asks => {
                let name = prompt::line("A token for a container or agent? Its name (nothing: none)", "")?;
                if name.is_empty() { None } else { Some(parse(&name, "a name")?) }
            }
            given => given,
        };
        Ok(Self {
            place,
            org,
            email,
            password_stdin: options.password_stdin,
            recovery_kit: options.recovery_kit,
            setup_code: options.setup_code,
            deployment,
            env,
            api_user,
            group: options.group.unwrap_or_else(|| fixed(GROUP)),
        })
    }
}

/// Somebody else, or another organisation, is asked for than is signed in.
pub(super) fn signed_in(what: &str) -> Fault {
    Fault::usage(format!("{what}; nothing was stored"))
        .next("run `keyward logout` first, use another folder with --home or KEYWARD_HOME, or leave that option out")
}

fn place(ctx: &Ctx, options: &Options, login: Option<&Login>, asks: bool) -> anyhow::Result<ServerChoice> {
    let here = ServerChoice::Here { listen: options.listen, background: options.background };
    let url = ctx.global.url.as_ref();
    if options.local && url.is_some() {
        return Err(Fault::usage("--local and --url (or KEYWARD_URL) exclude each other")
            .next("say one of them")
            .into());
    }
    if let Some(login) = login {
        let is_ours = Home::find(ctx)
            .and_then(|home| local_server::recorded(&home))
            .is_some_and(|known| known == login.url);
        return match url {
            Some(url) if *url != login.url => {
                let fault =
                    Fault::new(Code::Conflict, format!("this client is signed in at {} already", login.url));
                Err(fault.next("run `keyward logout` first, or use another folder with --home").into())
            }
            // It may have to be started again.
            _ if is_ours => Ok(here),
            _ => Ok(ServerChoice::At(login.url.clone())),
        };
    }
    if let Some(url) = url {
        return Ok(ServerChoice::At(url.clone()));
    }
    if options.local {
        return Ok(here);
    }
    if !asks {
        let fault = Fault::usage("which server?");
        return Err(fault.next("--local starts one on this machine; --url names one that is there").into());
    }
    ctx.out
        .note("Where is your keyward server?\n   1  on this machine: use it, or start it\n   2  elsewhere");
    match prompt::line("Number or address", "")?.as_str() {
        "1" => Ok(here),
        "2" => Ok(ServerChoice::At(prompt::line("Its address, such as https://keyward.example", "")?)),
        address if address.contains("://") => Ok(ServerChoice::At(address.to_owned())),
        _ => Err(Fault::usage("that is none of them; nothing was done").into()),
    }
}

/// The `.env` of this folder, if it is to be imported.
fn found_env(asks: bool, yes: bool, ctx: &Ctx) -> anyhow::Result<Option<PathBuf>> {
    let file = Path::new(".env");
    if !file.is_file() {
        return Ok(None);
    }
    if !yes && !asks {
        ctx.out.note("there is a .env here; it is not imported unless --env .env or --yes says so");
        return Ok(None);
    }
    let take = yes || agreed("Import .env?", ctx)?;
    Ok(take.then(|| file.to_owned()))
}

/// The return key alone is a yes. What is neither yes nor no is asked again.
fn agreed(question: &str, ctx: &Ctx) -> anyhow::Result<bool> {
    loop {
        match prompt::line(&format!("{question} [Y/n]"), "")?.to_lowercase().as_str() {
            "" | "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => ctx.out.note("answer y or n"),
        }
    }
}

fn named(question: &str, default: &'static str) -> anyhow::Result<Name> {
    let name = prompt::line(&format!("{question} [{default}]"), "")?;
    if name.is_empty() { Ok(fixed(default)) } else { parse(&name, "a name") }
}

fn parse<T: std::str::FromStr>(text: &str, what: &str) -> anyhow::Result<T> {
    text.parse().map_err(|_| Fault::usage(format!("that is not {what}; nothing was done")).into())
}

fn fixed(name: &'static str) -> Name {
    name.parse().expect("a constant that is a name")
}

const DEPLOYMENT: &str = "production";

const GROUP: &str = "agents";
