//! `keyward audit export`: the log in a file, for other programs.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish};
use keyward_wire::api::audit::{AuditEntry, AuditQuery, AuditRecord};
use keyward_wire::api::org::AuditHead;
use keyward_wire::limits::AUDIT_PAGE;
use keyward_wire::{IdentityId, KeyId};
use serde_json::json;

use super::entry_format::{csv_head, csv_row, json_line};
use super::names::Names;
use super::pages::{beginning, page, record, walk};
use crate::args::resolve;
use crate::args::since::{Since, parse_since};
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::session::files;
use crate::session::pending::Pending;
use crate::vault::admin::{OpenOrg, Session};

/// Write the audit log to a file, or to standard output
///
/// The log is verified as `keyward audit verify` does it, and nothing is written unless it is unbroken. What cannot be verified
/// says so in every line: what --key selects is the server's word, and --unverified asks for no more than that. A file that is
/// there already is left alone without --force.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward audit export audit.jsonl\n  \
                        keyward audit export --since 2026-01-01 --until 2026-02-01 january.csv")]
pub struct Options {
    /// Write to this regular file (0600) instead of standard output
    file: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "file")]
    force: bool,
    /// How to write it [default: csv to a file of that ending, else jsonl]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Only since this long ago, or this time (UTC): 24h, 2026-01-31, 2026-01-31T12:00:00Z
    #[arg(long, value_name = "SPAN|TIME", value_parser = parse_since)]
    since: Option<Since>,
    /// Only before this long ago, or this time
    #[arg(long, value_name = "SPAN|TIME", value_parser = parse_since)]
    until: Option<Since>,
    /// Only by or about this identity: name, e-mail address or id
    #[arg(long)]
    identity: Option<String>,
    /// Only about this key, by name or id: changes of it, and reads of it
    #[arg(long)]
    key: Option<String>,
    /// Take the server's word for it: for a log that does not verify
    #[arg(long)]
    unverified: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line, with the exact text of the entry and its hash
    Jsonl,
    /// For a spreadsheet: no cell is a formula
    Csv,
}

/// The range and the filters of the entries.
#[derive(Debug, Clone, Copy, Default)]
struct Range {
    since: Option<i64>,
    until: Option<i64>,
    identity: Option<IdentityId>,
    key: Option<KeyId>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if let Some(path) = &self.file {
            files::replaceable(path)?;
            if path.exists() && !self.force {
                let fault = files::exists_already(path);
                return Err(fault.next("name another file, or replace it with --force").into());
            }
        }
        let session = Session::start(ctx).await?;
        let opened = session.open(ctx).await?;
        let range = Range {
            since: self.since.map(|since| since.at(ctx.now())),
            until: self.until.map(|until| until.at(ctx.now())),
            identity: resolve::maybe_gone(self.identity.as_deref(), |text| {
                Ok(resolve::identity(&opened.org, text)?.id)
            })?,
            key: resolve::maybe_gone(self.key.as_deref(), |text| Ok(resolve::key(&opened.org, text)?.id))?,
        };
        let verified = !self.unverified && range.key.is_none();
        let target = Pending::new(self.file.as_deref())?;
        let mut sheet = Sheet {
            names: Names::of(&opened.org),
            format: self.format(),
            verified,
            entries: 0,
            file: self.file.clone(),
            out: BufWriter::new(target),
        };
        let bar = progress(ctx, opened.audit_head.seq);
        let head = if verified {
            Some(self.verified(ctx, &session, &opened, &range, &mut sheet, &bar).await?)
        } else {
            ctx.out.warn("what is exported was not verified: it is what the server says");
            unverified(&session, range, &mut sheet, &bar).await?;
            None
        };
        bar.finish_and_clear();
        let (entries, target) = sheet.end()?;
        let Some(path) = &self.file else { return target.copy_to(|bytes| ctx.out.bytes(bytes)) };
        target.commit(path, self.force)?;
        let noun = if entries == 1 { "entry" } else { "entries" };
        let unbroken = if verified { "unbroken" } else { "NOT verified" };
        ctx.out.say(&format!("{entries} {noun} in {}, {unbroken}", path.display()));
        if ctx.out.json {
            ctx.out.json(&json!({
                "file": path.display().to_string(),
                "entries": entries,
                "verified": verified,
                "head": head.map(|AuditHead { seq, hash }| json!({ "seq": seq, "hash": hash })),
            }))?;
        }
        Ok(())
    }

    fn format(&self) -> Format {
        let ending = self.file.as_ref().and_then(|path| path.extension());
        let is_csv = ending.is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        self.format.unwrap_or(if is_csv { Format::Csv } else { Format::Jsonl })
    }

    /// Exports verified entries: reads from the first entry in the range, or from where trust begins if that is earlier, to the
    /// end.
    async fn verified(
        &self,
        ctx: &Ctx,
        session: &Session,
        opened: &OpenOrg<'_>,
        range: &Range,
        sheet: &mut Sheet,
        bar: &ProgressBar,
    ) -> anyhow::Result<AuditHead> {
        let mut first = match range.since {
            None => Some(0),
            Some(_) => first_of(session, range).await?,
        };
        loop {
            sheet.begin()?;
            // One earlier than the first, so that it is seen to be out of the range.
            let start = first.unwrap_or(opened.audit_head.seq).saturating_sub(1);
            let mut chain = beginning(opened, Some(start));
            let mut earlier = false;
            walk(&session.api, &mut chain, opened.audit_head, |entry, record| {
                bar.set_position(entry.seq);
                let before = first.is_none_or(|first| entry.seq < first);
                earlier |= before && range.since.is_some_and(|since| record.time >= since);
                sheet.write_if(range, entry, record)
            })
            .await?;
            let head = chain.finish().map_err(Fault::from)?;
            if !earlier {
                opened.remember_audit(ctx, head);
                return Ok(head);
            }
            // The server named a first entry that is not: it holds something back, or its clock was set.
            first = Some(0);
        }
    }
}

