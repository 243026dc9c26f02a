//! Reads keys as whoever the caller is: owners and admins by way of ORG, everybody else by way of their view.

use keyward_crypto::state::secret::Secret;
use keyward_wire::name::Name;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::session::credential::Credential;
use crate::vault::admin::{OpenOrg, Session};
use crate::vault::fetch::{Fetched, fetch};
use crate::vault::freshness::Freshness;

/// The caller, by the way in which it reads.
pub(super) enum Reader {
    /// An owner or admin.
    Admin(Box<Session>, u64),
    /// Somebody with a view.
    Viewer(Box<Fetched>),
}

impl Reader {
    /// Reads what the caller may read, and finds out which of the two that is.
    pub(super) async fn open(ctx: &Ctx, freshness: &Freshness) -> anyhow::Result<Self> {
        let credential = Credential::find(ctx)?;
        let fetched = fetch(ctx, &credential, freshness, None).await?;
        if !fetched.verified.administers {
            return Ok(Self::Viewer(Box::new(fetched)));
        }
        fetched.remember(ctx);
        Ok(Self::Admin(Box::new(Session::with(credential).await?), fetched.verified.seq))
    }
}

/// The name and the value of the key that `text` means, for whoever may read it.
pub(super) async fn value_of(ctx: &Ctx, text: &str, freshness: &Freshness) -> anyhow::Result<(Name, Secret)> {
    match Reader::open(ctx, freshness).await? {
        Reader::Admin(session, seq) => {
            let opened = open_since(&session, ctx, seq).await?;
            let key = resolve::key(&opened.org, text)?;
            Ok((key.name.clone(), opened.secret(key).await?))
        }
        Reader::Viewer(fetched) => {
            let key = fetched.settle(ctx, fetched.key(text))?;
            let secret = fetched.verified.secret(key, &fetched.secrets).map_err(Fault::from)?;
            fetched.remember(ctx);
            Ok((key.name.clone(), secret))
        }
    }
}

/// Opens ORG, no older than the state of `seq` that was seen a moment ago.
pub(super) async fn open_since<'a>(session: &'a Session, ctx: &Ctx, seq: u64) -> anyhow::Result<OpenOrg<'a>> {
    let opened = session.open(ctx).await?;
    if opened.org.seq < seq {
        let fault = Fault::new(Code::Stale, "the server went back to an older state between two requests");
        return Err(fault.next("nothing was used; ask its operator").into());
    }
    Ok(opened)
}
