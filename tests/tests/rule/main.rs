//! Whatever administrators do, in whatever order: every identity reads exactly mapped − excluded, with the right values.
//!
//! Random operations go through the real client library to a real server; after each write every identity's answer is
//! verified, opened and compared with an oracle that holds the organisation in plain sets.

#![expect(clippy::unwrap_used, reason = "a test: what fails is the test")]

mod hands;
mod oracle;

use hands::Hands;
use keyward_tests::engines;
use keyward_tests::world::founded;
use oracle::{Op, Oracle, beginning, op};
use proptest::collection::vec;
use proptest::test_runner::{Config, TestRunner};

engines! {
    fn every_identity_reads_exactly_what_the_rule_says(engine) {
        let (server, owner) = founded(engine);
        let config = Config { cases: CASES, max_shrink_iters: 60, failure_persistence: None, ..Config::default() };
        let writes = vec(vec(op(), 1..4), 1..WRITES);
        let checked = TestRunner::new(config).run(&writes, |writes: Vec<Vec<Op>>| {
            let (mut hands, mut oracle) = (Hands::new(&server, &owner), Oracle::default());
            hands.write(&mut oracle, &beginning());
            hands.check(&oracle);
            for ops in writes {
                hands.write(&mut oracle, &ops);
                hands.check(&oracle);
            }
            Ok(())
        });
        checked.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Random histories for each engine.
const CASES: u32 = 12;

/// Longest history, in writes.
const WRITES: usize = 16;
