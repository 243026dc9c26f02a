//! Who gets what: every route and every part of a write, asked by every kind of caller, recorded in
//! `tests/access/matrix.txt`. Whoever changes what somebody may do sees it there, in one table.
//!
//! `KEYWARD_UPDATE=1` writes the file anew; read the difference before it is committed.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's failure; its files are its own"
)]

mod callers;
mod desk;
mod land;
mod openapi;
mod routes;
mod table;
mod things;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

use keyward_server::ROUTES;
use keyward_tests::server::Engine;

use callers::WHO;
use land::Land;
use table::Table;

#[test]
fn everybody_gets_what_the_matrix_says() {
    let mut land = Land::new(Engine::Sqlite);
    let (routes, writes) = (ask_routes(&mut land), ask_writes(&mut land));
    let matrix = table::matrix(&[(routes::HEAD, &routes), (writes::HEAD, &writes)]);
    if is_updating() {
        std::fs::write(MATRIX, &matrix).unwrap();
    }
    assert_recorded(&matrix);
}

/// The routes only, not the writes: what an identity may hold is decided over plain facts, whatever database they come from.
#[test]
fn everybody_gets_the_same_from_postgres() {
    if !is_updating() {
        assert_recorded(&ask_routes(&mut Land::new(Engine::Postgres)).text());
    }
}

#[test]
fn no_route_is_without_a_case_and_no_case_without_a_route() {
    let mut routes = BTreeSet::new();
    for route in ROUTES {
        let name = format!("{} {}", route.method.as_str(), route.path);
        assert!(routes.insert(name.clone()), "{name} is listed twice");
    }
    let cases: BTreeSet<String> = routes::CASES.iter().map(|case| case.route.to_owned()).collect();
    assert_eq!(cases, routes);
}

fn ask_routes(land: &mut Land) -> Table {
    let mut table = Table::default();
    let mut seen: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
    for case in routes::CASES {
        for who in WHO {
            let request = (case.request)(land, who);
            let answer = land.ask(&request);
            seen.entry(case.route).or_default().insert(answer.status);
            table.note(&format!("{} {}", case.route, case.what), table::cell(&answer));
        }
    }
    for (route, statuses) in seen {
        openapi::assert_described(route, &statuses);
    }
    table
}

fn ask_writes(land: &mut Land) -> Table {
    let (mut table, mut kinds) = (Table::default(), openapi::delta_kinds());
    for (row, write) in writes::CASES {
        let kind = row.split(':').next().unwrap();
        let is_kind = kinds.remove(kind) || openapi::delta_kinds().contains(kind);
        for who in WHO {
            let things = land.things();
            let write = write(land, &things, who);
            assert!(!is_kind || writes::kinds(&write).contains(kind), "{row} is {:?}", write.delta);
            table.note(row, table::cell(&land.ask(&land.write(&write, who))));
        }
    }
    assert!(kinds.is_empty(), "kinds of change without a row: {kinds:?}");
    table
}

fn assert_recorded(text: &str) {
    let recorded = std::fs::read_to_string(MATRIX).unwrap();
    let known: BTreeSet<&str> = recorded.lines().collect();
    let new: Vec<&str> = text.lines().filter(|line| !known.contains(line)).collect();
    assert!(
        recorded.contains(text),
        "tests/access/matrix.txt says otherwise. If these lines are right, set KEYWARD_UPDATE=1:\n{}",
        new.join("\n")
    );
}

fn is_updating() -> bool {
    std::env::var_os("KEYWARD_UPDATE").is_some()
}

const MATRIX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/access/matrix.txt");
