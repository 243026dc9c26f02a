//! `keyward proxy health`: is a running gateway well?

use clap::Args;

use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::proxy::Control;

/// Ask a running gateway whether it would serve a request now
///
/// The exit code says it to whoever watches a container: 0 yes; 7 its server was not heard for too long; 5 it does not answer.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  keyward proxy --control 127.0.0.1:8422\n  keyward proxy health\n\nIn a Dockerfile:\n  \
                        HEALTHCHECK CMD [\"keyward\", \"proxy\", \"health\"]"
)]
pub(super) struct Options {
    /// Its control listener: HOST:PORT or unix:PATH
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8422")]
    at: Control,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let (status, said) = self.at.health().await?;
        if status != 200 {
            let what = "the gateway serves nobody: its server was not heard for too long";
            return Err(Fault::new(Code::Stale, what)
                .next("see what keyward proxy says on its terminal")
                .into());
        }
        if ctx.out.json { ctx.out.json(&said) } else { ctx.out.line("ok") }
    }
}
