//! `keyward proxy log`: what went through the gateway.

use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;

use crate::ctx::Ctx;
use crate::proxy::{State, broken};

/// Show the gateway's own log, after checking that nothing in it was changed
///
/// One JSON object a line: agent, method, host, path without query, key, decision, status. It stays on this machine.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward proxy log --verify")]
pub(super) struct Options {
    /// Only check it, and say how far it goes
    #[arg(long)]
    verify: bool,
    /// Folder of the gateway's authority and log [default: gateway/ in keyward's own folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl Options {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let state = State::find(ctx, self.state.as_deref())?;
        let mut text = String::new();
        let head = keyward_gateway::log::verify(BufReader::new(state.open_log()?), |line| {
            if !self.verify {
                text.push_str(line);
                text.push('\n');
            }
        });
        // What belongs to the chain is shown, also if something after it does not.
        ctx.out.bytes(text.as_bytes())?;
        let head = head.map_err(|error| broken(&state.log_path(), error))?;
        if self.verify && ctx.out.json {
            return ctx.out.json(&serde_json::json!({ "lines": head.seq, "sha256": head.hex() }));
        }
        if self.verify {
            ctx.out.line(&format!("{} lines, the last is {}", head.seq, head.hex()))?;
        }
        Ok(())
    }
}
