//! The report: sections of Markdown tables, and a verdict on each target.

use std::io::Write as _;

use super::effort::Effort;
use super::machine;
use super::stats::{median, quartiles};

/// What was measured so far; it is printed as it comes.
pub struct Report {
    /// How long to measure.
    pub effort: Effort,
    verdicts: Vec<Vec<String>>,
}

impl Report {
    /// An empty one; says where it was measured.
    pub fn new(effort: Effort) -> Self {
        let report = Self { effort, verdicts: Vec::new() };
        out(&format!("Machine: {}. Load at the start: {}.", machine::describe(), machine::load()));
        report
    }

    /// Begins a section.
    pub fn section(&mut self, title: &str, note: &str) {
        out(&format!("\n## {title}\n\n{note}\n"));
    }

    /// A table.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        out(&table(head, rows));
    }

    /// Holds the median of `rounds` to a target, which it must not exceed.
    pub fn at_most(&mut self, target: &str, rounds: &[f64], limit: f64, unit: &str) {
        self.judge(target, rounds, "≤", limit, unit, median(rounds) <= limit);
    }

    /// Holds the median of `rounds` to a target, which it must reach.
    pub fn at_least(&mut self, target: &str, rounds: &[f64], limit: f64, unit: &str) {
        self.judge(target, rounds, "≥", limit, unit, median(rounds) >= limit);
    }

    /// Prints the verdicts.
    pub fn close(self) {
        if self.verdicts.is_empty() {
            return;
        }
        out("\n## Targets\n");
        out(&table(
            &["target", "rounds", "median", "middle half of the rounds", "wanted", ""],
            &self.verdicts,
        ));
        out(&format!("Load at the end: {}.", machine::load()));
    }

    fn judge(&mut self, target: &str, rounds: &[f64], sign: &str, limit: f64, unit: &str, met: bool) {
        let (low, high) = quartiles(rounds);
        self.verdicts.push(vec![
            target.to_owned(),
            rounds.len().to_string(),
            format!("{:.2}{unit}", median(rounds)),
            format!("{low:.2}{unit} – {high:.2}{unit}"),
            format!("{sign} {limit:.2}{unit}"),
            if met { "met" } else { "MISSED" }.to_owned(),
        ]);
    }
}

/// Says what is being done, on stderr.
pub fn talk(text: &str) {
    _ = writeln!(std::io::stderr(), "{text}");
}

fn out(text: &str) {
    _ = writeln!(std::io::stdout(), "{text}");
}

/// Markdown, with columns as wide as their cells.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: &[String]| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("| {} |\n", padded.join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = line(&head) + &line(&rule);
    for row in rows {
        text.push_str(&line(row));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_with_straight_columns() {
        let rows = [vec!["a".to_owned(), "12345".to_owned()], vec!["ä×".to_owned(), String::new()]];
        let text = table(&["x", "y"], &rows);
        assert_eq!(text, "| x  | y     |\n| -- | ----- |\n| a  | 12345 |\n| ä× |       |\n");
    }

    #[test]
    fn a_target_is_met_by_the_median_and_missed_by_it() {
        let mut report = Report { effort: Effort::Quick, verdicts: Vec::new() };
        report.at_most("a", &[1.0, 1.5, 9.0], 1.5, "×");
        report.at_most("b", &[1.0, 1.6, 1.7], 1.5, "×");
        report.at_least("c", &[4.0, 4.0, 0.1], 4.0, "×");
        report.at_least("d", &[3.0, 3.0, 9.0], 4.0, "×");
        let verdicts: Vec<&str> = report.verdicts.iter().map(|row| row[5].as_str()).collect();
        assert_eq!(verdicts, ["met", "MISSED", "met", "MISSED"]);
    }
}
