//! Where this run's credential comes from: the environment first, then the stored login.

use std::path::PathBuf;

use anyhow::Context as _;
use keyward_crypto::agent::PROXY_PREFIX;
use keyward_crypto::{CredentialKeys, Halves, Token, TokenKind, derive_secret};
use keyward_wire::CredentialId;
use zeroize::Zeroizing;

use super::config::{Config, Login};
use super::files;
use super::home::Home;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault, typed};
use crate::prompt;

/// The server of a fresh start.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8420";

/// A credential and where it is good.
pub struct Credential {
    /// The credential's id.
    pub id: CredentialId,
    /// The credential's two halves.
    pub keys: CredentialKeys,
    /// The server.
    pub server: Server,
    /// Where this run may remember things; `None`: nowhere.
    pub home: Option<Home>,
}

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct Server {
    /// The server's address.
    pub url: String,
    /// Trust only these certificate authorities.
    pub ca_file: Option<PathBuf>,
    /// http:// beyond this machine is allowed.
    pub allow_http: bool,
    /// Somebody named it: an option, a variable, or the login.
    pub named: bool,
    /// The address of the stored login's own server, if this is another: whose word on that login does not count.
    pub instead_of: Option<String>,
}

impl Server {
    /// The server at this address, as any other program would reach it.
    pub fn at(url: String) -> Self {
        Self { url, ca_file: None, allow_http: false, named: true, instead_of: None }
    }

    /// The server of the options alone.
    pub fn of_options(ctx: &Ctx) -> Self {
        Self {
            url: ctx.global.url.clone().unwrap_or_else(|| DEFAULT_URL.to_owned()),
            ca_file: ca_file(ctx),
            allow_http: ctx.global.allow_http,
            named: ctx.global.url.is_some(),
            instead_of: None,
        }
    }

    /// The server of a stored login, unless the options name another. That http:// was allowed there says nothing of
    /// anywhere else.
    pub fn of_login(ctx: &Ctx, login: &Login) -> Self {
        let other = ctx.global.url.as_ref().filter(|url| usual(url) != usual(&login.url));
        Self {
            url: other.unwrap_or(&login.url).clone(),
            ca_file: ca_file(ctx).or_else(|| login.ca_file.clone()),
            allow_http: ctx.global.allow_http || (other.is_none() && login.allow_http),
            named: true,
            instead_of: other.map(|_| login.url.clone()),
        }
    }
}

/// An address in one of its spellings: without what may be left out, in small letters, and with this machine's number for its
/// name.
fn usual(url: &str) -> String {
    let url = url.trim_end_matches('/').to_ascii_lowercase();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", &url));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let default = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(default).unwrap_or(authority);
    let authority = authority.replacen("localhost", "127.0.0.1", usize::from(is_localhost(authority)));
    format!("{scheme}://{authority}/{path}")
}

fn is_localhost(authority: &str) -> bool {
    authority.split(':').next() == Some("localhost")
}

/// Absolute, because it is stored, and used from other folders.
fn ca_file(ctx: &Ctx) -> Option<PathBuf> {
    let given = ctx.global.ca.as_ref()?;
    Some(std::path::absolute(given).unwrap_or_else(|_| given.clone()))
}

impl Credential {
    /// `KEYWARD_TOKEN_FILE` (`-`: standard input), else `KEYWARD_TOKEN`, else the stored login.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn find(ctx: &Ctx) -> anyhow::Result<Self> {
        match from_environment(ctx)? {
            Some((text, source)) => {
                let (id, keys) = parse(&text).map_err(|error| no_token(&source, &text, &error))?;
                // With a token from outside, nothing is kept unless a folder was named for it.
                let home = ctx.global.home.is_some().then(|| Home::find(ctx)).flatten();
                Ok(Self { id, keys, server: Server::of_options(ctx), home })
            }
            None => Self::stored(ctx),
        }
    }

    fn stored(ctx: &Ctx) -> anyhow::Result<Self> {
        let not_signed_in = || {
            Fault::new(Code::SignIn, "not signed in")
                .next("run `keyward login`, or `keyward auth api-user --token-stdin`, or set KEYWARD_TOKEN")
        };
        let home = Home::find(ctx).ok_or_else(not_signed_in)?;
        let login = Config::load(&home)?.login.ok_or_else(not_signed_in)?;
        if !login.lives(ctx.now()) {
            return Err(Fault::new(Code::SignIn, "the login on this device has ended")
                .next("run `keyward login` again")
                .into());
        }
        let (id, keys) = login.halves()?.into_keys();
        let server = Server::of_login(ctx, &login);
        Ok(Self { id, keys, server, home: Some(home) })
    }
}

