//! Every attack, each as a test of its own.
//!
//! L1: meanwhile all that the gateway and its libraries can say of what they do is written down, and looked through at the end.

#![expect(clippy::unwrap_used, reason = "a test: what fails is the test")]

use std::io;
use std::sync::Mutex;

/// A test for each name, in a module for each file.
macro_rules! tests {
    ($($part:ident { $($name:ident,)* })*) => {
        $(mod $part {
            $(#[test]
            fn $name() {
                super::holds(stringify!($part), stringify!($name));
            })*
        })*
    };
}

keyward_attacks::each_attack!(tests);

fn holds(part: &str, name: &str) {
    // Where memory is measured, nothing is kept.
    if part != "alone" {
        listen();
    }
    let case = keyward_attacks::all().find(|case| case.path() == (part, name)).expect("it is in the table");
    if let Err(what) = case.run_and_search(said) {
        panic!("{what}");
    }
}

#[test]
fn l1_what_libraries_say_at_their_most_talkative_is_written_down() {
    listen();
    let first = keyward_attacks::all().find(|case| case.path().0 == "protocols").expect("there is one");
    first.run().unwrap();
    let said = String::from_utf8(said()).unwrap();
    assert!(said.contains("TRACE") && said.contains("h2::"), "{said}");
}

/// What the gateway's document says that it cannot stop is what the cases find.
#[test]
fn r21_r23_what_is_not_stopped_is_in_the_document() {
    let document = include_str!("../../../../docs/GATEWAY.md");
    let (_, limits) = document.split_once("## What this cannot stop").unwrap();
    for words in ["reverse it, one character an answer", "tell a part of it"] {
        assert!(limits.contains(words), "{words}");
    }
}

static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Said;

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SAID.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn listen() {
    // Where tests share a process, the first one has begun.
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(|| Said)
        .try_init();
}

fn said() -> Vec<u8> {
    std::mem::take(&mut SAID.lock().unwrap())
}
