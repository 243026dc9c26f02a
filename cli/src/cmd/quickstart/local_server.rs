//! A server on this machine: the one that runs, or one that is started.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use super::server_start::ServerStart;
use super::{background_process, systemd_service};
use crate::api::ApiError;
use crate::api::probe::probe;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault, printable};
use crate::process_env::ProcessEnv;
use crate::session::credential::Server;
use crate::session::files;
use crate::session::home::Home;

/// How long a server that was started may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// The address of a server on this machine that runs when this returns.
pub(super) async fn ensure(
    ctx: &Ctx,
    home: &Home,
    listen: Option<SocketAddr>,
    background: bool,
) -> anyhow::Result<String> {
    let known = recorded(home);
    let wanted = listen.map(|listen| format!("http://{listen}"));
    if let (Some(known), Some(wanted)) = (&known, &wanted)
        && known != wanted
        && runs(known).await?
    {
        let fault = Fault::new(Code::Conflict, format!("your server runs already, at {known}"));
        return Err(fault.next("use it without --listen, or stop it first").into());
    }
    let default = || SocketAddr::from((Ipv4Addr::LOCALHOST, 8420));
    let of_known = || known.as_deref().and_then(|url| url.strip_prefix("http://")?.parse().ok());
    let listen = listen.or_else(of_known).unwrap_or_else(default);
    if !listen.ip().is_loopback() || listen.port() == 0 {
        let fault = Fault::usage("--listen must be an address of this machine: 127.0.0.1:PORT or [::1]:PORT");
        return Err(fault
            .next("for others, set one up as docs/OPERATING.md says, and name it with --url")
            .into());
    }
    let url = format!("http://{listen}");
    if runs(&url).await? {
        ctx.out.say(&format!("a keyward server runs at {url}; it is used"));
        return Ok(url);
    }
    let env = ProcessEnv::read();
    let folder = std::path::absolute(home.path())?.join("server");
    files::folder(&folder)?;
    let start = ServerStart { program: program(&env)?, folder, listen };
    let mut child = None;
    if !background && systemd_service::is_there(&env) {
        systemd_service::start(ctx, &env, &start)?;
    } else {
        child = Some(background_process::start(ctx, &start)?);
    }
    wait(&url, child.as_mut(), &start).await?;
    files::write(&address_file(home), url.as_bytes())?;
    ctx.out.say(&format!("the server is ready at {url}; its data is in {}", start.data().display()));
    Ok(url)
}

/// The address of the server that was started here before.
pub(super) fn recorded(home: &Home) -> Option<String> {
    let text = files::read(&address_file(home)).ok()??;
    let url = std::str::from_utf8(&text).ok()?.trim();
    url.starts_with("http://").then(|| url.to_owned())
}

fn address_file(home: &Home) -> PathBuf {
    home.path().join("server").join("address")
}

/// Whether a keyward server answers there.
async fn runs(url: &str) -> anyhow::Result<bool> {
    let server = Server::at(url.to_owned());
    match probe(&server).await? {
        Ok(seen) if seen.status == 200 && seen.version.is_some() => Ok(true),
        Ok(_) => {
            let fault = Fault::new(Code::Conflict, format!("something else answers at {url}"));
            Err(fault.next("take another port: --local --listen 127.0.0.1:8421").into())
        }
        Err(ApiError::Network { sent: false, .. }) => Ok(false),
        Err(error) => Err(Fault::from(error).into()),
    }
}

/// `keyward-server` beside this program, or on PATH.
fn program(env: &ProcessEnv) -> anyhow::Result<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|own| own.canonicalize().ok());
    let beside = beside.and_then(|own| own.parent().map(Path::to_owned));
    let folders = beside.into_iter().chain(env.path().into_iter().filter(|folder| folder.is_absolute()));
    let found = folders.map(|folder| folder.join("keyward-server")).find(|file| file.is_file());
    Ok(found.ok_or_else(|| {
        Fault::new(Code::NotFound, "there is no keyward-server beside keyward or on PATH")
            .next("install it there, or name a server that is elsewhere with --url")
    })?)
}

async fn wait(url: &str, mut child: Option<&mut Child>, start: &ServerStart) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        if runs(url).await.unwrap_or(false) {
            return Ok(());
        }
        let ended = child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
        if ended || began.elapsed() > PATIENCE {
            let (what, where_) = match child {
                Some(_) => (last_words(&start.folder), start.folder.join("log").display().to_string()),
                None => (String::new(), "journalctl --user -u keyward-server".to_owned()),
            };
            let fault = Fault::new(Code::Network, format!("the server did not start{what}"));
            return Err(fault.next(format!("its log says more: {where_}")).into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn last_words(folder: &Path) -> String {
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    log.lines().last().map(|line| format!(": {}", printable(line, 300))).unwrap_or_default()
}