/// The first entry in the range, as the server says.
async fn first_of(session: &Session, range: &Range) -> anyhow::Result<Option<u64>> {
    let query = AuditQuery { since: range.since, ..AuditQuery::default() };
    Ok(page(&session.api, &query, &mut 1).await?.entries.first().map(|entry| entry.seq))
}

/// Exports the entries that the server selects, unverified.
async fn unverified(
    session: &Session,
    range: Range,
    sheet: &mut Sheet,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    sheet.begin()?;
    let (mut limit, mut after, mut end) = (AUDIT_PAGE, None, None);
    loop {
        let query =
            AuditQuery { after, limit: None, identity: range.identity, key: range.key, since: range.since };
        let page = page(&session.api, &query, &mut limit).await?;
        for entry in &page.entries {
            bar.set_position(entry.seq);
            // By key or identity the server has selected; the rest is looked at here.
            sheet.write_if(&Range { identity: None, ..range }, entry, &record(entry)?)?;
        }
        // Each reading is an entry itself: the end is where the first one saw it.
        let end = *end.get_or_insert(page.head.seq);
        let last = page.entries.last().map(|entry| entry.seq);
        if last <= after || last >= Some(end) {
            return Ok(());
        }
        after = last;
    }
}

/// The file that is being written.
struct Sheet {
    names: Names,
    format: Format,
    verified: bool,
    entries: usize,
    /// Where it goes; `None`: to stdout, and to a temporary file meanwhile.
    file: Option<PathBuf>,
    out: BufWriter<Pending>,
}

impl Sheet {
    /// Begins at the start of the file, whatever was written so far.
    fn begin(&mut self) -> anyhow::Result<()> {
        self.entries = 0;
        let begun = self.out.flush().and_then(|()| self.out.get_mut().truncate());
        begun.map_err(|error| failed(self.file.as_deref(), &error))?;
        if self.format == Format::Csv { self.write(&csv_head()) } else { Ok(()) }
    }

    fn write_if(&mut self, range: &Range, entry: &AuditEntry, record: &AuditRecord) -> anyhow::Result<()> {
        if !range.holds(record) {
            return Ok(());
        }
        self.entries += 1;
        let row = match self.format {
            Format::Jsonl => json_line(&self.names, entry, record, self.verified),
            Format::Csv => csv_row(&self.names, entry, record, self.verified),
        };
        self.write(&row)
    }

    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        self.out.write_all(text.as_bytes()).map_err(|error| failed(self.file.as_deref(), &error).into())
    }

    /// How many entries were written, and to what.
    fn end(self) -> anyhow::Result<(usize, Pending)> {
        let target = self.out.into_inner().map_err(std::io::IntoInnerError::into_error);
        Ok((self.entries, target.map_err(|error| failed(self.file.as_deref(), &error))?))
    }
}

fn failed(file: Option<&Path>, error: &std::io::Error) -> Fault {
    files::cannot_write(file.unwrap_or(&std::env::temp_dir()), error)
}

impl Range {
    fn holds(&self, record: &AuditRecord) -> bool {
        let about = |id: IdentityId| {
            record.actor == Some(id)
                || record.objects.iter().any(|object| *object == format!("identity:{id}"))
        };
        self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
            && self.identity.is_none_or(about)
    }
}

/// A bar on a terminal; nothing elsewhere, and nothing left of it in the end.
fn progress(ctx: &Ctx, entries: u64) -> ProgressBar {
    let target = if ctx.out.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    ProgressBar::with_draw_target(Some(entries), target).with_finish(ProgressFinish::AndClear)
}
