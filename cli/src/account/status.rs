//! Who is signed in here, and until when.

use crate::ctx::{Ctx, rfc3339};
use crate::fault::Fault;
use crate::session::config::Config;
use crate::session::credential::Credential;
use crate::session::home::Home;
use crate::vault::admin::Session;
use crate::vault::fetch::fetch;
use crate::vault::freshness::Freshness;

/// Prints it.
///
/// # Errors
/// If nobody is signed in, or the server does not answer as it must.
pub(crate) async fn show(ctx: &Ctx) -> anyhow::Result<()> {
    let credential = Credential::find(ctx)?;
    let read = fetch(ctx, &credential, &Freshness::default(), None).await?;
    read.remember(ctx);
    let session = Session::with(credential).await?;
    let me = session.api.me().await.map_err(Fault::from)?;
    let login = match Home::find(ctx) {
        Some(home) => Config::load(&home)?.login.filter(|login| login.identity == session.cred.id),
        None => None,
    };
    let email = login.and_then(|login| login.email);
    // Who one is comes from the sealed credential; what the server adds is its own word.
    let end = [session.cred.not_after, me.not_after].into_iter().flatten().min();
    if ctx.out.json {
        return ctx.out.json(&serde_json::json!({
            "identity": session.cred.id,
            "email": email,
            "organisation": session.cred.org,
            "organisation_name": read.verified.view.org_name,
            "kind": me.kind,
            "role": me.role,
            "credential": me.credential,
            "credential_kind": session.cred.kind,
            "ends_at": end.map(rfc3339),
        }));
    }
    let name = email.map_or_else(String::new, |email| format!("{email}, "));
    ctx.out.line(&format!("{name}{} ({} {})", session.cred.id, me.kind.as_str(), me.role.as_str()))?;
    ctx.out.line(&format!("organisation {} ({})", read.verified.view.org_name, session.cred.org))?;
    let until = end.map_or_else(|| "never ends".to_owned(), |end| format!("until {}", rfc3339(end)));
    ctx.out.line(&format!("{} credential, {until}", session.cred.kind.as_str()))
}
