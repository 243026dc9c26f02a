//! `keyward key get`: the one command that prints a value.

use std::io::IsTerminal as _;

use clap::Args;
use keyward_crypto::state::secret::Secret;
use keyward_wire::name::Name;
use serde::Serialize;
use zeroize::Zeroizing;

use super::reader::value_of;
use crate::ctx::Ctx;
use crate::vault::freshness::Freshness;

/// Print the value of a key
///
/// To a pipe or file exactly its bytes; to a terminal a newline after them. With --json: name and value, or value_b64
/// (base64) if it is not UTF-8.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward key get DATABASE_URL\n  keyward key get TLS_KEY > tls.key")]
pub struct Options {
    /// Name or id of the key
    #[arg(value_name = "NAME")]
    key: String,
    #[command(flatten)]
    freshness: Freshness,
}

#[derive(Serialize)]
struct Answer<'a> {
    name: &'a Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_b64: Option<Zeroizing<String>>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let (name, secret) = value_of(ctx, &self.key, &self.freshness).await?;
        print(ctx, &name, &secret)
    }
}

fn print(ctx: &Ctx, name: &Name, secret: &Secret) -> anyhow::Result<()> {
    if ctx.out.json {
        let value = std::str::from_utf8(&secret.value).ok();
        let value_b64 = value.is_none().then(|| Zeroizing::new(data_encoding::BASE64.encode(&secret.value)));
        return ctx.out.json(&Answer { name, value, value_b64 });
    }
    ctx.out.bytes(&secret.value)?;
    if std::io::stdout().is_terminal() { ctx.out.bytes(b"\n") } else { Ok(()) }
}
