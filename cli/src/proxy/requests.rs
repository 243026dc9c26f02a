//! The gateway's log as people read it: a line a request.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::ctx::rfc3339;
use crate::fault::printable;

/// A line of the log, with the fields that are shown.
#[derive(Deserialize)]
pub struct Row {
    seq: u64,
    time_ms: i64,
    agent: String,
    method: String,
    host: String,
    path: String,
    key: String,
    decision: String,
    code: String,
    status: u16,
    latency_ms: u64,
    #[serde(default)]
    of: u64,
    #[serde(default)]
    more: u64,
}

/// A filter of the log's lines. Without any condition: all lines.
pub struct Wanted {
    /// Only lines of the agent of this name.
    pub agent: Option<String>,
    /// Only lines about this host, at any port or at the one that is named.
    pub host: Option<String>,
    /// Only lines from this time on, milliseconds UTC.
    pub since_ms: Option<i64>,
}

impl Wanted {
    /// Whether every line passes the filter.
    pub fn is_all(&self) -> bool {
        self.agent.is_none() && self.host.is_none() && self.since_ms.is_none()
    }

    /// Whether this line passes the filter.
    pub fn has(&self, row: &Row) -> bool {
        let host = |host: &String| {
            let name = row.host.rsplit_once(':').map_or(row.host.as_str(), |(name, _)| name);
            [&row.host, name].iter().any(|own| own.eq_ignore_ascii_case(host))
        };
        self.agent.as_ref().is_none_or(|agent| row.agent == *agent)
            && self.host.as_ref().is_none_or(host)
            && self.since_ms.is_none_or(|since| row.time_ms >= since)
    }
}

/// The headings of the columns.
pub const HEAD: &[&str] = &["TIME", "AGENT", "METHOD", "WHERE", "KEY", "DECISION", "STATUS", "MS"];

/// The cells of each request. A `send` line is left out if the line with the request's outcome is there, too.
pub fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let told: BTreeSet<u64> = rows.iter().map(|row| row.of).collect();
    let shown = rows.iter().filter(|row| row.decision != "send" || !told.contains(&row.seq));
    shown.map(Row::cells).collect()
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let more = if self.more > 0 { format!("and {} more", self.more) } else { String::new() };
        let words = [self.decision.as_str(), self.code.as_str(), more.as_str()];
        let decision = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let status = if self.status == 0 { String::new() } else { self.status.to_string() };
        let place = format!("{}{}", self.host, self.path);
        // Agents choose what they ask for, so it may have characters that steer a terminal.
        let text = [&self.agent, &self.method, &place, &self.key, &decision].map(|text| cell(text));
        let [agent, method, place, key, decision] = text;
        let ms = self.latency_ms.to_string();
        vec![rfc3339(self.time_ms), agent, method, place, key, decision, cell(&status), ms]
    }
}

fn cell(text: &str) -> String {
    if text.is_empty() { "–".to_owned() } else { printable(text, WIDEST) }
}

/// The most characters of a cell.
const WIDEST: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rest: &str) -> Row {
        let line = format!(
            r#"{{"seq":7,"time_ms":1770000000000,"agent":"bot","method":"GET","host":"a.test:8443","path":"/x","key":"K",{rest},"hash":"h"}}"#
        );
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn a_request_is_one_line_and_shows_no_letters_for_a_terminal() {
        let send = row(r#""decision":"send","code":"","status":0,"latency_ms":0"#);
        let mut came = row(r#""decision":"inject","code":"","status":200,"latency_ms":12,"of":7"#);
        came.path = "/\u{1b}[2J".to_owned();
        let both = cells(&[send, came]);
        let line =
            ["2026-02-02T02:40:00Z", "bot", "GET", "a.test:8443/\u{fffd}[2J", "K", "inject", "200", "12"];
        assert_eq!(both, [line]);
        // Nothing came of it yet; and of what was refused there is no more than that.
        let send = row(r#""decision":"send","code":"","status":0,"latency_ms":0"#);
        let refused = row(r#""decision":"refuse","code":"dns_failed","status":502,"latency_ms":3,"more":4"#);
        let all = cells(&[send, refused]);
        assert_eq!((all[0][5].as_str(), all[0][6].as_str()), ("send", "–"));
        assert_eq!(all[1][5], "refuse dns_failed and 4 more");
        assert_eq!(all[0].len(), HEAD.len());
    }

    #[test]
    fn lines_are_wanted_by_agent_host_and_time() {
        let row = row(r#""decision":"inject","code":"","status":200,"latency_ms":12"#);
        let has = |agent: &str, host: &str, since_ms: i64| {
            let word = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            Wanted { agent: word(agent), host: word(host), since_ms: Some(since_ms) }.has(&row)
        };
        let now = 1_770_000_000_000;
        assert!(has("", "", 0) && has("bot", "A.test", now) && has("bot", "a.test:8443", now));
        assert!(
            !has("cat", "", 0) && !has("", "b.test", 0) && !has("", "a.test:443", 0) && !has("", "", now + 1)
        );
    }
}
