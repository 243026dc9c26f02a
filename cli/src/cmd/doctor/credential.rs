//! The credential, and what it truly opens.

use keyward_wire::api::credentials::CredentialKind;

use super::check::Check;
use crate::ctx::{Ctx, rfc3339};
use crate::fault::{Code, code_of};
use crate::session::config::Login;
use crate::session::credential::Credential;
use crate::text::count;
use crate::vault::fetch::fetch;
use crate::vault::freshness::Freshness;

/// A login that ends sooner than this, in milliseconds, is worth a word.
const SOON: i64 = 3_600_000;

/// A token that ends sooner than this, two weeks, is too.
const WEEKS: i64 = 14 * 86_400_000;

/// Where the credential comes from, and until when it is good.
pub(super) fn look(ctx: &Ctx, login: Option<&Login>) -> (Check, Option<Credential>) {
    let from_outside = ctx.env.token_variable();
    let credential = match Credential::find(ctx) {
        Ok(credential) => credential,
        // To be signed in nowhere is how everybody begins.
        Err(error) if from_outside.is_none() && login.is_none() && code_of(&error) == Code::SignIn => {
            let next = "keyward quickstart, keyward login, or keyward auth api-user --token-stdin";
            return (Check::warn("credential", "nobody is signed in here", next), None);
        }
        Err(error) => return (Check::of_error("credential", &error), None),
    };
    let check = match (from_outside, login) {
        (Some(source), Some(_)) => Check::ok(
            "credential",
            format!("the token of {source}, which goes before the login that is kept"),
        ),
        (Some(source), None) => Check::ok("credential", format!("the token of {source}")),
        (None, login) => stored(login, ctx.now()),
    };
    (check, Some(credential))
}

fn stored(login: Option<&Login>, now: i64) -> Check {
    let who = login.and_then(|login| login.email.clone()).unwrap_or_else(|| "an API user".to_owned());
    match login.and_then(|login| login.not_after) {
        None => Check::ok("credential", format!("{who} is signed in")),
        Some(end) if end - now < SOON => {
            let found = format!("{who} is signed in until {}, which is soon", rfc3339(end));
            Check::warn("credential", found, "keyward login")
        }
        Some(end) => Check::ok("credential", format!("{who} is signed in until {}", rfc3339(end))),
    }
}

/// What the server gives this credential, verified as every command does. Nothing of it is kept.
pub(super) async fn access(ctx: &Ctx, credential: &Credential) -> Vec<Check> {
    let fetched = match fetch(ctx, credential, &Freshness::default(), None).await {
        Ok(fetched) => fetched,
        Err(error) => return vec![Check::of_error("access", &error)],
    };
    let (view, seen) = (&fetched.verified.view, &fetched.verified);
    let role = if seen.administers { "administers" } else { "may read" };
    let mut checks = vec![Check::ok(
        "access",
        format!(
            "{role} {} in {} of {}; state {} of epoch {} is authentic",
            count(view.keys.len(), "key"),
            count(view.deployments.len(), "deployment"),
            view.org_name,
            seen.seq,
            seen.epoch
        ),
    )];
    // Of a person's login this was told above.
    let end = [fetched.cred.not_after, seen.not_after].into_iter().flatten().min();
    if let Some(end) = end.filter(|end| fetched.cred.kind == CredentialKind::Token && end - ctx.now() < WEEKS)
    {
        let found = format!("this token ends {}", rfc3339(end));
        checks.push(Check::warn(
            "access",
            found,
            "ask an owner or admin for a new one: keyward api-user rotate",
        ));
    }
    checks
}
