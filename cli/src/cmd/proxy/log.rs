//! `keyward proxy log`: what went through the gateway.

use std::io::BufReader;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::since::{Since, parse_since};
use crate::ctx::Ctx;
use crate::out::Out;
use crate::proxy::requests::{HEAD, Row, Wanted, cells};
use crate::proxy::{State, broken};

/// Show the gateway's own log, after checking that nothing in it was changed
///
/// Agent, method, host, path without query, key, decision, status. On a terminal a line a request; elsewhere what stands in the log,
/// one JSON object a line. It stays on this machine.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  keyward proxy log --since 1h --agent claude\n  keyward proxy log --verify"
)]
pub(super) struct Options {
    /// Only check it, and say how far it goes
    #[arg(long, conflicts_with_all = ["agent", "host", "since", "format"])]
    verify: bool,
    /// Only what this agent asked for
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Only what was for this host
    #[arg(long, value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// Only what came after this: 24h, or a time in UTC, 2026-01-31T12:00:00Z
    #[arg(long, value_name = "SPAN|TIME", value_parser = parse_since)]
    since: Option<Since>,
    /// How it is written [default: table on a terminal, else json]
    #[arg(long, value_enum)]
    format: Option<Shape>,
    /// Folder of the gateway's authority and log [default: gateway/ in keyward's own folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// A line a request
    Table,
    /// The lines of the log
    Json,
}

impl Options {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let shape = match self.format {
            _ if ctx.out.json => Shape::Json,
            Some(shape) => shape,
            None if Out::stdout_is_terminal() => Shape::Table,
            None => Shape::Json,
        };
        let since_ms = self.since.map(|since| since.at(ctx.now()));
        let wanted = Wanted { agent: self.agent, host: self.host, since_ms };
        let state = State::find(ctx, self.state.as_deref())?;
        let (mut text, mut rows) = (String::new(), Vec::new());
        let head = keyward_gateway::log::verify(BufReader::new(state.open_log()?), |line| {
            if self.verify {
                return;
            }
            if shape == Shape::Json && wanted.is_all() {
                text.push_str(line);
                text.push('\n');
                return;
            }
            // It was written by the gateway, as its hash shows.
            let Ok(row) = serde_json::from_str::<Row>(line) else { return };
            match shape {
                _ if !wanted.has(&row) => {}
                Shape::Table => rows.push(row),
                Shape::Json => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        });
        // What belongs to the chain is shown, also if something after it does not.
        if shape == Shape::Table && !self.verify {
            ctx.out.table(HEAD, &cells(&rows))?;
        }
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
