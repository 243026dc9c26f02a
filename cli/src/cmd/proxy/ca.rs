//! `keyward proxy ca`: the certificate that programs behind the gateway trust.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::ctx::Ctx;
use crate::proxy::{State, bundle};

/// Print the certificate of the gateway's authority
///
/// It is made at the first use. Compare its SHA-256 with what `keyward proxy` says when it starts, if it came over a network.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward proxy ca --out gateway.crt")]
pub(super) struct Options {
    /// Write it to this file, which everybody may read
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// With the system's authorities before it, for programs that trust one file only
    #[arg(long)]
    bundle: bool,
    /// Folder of the gateway's authority and log [default: gateway/ in keyward's own folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl Options {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let ca = State::find(ctx, self.state.as_deref())?.ca()?;
        let own = ca.certificate_pem();
        let pem = if self.bundle { bundle(&own) } else { own };
        match &self.out {
            None if ctx.out.json => {
                ctx.out.json(&serde_json::json!({ "sha256": ca.fingerprint(), "pem": pem }))?;
            }
            None => ctx.out.bytes(pem.as_bytes())?,
            Some(path) => {
                let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o644).open(path);
                file.and_then(|mut file| file.write_all(pem.as_bytes()))
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        ctx.out.say(&format!("SHA-256 {}", ca.fingerprint()));
        Ok(())
    }
}
