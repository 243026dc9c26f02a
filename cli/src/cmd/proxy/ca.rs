//! `keyward proxy ca`: the certificate that programs behind the gateway trust.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::ctx::Ctx;
use crate::proxy::{State, trust};

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
    /// The same as a key store that Java reads (JKS)
    #[arg(long, conflicts_with = "bundle")]
    java: bool,
    /// Folder of the gateway's authority and log [default: gateway/ in keyward's own folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl Options {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let ca = State::find(ctx, self.state.as_deref())?.ca()?;
        let bytes = match (self.java, self.bundle) {
            (true, _) => trust::java(&ca),
            (_, true) => trust::bundle(&ca).into_bytes(),
            _ => ca.certificate_pem().into_bytes(),
        };
        match &self.out {
            None if ctx.out.json => {
                let (form, text) = match String::from_utf8(bytes) {
                    Ok(pem) => ("pem", pem),
                    Err(store) => ("jks_base64", data_encoding::BASE64.encode(store.as_bytes())),
                };
                ctx.out.json(&serde_json::json!({ "sha256": ca.fingerprint(), form: text }))?;
            }
            None => ctx.out.bytes(&bytes)?,
            Some(path) => {
                let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o644).open(path);
                file.and_then(|mut file| file.write_all(&bytes))
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        ctx.out.say(&format!("SHA-256 {}", ca.fingerprint()));
        Ok(())
    }
}
