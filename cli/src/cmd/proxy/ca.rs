//! `keyward proxy ca`: the certificate that programs behind the gateway trust.

use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use keyward_gateway::ca::{fingerprint, pem};

use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::proxy::{Control, State, trust};

/// Print the certificate of the gateway's authority
///
/// It is made at the first use. On another machine, it is asked of the running gateway, and believed only if it is the one whose
/// SHA-256 `keyward proxy` says when it starts.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward proxy ca --out gateway.crt\n  \
                        keyward proxy ca --from gateway:8422 --fingerprint SHA256 --bundle --out authorities.pem")]
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
    /// Ask the running gateway whose control listener is here: HOST:PORT or unix:PATH
    #[arg(long, value_name = "ADDR", requires = "fingerprint", conflicts_with = "state")]
    from: Option<Control>,
    /// The SHA-256 that its certificate must have
    #[arg(long, value_name = "SHA256", requires = "from")]
    fingerprint: Option<String>,
    /// Folder of the gateway's authority and log [default: gateway/ in keyward's own folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let certificate = match (&self.from, &self.fingerprint) {
            (Some(from), Some(named)) => from.certificate(&sha256(named)?).await?,
            _ => State::find(ctx, self.state.as_deref())?.ca()?.certificate().clone(),
        };
        let fingerprint = fingerprint(&certificate);
        let bytes = match (self.java, self.bundle) {
            (true, _) => trust::java(&certificate),
            (_, true) => trust::bundle(&certificate).into_bytes(),
            _ => pem(&certificate).into_bytes(),
        };
        match &self.out {
            None if ctx.out.json => {
                let (form, text) = match String::from_utf8(bytes) {
                    Ok(pem) => ("pem", pem),
                    Err(store) => ("jks_base64", data_encoding::BASE64.encode(store.as_bytes())),
                };
                ctx.out.json(&serde_json::json!({ "sha256": fingerprint, form: text }))?;
            }
            None => ctx.out.bytes(&bytes)?,
            Some(path) => {
                write(path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
                if ctx.out.json {
                    let file = path.display().to_string();
                    ctx.out.json(&serde_json::json!({ "sha256": fingerprint, "file": file }))?;
                }
            }
        }
        ctx.out.say(&format!("SHA-256 {fingerprint}"));
        Ok(())
    }
}

/// Writes to a file that everybody may read. A pipe or device is written to as it is.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(bytes)?;
    let facts = std::fs::symlink_metadata(path)?;
    // A new one got what the umask leaves of that. A link, as /dev/stdout, may lead to a file that is not meant.
    if facts.is_file() && facts.permissions().mode() & 0o444 != 0o444 {
        file.set_permissions(Permissions::from_mode(0o644))?;
    }
    Ok(())
}

/// Reads a SHA-256 as keyward prints it, or with colons and capitals, as other programs do.
fn sha256(text: &str) -> Result<String, Fault> {
    let digits: String = text.chars().filter(|c| *c != ':').map(|c| c.to_ascii_lowercase()).collect();
    if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(digits)
    } else {
        Err(Fault::usage("--fingerprint is a SHA-256: 64 hexadecimal digits")
            .next("take what keyward proxy said when it started, or keyward proxy ca where it runs"))
    }
}
