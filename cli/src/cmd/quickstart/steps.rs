//! A step: an ordinary command of keyward, shown and run.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use keyward_wire::error::ErrorCode;
use keyward_wire::name::Name;
use zeroize::Zeroizing;

use super::plan::{Plan, ServerChoice};
use crate::account::founding::Founding;
use crate::api::Api;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::prompt;
use crate::session::config::Login;
use crate::session::credential::Server;
use crate::session::home::Home;
use crate::text::quoted;

/// How commands are run: by this very program, in the same folder of the client.
pub(super) struct Steps<'a> {
    ctx: &'a Ctx,
    program: PathBuf,
    home: &'a Home,
}

/// The standard input of a step.
#[derive(Clone, Copy)]
enum Input<'a> {
    /// The standard input of this program.
    None,
    /// This text.
    Text(&'a Zeroizing<String>),
}

/// What happens to a step's output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    /// Something to be shown on the way.
    Talk,
    /// Our own data.
    Data,
}

impl<'a> Steps<'a> {
    pub(super) fn new(ctx: &'a Ctx, home: &'a Home) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        Ok(Self { ctx, program, home })
    }

    /// Runs one.
    pub(super) fn run(&self, words: &[&str]) -> anyhow::Result<()> {
        self.attempt(words, Input::None, Output::Talk)?.map_or(Ok(()), |code| Err(stopped(words, code)))
    }

    /// Runs the one whose data is ours: a token.
    pub(super) fn run_for_token(&self, words: &[&str]) -> anyhow::Result<()> {
        self.attempt(words, Input::None, Output::Data)?.map_or(Ok(()), |code| Err(stopped(words, code)))
    }

    /// Signs up or in, unless somebody is signed in.
    pub(super) async fn sign_in(&self, plan: &Plan, login: Option<&Login>, url: &str) -> anyhow::Result<()> {
        if let Some(login) = login.filter(|login| login.lives(self.ctx.now())) {
            let who = login.email.as_deref().unwrap_or("an API user");
            self.ctx.out.say(&format!("{who} is signed in at {}", login.url));
            return Ok(());
        }
        // Before it is shown: what is no address may hold a password.
        let server = Server { url: url.to_owned(), named: true, ..Server::of_options(self.ctx) };
        Api::new(&server)?;
        let password = if plan.password_stdin { Some(prompt::stdin_text("password")?) } else { None };
        let is_founded = match &plan.org {
            Some(org) if login.is_none() => self.found(plan, org, &server, password.as_ref()).await?,
            _ => false,
        };
        if is_founded {
            return Ok(());
        }
        let email = plan.email.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut words = vec!["login", "--email", email.as_str(), "--url", url];
        if password.is_some() {
            words.push("--password-stdin");
        }
        let input = password.as_ref().map_or(Input::None, Input::Text);
        self.attempt(&words, input, Output::Talk)?.map_or(Ok(()), |code| Err(stopped(&words, code)))
    }

    /// Whether the organisation was founded. Here and not by a program, whose exit code would not tell “it was founded before”
    /// from another refusal.
    async fn found(
        &self,
        plan: &Plan,
        org: &Name,
        server: &Server,
        password: Option<&Zeroizing<String>>,
    ) -> anyhow::Result<bool> {
        let email = plan.email.as_ref().ok_or_else(|| Fault::usage("whose organisation? name --email"))?;
        let kit = plan.recovery_kit.as_ref().map(|path| path.display().to_string());
        let mut words = vec!["init", "--org", org.as_str()];
        words.extend(kit.iter().flat_map(|kit| ["--recovery-kit", kit.as_str()]));
        words.extend(plan.setup_code.iter().flat_map(|code| ["--setup-code", code.as_str()]));
        words.extend(["--email", email.as_str(), "--url", &server.url]);
        if password.is_some() {
            words.push("--password-stdin");
        }
        self.ctx.out.say(&format!("$ keyward {}", shown(&words)));
        let founding = Founding {
            org,
            email,
            recovery_kit: plan.recovery_kit.as_deref(),
            setup_code: plan.setup_code.clone(),
        };
        match founding.found(self.ctx, self.home, server, password.map(|text| text.as_str())).await? {
            Ok(_) => Ok(true),
            // Our own server takes one organisation: an earlier run founded it, and was stopped before it could tell.
            Err(error)
                if matches!(plan.place, ServerChoice::Here { .. })
                    && error.is_code(ErrorCode::SignupClosed) =>
            {
                self.ctx.out.note("this server has its organisation; signing in to it");
                Ok(false)
            }
            Err(error) => Err(Fault::from(error).into()),
        }
    }

    /// The exit code, unless it is 0.
    fn attempt(&self, words: &[&str], input: Input<'_>, output: Output) -> anyhow::Result<Option<u8>> {
        self.ctx.out.say(&format!("$ keyward {}", shown(words)));
        let mut command = Command::new(&self.program);
        command.args(words).arg("--home").arg(self.home.path());
        let global = &self.ctx.global;
        if let Some(ca) = &global.ca {
            command.arg("--ca").arg(ca);
        }
        for (flag, is_set) in [
            ("--allow-http", global.allow_http),
            ("--quiet", global.quiet),
            ("--no-color", self.ctx.out.no_color),
        ] {
            if is_set {
                command.arg(flag);
            }
        }
        if output == Output::Talk {
            command.stdout(std::io::stderr().as_fd().try_clone_to_owned().context("standard error is gone")?);
        }
        if matches!(input, Input::Text(_)) {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().context("cannot run keyward itself")?;
        if let (Some(mut pipe), Input::Text(input)) = (child.stdin.take(), input) {
            // One that ends before it reads says why itself.
            let _ = pipe.write_all(input.as_bytes());
        }
        let status = child.wait().context("cannot wait for keyward itself")?;
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        Ok((code != 0).then_some(code))
    }
}

/// The command as it would be typed. A setup code is hidden: it opens a server, and stderr is often a log.
fn shown(words: &[&str]) -> String {
    let mut is_code = false;
    let word = |word: &&str| {
        if std::mem::replace(&mut is_code, *word == "--setup-code") { "…".to_owned() } else { quoted(word) }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn stopped(words: &[&str], code: u8) -> anyhow::Error {
    let command: Vec<&str> =
        words.iter().take_while(|word| !word.starts_with('-')).take(2).copied().collect();
    let code = Code::of_exit(code).unwrap_or(Code::Unexpected);
    Fault::new(code, format!("`keyward {}` did not succeed", command.join(" ")))
        .next("when that is mended, run `keyward quickstart` again: what is done is not done twice")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_shown_as_it_would_be_typed_but_for_the_setup_code() {
        assert_eq!(
            shown(&["init", "--org", "A B", "--setup-code", "hunter2", "--url", "u"]),
            "init --org 'A B' --setup-code … --url u"
        );
    }
}
