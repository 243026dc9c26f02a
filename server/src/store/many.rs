//! Inserts of many rows at once: a round trip to the database costs far more than a row does.

use super::StoreError;
use super::engine::{Arg, Tx};

/// An insert, with a statement for 64 rows, 32, … and 1.
pub(super) struct Insert {
    sql: Vec<(usize, String)>,
}

impl Insert {
    /// Makes the statements. `head` is `insert into table (columns)`; the first `shared` columns have the same values in all
    /// rows. `tail` follows the rows.
    pub(super) fn new(head: &str, shared: usize, tail: &str) -> Self {
        let own = head.matches(',').count() + 1 - shared;
        let text = |rows| format!("{head} values {} {tail}", values(rows, shared, own));
        Self { sql: SIZES.map(|rows| (rows, text(rows))).into() }
    }

    /// The texts of the statements.
    pub(super) fn statements(&self) -> impl Iterator<Item = &str> {
        self.sql.iter().map(|(_, sql)| sql.as_str())
    }
}

impl Tx {
    /// Adds `rows`, each with the values of its own columns, in as few statements as possible.
    pub(super) async fn insert_many(
        &mut self,
        insert: &'static Insert,
        shared: impl Fn() -> Vec<Arg>,
        rows: Vec<Vec<Arg>>,
    ) -> Result<(), StoreError> {
        let mut rows = rows.into_iter();
        for (size, sql) in &insert.sql {
            while rows.len() >= *size {
                let own = rows.by_ref().take(*size).flatten();
                let args = shared().into_iter().chain(own).collect();
                let done = self.execute(sql, args).await?;
                if done != *size as u64 {
                    return Err(StoreError::WrongCount { rows: done });
                }
            }
        }
        Ok(())
    }
}

/// `($1, $2, $3), ($1, $4, $5)`: two rows with one shared and two own columns.
fn values(rows: usize, shared: usize, own: usize) -> String {
    let row = |row: usize| {
        let first = shared + row * own + 1;
        let places: Vec<String> =
            (1..=shared).chain(first..first + own).map(|place| format!("${place}")).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// Numbers of rows for which there is a statement. Any number is a sum of few of them, and each text is prepared once.
const SIZES: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_own_places_and_the_shared_ones() {
        let insert = Insert::new("insert into t (a, b, c)", 1, "on conflict do nothing");
        let texts: Vec<&str> = insert.statements().collect();
        assert_eq!(texts.len(), SIZES.len());
        assert_eq!(texts[6], "insert into t (a, b, c) values ($1, $2, $3) on conflict do nothing");
        assert_eq!(
            texts[5],
            "insert into t (a, b, c) values ($1, $2, $3), ($1, $4, $5) on conflict do nothing"
        );
        assert!(texts[0].contains("($1, $128, $129)") && !texts[0].contains("$130"));
    }
}