/// The halves of a token as text: `kwt1_`, `kwd1_` or `kwh1_`.
///
/// # Errors
/// If it is none of these, or mistyped.
pub fn parse(text: &str) -> anyhow::Result<(CredentialId, CredentialKeys)> {
    if text.starts_with("kwh1_") {
        return Ok(Halves::parse(text).map_err(Fault::from)?.into_keys());
    }
    if text.starts_with(PROXY_PREFIX) {
        let what =
            "this is the proxy credential of an agent (kwp1_…), which no server takes: it opens nothing";
        return Err(Fault::new(Code::SignIn, what)
            .next(
                "a program shows it to its gateway, as the password of HTTPS_PROXY; here a token is needed, for keyward proxy the \
                 gateway's own (keyward api-user create NAME --gateway). Another one for the agent: keyward agent rotate NAME",
            )
            .into());
    }
    let token = Token::parse(text).map_err(Fault::from)?;
    if !matches!(token.kind, TokenKind::Api | TokenKind::Device) {
        return Err(
            Fault::new(Code::SignIn, format!("this is {}, not a token", token.kind.describe())).into()
        );
    }
    Ok((token.id, derive_secret(token.id, &token.secret)))
}

/// What is wrong with a token from the environment; the advice is that of its fault, if that has some.
fn no_token(source: &str, text: &str, error: &anyhow::Error) -> Fault {
    const ANOTHER: &str = "issue a new one: keyward api-user rotate";
    if text.is_empty() {
        return Fault::new(Code::SignIn, format!("{source} is empty")).next(ANOTHER);
    }
    let (what, advice) = match error.downcast_ref::<Fault>() {
        Some(fault) => (fault.what().to_owned(), fault.advice()),
        None => (error.to_string(), None),
    };
    Fault::new(Code::SignIn, format!("{source} holds no token: {what}")).next(advice.unwrap_or(ANOTHER))
}

/// The token, and where it is from.
fn from_environment(ctx: &Ctx) -> anyhow::Result<Option<(Zeroizing<String>, String)>> {
    if let Some(path) = &ctx.env.token_file {
        let (bytes, source) = if path.as_os_str() == "-" {
            (prompt::stdin(TOKEN_BYTES)?, "standard input (KEYWARD_TOKEN_FILE is -)".to_owned())
        } else {
            let shown = typed(&path.to_string_lossy(), 500);
            // Not held to 0600: mounted secrets of container engines are 0444.
            let bytes = files::read_at_most(path, TOKEN_FILE_BYTES)
                .with_context(|| format!("cannot read KEYWARD_TOKEN_FILE {shown}"))
                .context(
                    Fault::new(Code::SignIn, "there is no token to sign in with")
                        .next("check the path in KEYWARD_TOKEN_FILE, and that this user may read it"),
                )?;
            (bytes, format!("KEYWARD_TOKEN_FILE {shown}"))
        };
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Fault::new(Code::SignIn, format!("{source} does not hold a token")))?;
        return Ok(Some((Zeroizing::new(text.trim().to_owned()), source)));
    }
    if ctx.env.token_unreadable {
        return Err(Fault::new(Code::SignIn, "KEYWARD_TOKEN does not hold a token").into());
    }
    let token = ctx.env.token.as_ref();
    Ok(token.map(|text| (Zeroizing::new(text.trim().to_owned()), "KEYWARD_TOKEN".to_owned())))
}

/// Bytes that are read of a token's file, which may have blank lines around it.
const TOKEN_FILE_BYTES: usize = 64 * 1024;

/// Bytes that are read of a token: more than any token has.
const TOKEN_BYTES: usize = 4096;
