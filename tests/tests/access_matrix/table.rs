//! Answers in rows and columns.

use std::fmt::Write as _;

use keyward_tests::http::Answer;
use serde_json::Value;

use crate::callers::WHO;

/// Rows of cells, in their order.
#[derive(Default)]
pub(crate) struct Table(Vec<(String, Vec<String>)>);

impl Table {
    /// The next cell of a row, which is begun with its first.
    pub(crate) fn note(&mut self, row: &str, cell: String) {
        match self.0.last_mut() {
            Some((last, cells)) if last == row && cells.len() < WHO.len() => cells.push(cell),
            _ => self.0.push((row.to_owned(), vec![cell])),
        }
    }

    /// The table as text, with a line for each row.
    pub(crate) fn text(&self) -> String {
        let mut text = line("", WHO.iter().map(|who| who.short));
        for (row, cells) in &self.0 {
            text += &line(row.trim_end(), cells.iter().map(String::as_str));
        }
        text
    }
}

fn line<'c>(row: &str, cells: impl Iterator<Item = &'c str>) -> String {
    let mut line = format!("{row:40}");
    for cell in cells {
        write!(line, "{cell:6}").unwrap();
    }
    line.trim_end().to_owned() + "\n"
}

/// What an answer says: its status, and how many secrets are in it.
pub(crate) fn cell(answer: &Answer) -> String {
    let json = if answer.body.is_empty() { Value::Null } else { answer.json() };
    match json["secrets"].as_array() {
        Some(secrets) => format!("{}/{}", answer.status, secrets.len()),
        None if json["error"]["code"] == "password_needed" => "pw".to_owned(),
        None => answer.status.to_string(),
    }
}

/// All of it: tables under their heads, and the role table.
pub(crate) fn matrix(tables: &[(&str, &Table)]) -> String {
    let mut text = HEAD.to_owned();
    for who in WHO {
        writeln!(text, "#   {:6}{}", who.short, who.long).unwrap();
    }
    for (head, table) in tables {
        write!(text, "\n{head}{}", table.text()).unwrap();
    }
    text + ROLES + include_str!("../../../server/src/access/role/table.txt")
}

const HEAD: &str = "\
# What everybody gets. Made by tests/tests/access_matrix, which compares it; KEYWARD_UPDATE=1 writes it anew.
# A cell is the status; 200/2: with two secrets; pw: 403, sign in with the password.
#
";

const ROLES: &str = "
# The role table, as server/src/access/role/tests.rs holds the code to it, for every kind of session.
";
