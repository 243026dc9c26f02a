//! `keyward auth api-user`: checks a token and keeps its two halves.

use clap::Args;
use keyward_crypto::Halves;
use zeroize::Zeroizing;

use crate::ctx::{Ctx, rfc3339};
use crate::fault::{Code, Fault};
use crate::prompt;
use crate::session::config::{Config, Holder, Login};
use crate::session::credential::{Credential, Server, parse};
use crate::session::home::Home;
use crate::vault::admin::Session;

/// Sign this machine in with an API user's token, once and for good
///
/// Keeps not the token but the two halves derived from it, so that later commands derive nothing.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward auth api-user --token-stdin < token.txt")]
pub struct Options {
    /// Read the token from standard input
    #[arg(long)]
    token_stdin: bool,
    /// The token; other users of this machine can see it in the process list
    #[arg(long, conflicts_with = "token_stdin", hide_env = true)]
    token: Option<String>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let home = Home::required(ctx)?;
        // Another token is simply replaced; a person's login must be ended on the server, too.
        if Config::load(&home)?.login.is_some_and(|login| login.email.is_some()) {
            return Err(Fault::new(Code::Conflict, "a person is signed in on this client")
                .next("run `keyward logout` first, or use another folder with --home")
                .into());
        }
        let server = Server::of_options(ctx);
        let (id, keys) = parse(&self.token(ctx)?)?;
        let halves = Halves::from_keys(id, &keys);
        let session = Session::with(Credential { id, keys, server: server.clone(), home: None }).await?;
        let holder = Holder { org: session.cred.org, identity: session.cred.id, email: None };
        let end = session.cred.not_after;
        let login = Login::at(&server, holder, &halves, end);
        session.api.log_out(None).await.map_err(Fault::from)?;
        Config::update(&home, |config| config.login = Some(login))?;
        ctx.out.say(&format!("signed in as {}", session.cred.id));
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({ "identity": session.cred.id, "ends_at": end.map(rfc3339) }))?;
        }
        Ok(())
    }

    fn token(&self, ctx: &Ctx) -> anyhow::Result<Zeroizing<String>> {
        if let Some(token) = &self.token {
            ctx.out.warn(
                "a token on the command line can be seen by other users of this machine; use --token-stdin",
            );
            return Ok(Zeroizing::new(token.clone()));
        }
        if self.token_stdin {
            return prompt::stdin_text("token");
        }
        match &ctx.env.token {
            Some(token) => Ok(Zeroizing::new(token.trim().to_owned())),
            None => prompt::secret("Token", "name the token: --token-stdin, or KEYWARD_TOKEN")
                .map_err(|error| error.context(Fault::new(Code::Usage, "there is no token"))),
        }
    }
}
