//! An entry of the log as a line of JSON, and as a row of a spreadsheet. Pure.
//!
//! The log's text is the server's and may hold anything: no line moves a terminal's cursor, and no cell is a formula.

use std::fmt::Write as _;

use keyward_wire::api::audit::{AuditEntry, AuditRecord};
use keyward_wire::name::is_unprintable;
use serde_json::json;

use super::names::Names;
use crate::ctx::rfc3339;
use crate::fault::printable;

const COLUMNS: [&str; 11] = [
    "seq",
    "time",
    "actor_id",
    "actor_name",
    "action",
    "objects",
    "object_names",
    "ip",
    "hash",
    "verified",
    "entry",
];

/// An entry as one JSON object: its content with names beside its ids, its exact text, and its link.
pub(super) fn json_line(names: &Names, entry: &AuditEntry, record: &AuditRecord, verified: bool) -> String {
    let objects = record.objects.iter();
    let objects: Vec<_> =
        objects.map(|object| json!({ "object": object, "name": names.object(object) })).collect();
    let line = json!({
        "seq": record.seq,
        "time": rfc3339(record.time),
        "actor": record.actor.map(|id| json!({ "id": id, "name": names.identity(id) })),
        "action": record.action,
        "objects": objects,
        "ip": record.ip,
        "entry": entry.entry,
        "hash": entry.hash,
        "verified": verified,
    });
    inert(&line.to_string()) + "\n"
}

/// The headings of the cells of [`csv_row`].
pub(super) fn csv_head() -> String {
    COLUMNS.join(",") + "\r\n"
}

/// RFC 4180, every cell in quotes.
pub(super) fn csv_row(names: &Names, entry: &AuditEntry, record: &AuditRecord, verified: bool) -> String {
    let named = record.objects.iter().map(|object| names.object(object).unwrap_or_default());
    let cells: [String; COLUMNS.len()] = [
        record.seq.to_string(),
        rfc3339(record.time),
        record.actor.map(|id| id.to_string()).unwrap_or_default(),
        record.actor.and_then(|id| names.identity(id)).unwrap_or_default().to_owned(),
        record.action.clone(),
        record.objects.join(" "),
        named.collect::<Vec<_>>().join("; "),
        record.ip.clone().unwrap_or_default(),
        entry.hash.to_string(),
        verified.to_string(),
        entry.entry.clone(),
    ];
    cells.map(|cell| quoted(&cell)).join(",") + "\r\n"
}

/// A cell that is text to every spreadsheet: one that would begin a formula begins with an apostrophe.
fn quoted(cell: &str) -> String {
    let starts =
        |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    // Judged before it is made inert: what a program drops silently must not uncover what follows.
    let first = cell.chars().find(|c| !is_unprintable(*c) && *c != ' ').unwrap_or(' ');
    let formula = cell.starts_with(starts) || starts(first);
    let text = printable(cell, usize::MAX).replace('"', "\"\"");
    if formula { format!("\"'{text}\"") } else { format!("\"{text}\"") }
}

/// The JSON with every control and direction-changing character as an escape.
fn inert(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unprintable(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use keyward_wire::Sha256;

    use super::*;
    use crate::testing::SampleOrg;

    fn entry(record: &AuditRecord) -> AuditEntry {
        let entry = serde_json::to_string(record).unwrap();
        AuditEntry { seq: record.seq, hash: Sha256::of(entry.as_bytes()), entry }
    }

    fn record(action: &str, objects: &[&str]) -> AuditRecord {
        let objects = objects.iter().map(|object| (*object).to_owned()).collect();
        AuditRecord { seq: 7, time: 1_770_000_000_000, actor: None, action: action.into(), objects, ip: None }
    }

    #[test]
    fn a_line_of_json_has_the_exact_entry_and_names_beside_ids() {
        let sample = SampleOrg::new();
        let names = Names::of(&sample.org());
        let mut record = record("key.added", &[]);
        record.actor = Some(sample.agent);
        record.objects = vec![format!("key:{}", sample.alpha)];
        let entry = entry(&record);
        let line = json_line(&names, &entry, &record, true);
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["entry"], entry.entry);
        assert_eq!(value["actor"]["name"], "agent");
        assert_eq!(value["objects"][0]["name"], "ALPHA");
        assert_eq!(value["verified"], true);
    }

    #[test]
    fn hostile_text_is_exact_in_json_and_moves_nothing() {
        let names = Names::of(&SampleOrg::new().org());
        let hostile = "\u{1b}[2J\u{9b}31m\u{202e}\u{2028}x\u{e0001}\n\"";
        let record = record(hostile, &[hostile]);
        let line = json_line(&names, &entry(&record), &record, false);
        assert!(line.trim_end_matches('\n').chars().all(|c| !is_unprintable(c)), "{line:?}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (value["action"].as_str(), value["objects"][0]["object"].as_str()),
            (Some(hostile), Some(hostile))
        );
        let row = csv_row(&names, &entry(&record), &record, false);
        assert!(row.trim_end_matches("\r\n").chars().all(|c| !is_unprintable(c)), "{row:?}");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for formula in
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\u{200b}=1", "\u{feff}@x", " =1", "＝1"]
        {
            assert!(quoted(formula).starts_with("\"'"), "{formula:?}: {}", quoted(formula));
        }
        assert_eq!(quoted("key.added"), "\"key.added\"");
        assert_eq!(quoted("a\"b,c"), "\"a\"\"b,c\"");
        assert_eq!(quoted(""), "\"\"");
    }

    #[test]
    fn every_row_has_as_many_cells_as_the_head() {
        let names = Names::of(&SampleOrg::new().org());
        let record = record("a\",\"b", &["=x:1", "y"]);
        let row = csv_row(&names, &entry(&record), &record, true);
        let mut cells = 1;
        let mut within = false;
        for c in row.chars() {
            match c {
                '"' => within = !within,
                ',' if !within => cells += 1,
                _ => {}
            }
        }
        assert_eq!((cells, row.matches("\r\n").count()), (csv_head().split(',').count(), 1));
    }
}
