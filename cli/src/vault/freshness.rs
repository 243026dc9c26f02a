//! How new an answer must be to be used (CRYPTO.md §2.7 rule 8).

use std::ffi::OsString;

use clap::Args;
use keyward_crypto::state::local::Local;
use keyward_crypto::verify::Floors;

use crate::ctx::{Ctx, parse_span};
use crate::fault::Fault;

/// How new the server's state must be.
#[derive(Args, Debug, Clone, Default)]
pub struct Freshness {
    /// Refuse a state whose seq, the number of the organisation's last write, is below this; `keyward pin` prints it [env: KEYWARD_MIN_SEQ]
    #[arg(long, value_name = "SEQ")]
    pub min_seq: Option<u64>,
    /// Refuse a state whose epoch, the generation of the organisation's keys, is below this [env: KEYWARD_MIN_EPOCH]
    #[arg(long, value_name = "EPOCH")]
    pub min_epoch: Option<u64>,
    /// Refuse a state that was issued longer ago, such as 24h
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub max_age: Option<i64>,
}

impl Freshness {
    /// The lower bounds of these options, of the environment, and of the state that this client has `seen`: the highest of each.
    ///
    /// # Errors
    /// If a bound in the environment is not a number: a bound that cannot be read must not be dropped.
    pub fn floors(&self, ctx: &Ctx, seen: Local) -> anyhow::Result<Floors> {
        let number = |name: &str, value: &Option<OsString>| match value {
            None => Ok(0),
            Some(value) => value.to_str().and_then(|text| text.trim().parse::<u64>().ok()).ok_or_else(|| {
                Fault::usage(format!("{name} is not a number")).next("take it from `keyward pin`")
            }),
        };
        let min_seq = number("KEYWARD_MIN_SEQ", &ctx.env.min_seq)?.max(self.min_seq.unwrap_or(0));
        let min_epoch = number("KEYWARD_MIN_EPOCH", &ctx.env.min_epoch)?.max(self.min_epoch.unwrap_or(0));
        Ok(Floors { local: seen, min_seq, min_epoch, max_age: self.max_age })
    }
}
