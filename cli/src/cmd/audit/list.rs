//! `keyward audit list`.

use clap::Args;
use keyward_wire::api::audit::{AuditEntry, AuditQuery};
use keyward_wire::limits::AUDIT_PAGE;
use serde_json::json;

use super::names::Names;
use super::pages::{page, record};
use crate::api::Api;
use crate::args::resolve;
use crate::args::since::{Since, parse_since};
use crate::ctx::{Ctx, rfc3339};
use crate::fault::printable;
use crate::vault::admin::Session;

/// List what happened, oldest first
///
/// The server writes the log; `keyward audit verify` tells whether it changed what it wrote.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward audit list --since 24h\n  \
                        keyward audit list --identity ci-bot --since 2026-01-31T12:00:00Z")]
pub struct Options {
    /// Only since this long ago, or this time (UTC): 24h, 2026-01-31, 2026-01-31T12:00:00Z
    #[arg(long, value_name = "SPAN|TIME", value_parser = parse_since)]
    since: Option<Since>,
    /// Only by or about this identity: name, e-mail address or id
    #[arg(long)]
    identity: Option<String>,
    /// Only about this key, by name or id: changes of it, and reads of it
    #[arg(long)]
    key: Option<String>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let org = session.open(ctx).await?.org;
        let query = AuditQuery {
            identity: resolve::maybe_gone(self.identity.as_deref(), |text| {
                Ok(resolve::identity(&org, text)?.id)
            })?,
            key: resolve::maybe_gone(self.key.as_deref(), |text| Ok(resolve::key(&org, text)?.id))?,
            since: self.since.map(|since| since.at(ctx.now())),
            after: None,
            limit: None,
        };
        let entries = all(&session.api, query).await?;
        show(ctx, &Names::of(&org), &entries)
    }
}

async fn all(api: &Api, mut query: AuditQuery) -> anyhow::Result<Vec<AuditEntry>> {
    let mut entries = Vec::new();
    let mut limit = AUDIT_PAGE;
    loop {
        let page = page(api, &query, &mut limit).await?;
        let last = page.entries.last().map(|entry| entry.seq);
        let ended = page.entries.len() < limit as usize || last <= query.after;
        entries.extend(page.entries);
        if ended {
            return Ok(entries);
        }
        query.after = last;
    }
}

fn show(ctx: &Ctx, names: &Names, entries: &[AuditEntry]) -> anyhow::Result<()> {
    let records = entries.iter().map(record).collect::<anyhow::Result<Vec<_>>>()?;
    if ctx.out.json {
        let list: Vec<_> = records
            .iter()
            .map(|record| {
                let objects = record.objects.iter();
                let objects: Vec<_> =
                    objects.map(|object| json!({ "object": object, "name": names.object(object) })).collect();
                let actor = record.actor.map(|id| json!({ "id": id, "name": names.identity(id) }));
                json!({
                    "seq": record.seq,
                    "time": rfc3339(record.time),
                    "actor": actor,
                    "action": record.action,
                    "objects": objects,
                    "ip": record.ip,
                })
            })
            .collect();
        return ctx.out.json(&list);
    }
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|record| {
            let actor =
                record.actor.map(|id| names.identity(id).map_or_else(|| id.to_string(), str::to_owned));
            vec![
                record.seq.to_string(),
                rfc3339(record.time),
                actor.unwrap_or_else(|| "–".to_owned()),
                printable(&record.action, 50),
                record.ip.as_deref().map_or_else(|| "–".to_owned(), |ip| printable(ip, 50)),
                names.objects(&record.objects),
            ]
        })
        .collect();
    ctx.out.table(&["SEQ", "TIME", "ACTOR", "ACTION", "FROM", "OBJECTS"], &rows)
}
