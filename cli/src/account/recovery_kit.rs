//! The recovery kit, as it is kept: a new file, or shown and shown to have been read, before anything is sent.

use std::path::Path;

use keyward_crypto::Token;
use keyward_wire::OrgId;
use keyward_wire::name::Email;
use zeroize::Zeroizing;

use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::prompt;
use crate::session::files;

/// The content of a kit.
pub(crate) struct RecoveryKit<'a> {
    /// The kit's secret.
    pub(crate) token: &'a Token,
    /// The organisation that the kit is of.
    pub(crate) org: OrgId,
    /// The e-mail address of the owner that the kit was made for.
    pub(crate) email: &'a Email,
    /// The address of the server.
    pub(crate) url: &'a str,
}

impl RecoveryKit<'_> {
    /// Safe on disk, or its reader has shown to have it. `pending` is what its first lines say until it is good.
    pub(crate) fn keep(&self, ctx: &Ctx, file: Option<&Path>, pending: &str) -> anyhow::Result<()> {
        if let Some(path) = file {
            return files::create(path, self.text(pending).as_bytes());
        }
        ctx.out.note(&self.text(pending));
        self.confirm()
    }

    /// The kit is good: a file of it says nothing else any more.
    pub(crate) fn settle(&self, file: &Path) -> anyhow::Result<()> {
        files::write(file, self.text("").as_bytes())
    }

    fn confirm(&self) -> anyhow::Result<()> {
        let secret = self.token.encode();
        debug_assert!(secret.starts_with(self.token.kind.prefix()));
        let check = secret.rsplit('_').next().unwrap_or_default();
        for _ in 0..3 {
            let typed = prompt::line("Type the last 6 characters of the recovery code", "no terminal")?;
            if typed == check {
                return Ok(());
            }
        }
        Err(Fault::usage("the recovery code was not confirmed; nothing was sent").into())
    }

    fn text(&self, pending: &str) -> Zeroizing<String> {
        let Self { token, org, email, url } = self;
        let secret = token.encode();
        Zeroizing::new(format!(
            "{pending}keyward recovery kit\n\n\
             server        {url}\n\
             organisation  {org}\n\
             owner         {email}\n\n\
             recovery code\n{}\n\n\
             Whoever has this code and can reach the server is an owner of the organisation.\n\
             Print this page, store it like the deed of a house, and delete the file.\n",
            *secret
        ))
    }
}
