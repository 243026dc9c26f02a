//! `keyward proxy health`: is a running gateway well?

use clap::Args;

use crate::ctx::Ctx;
use crate::proxy::Control;

/// Ask a running gateway whether it would serve a request now
///
/// The exit code says it to whoever watches a container: 0 yes; 7 its server was not heard for too long; 1 it
/// cannot write its log; 5 no gateway answers there.
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
        let said = self.at.health().await?;
        if ctx.out.json { ctx.out.json(&said) } else { ctx.out.line("ok") }
    }
}
