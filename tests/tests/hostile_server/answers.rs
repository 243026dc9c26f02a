//! Answers that are broken, endless, elsewhere, or meant for a terminal.

use std::process::Command;

use keyward_tests::http::Answer;
use keyward_tests::liar::{Liar, Reply};
use keyward_tests::machine::{Machine, run};
use keyward_tests::server::program;
use keyward_tests::world::{ENV_FILE, PASSWORD, env_file};
use serde_json::{Value, json};

use crate::{BUNDLE, Trap, raw};

#[test]
fn ms_05_duplicate_keys_are_refused() {
    let trap = Trap::new();
    let bundle = serde_json::to_value(trap.bundle()).unwrap();
    let text = bundle.to_string();
    let twice = |name: &str| {
        let member = format!("\"{name}\":{}", bundle[name]);
        text.replacen('{', &format!("{{{member},"), 1)
    };
    for name in ["cred", "epoch", "nonce", "grant", "view", "secrets"] {
        trap.serve_text(&twice(name));
        trap.refused(6, &format!("{name} twice"));
    }
    let env = bundle["grant"]["env"].to_string();
    trap.serve_text(&text.replacen(&format!("\"env\":{env}"), &format!("\"env\":{env},\"env\":{env}"), 1));
    trap.refused(6, "env twice within grant");
    trap.serve_text(&format!("{text} {text}"));
    trap.refused(6, "two bundles");
    trap.serve_text(text.get(..text.len() - 1).unwrap());
    trap.refused(6, "a bundle without its end");
}

#[test]
fn ms_05_a_huge_or_deep_answer_costs_at_most_64_mib() {
    let trap = Trap::new();
    let spare = least_memory_kib(&trap) + 64 * 1024;
    let refused = |codes: &[i32], lie: &str| {
        let ended = limited(&trap, spare);
        assert!(codes.contains(&ended.code), "{lie}: {}", ended.said());
        assert_eq!(ended.stdout, b"false\n", "{lie}");
    };
    let mut bundle = serde_json::to_value(trap.bundle()).unwrap();
    bundle["cred"] = "A".repeat(17 << 20).into();
    trap.serve(&bundle);
    refused(&[5], "a text of 17 MiB");
    let body = bundle.to_string().into_bytes();
    let head = "HTTP/1.1 200 x\r\ncontent-type: application/json\r\n";
    trap.liar.lie(BUNDLE, move |_, _| raw(head, &body));
    refused(&[5], "the same without its length");
    trap.liar.lie(BUNDLE, move |_, _| raw(head, &vec![b'['; 160 << 20]));
    refused(&[5], "160 MiB without their length");
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        trap.serve_text(&deep);
        refused(&[6], "10,000 deep");
        let mut bundle = bundle.clone();
        bundle["cred"] = Value::Null;
        trap.serve_text(&bundle.to_string().replacen("null", &deep, 1));
        refused(&[6], "10,000 deep within a bundle");
    }
    trap.serve_text(&format!(r#"{{"secrets":[{}{{}}]}}"#, "{},".repeat(5_000_000)));
    refused(&[6], "five million empty secrets");
    trap.serve_text(&format!(r#"{{"extra":[{}0]}}"#, "0,".repeat(7_000_000)));
    refused(&[6], "seven million numbers nobody asked for");
}

/// The least address space, in KiB, in which the robot gets its variables.
fn least_memory_kib(trap: &Trap) -> u64 {
    let (mut too_little, mut enough) = (4 * 1024, 4 * 1024 * 1024);
    assert_eq!(limited(trap, enough).stdout, trap.honest);
    while enough - too_little > 4 * 1024 {
        let middle = u64::midpoint(too_little, enough);
        if limited(trap, middle).stdout == trap.honest {
            enough = middle;
        } else {
            too_little = middle;
        }
    }
    enough
}

fn limited(trap: &Trap, kib: u64) -> keyward_tests::machine::Ended {
    let mut command: Command = trap.world.robot.command("sh".into());
    let script = format!("ulimit -v {kib}; exec \"$0\" \"$@\"");
    command.arg("-c").arg(script).arg(program("keyward")).args(ENV_FILE);
    run(command, b"")
}

#[test]
fn ms_32_redirects_are_never_followed() {
    let trap = Trap::new();
    let target = Liar::before(trap.world.server.address);
    let places =
        [target.url(), "http://evil.test/".into(), "file:///etc/passwd".into(), "/v1/me/bundle".into()];
    for status in [301, 302, 303, 307, 308] {
        for place in &places {
            let elsewhere = Answer::new(status, "").header("location", place);
            trap.liar.answer("*", elsewhere);
            trap.refused(9, &format!("{status} to {place}, for data"));
            let machine = Machine::new(&trap.liar.url());
            let token = trap.world.token.as_bytes();
            let ended = machine.keyward_with(&["auth", "api-user", "--token-stdin"], token);
            assert_eq!(ended.code, 9, "{status} to {place}, for a token: {}", ended.said());
            let words = ["login", "--email", "olga@canary.example", "--password-stdin"];
            let ended = machine.keyward_with(&words, PASSWORD.as_bytes());
            assert_eq!(ended.code, 9, "{status} to {place}, for a password: {}", ended.said());
        }
    }
    assert!(target.traffic().is_empty());
}

#[test]
fn ms_34_a_refusals_text_is_shown_inert_and_cut() {
    let trap = Trap::new();
    let evil = "\u{1b}[2J\u{1b}]0;pwned\u{7}\r\u{202e}$(touch /tmp/pwn)\nexport X=1\n\u{9b}31m";
    let bodies = [
        json!({ "error": { "code": "internal", "message": evil } }).to_string(),
        json!({ "error": { "code": "forbidden", "message": evil, "field": evil } }).to_string(),
        json!({ "error": { "code": "unprocessable", "message": "x".repeat(1 << 20) } }).to_string(),
        evil.to_owned(),
        "x".repeat(1 << 20),
    ];
    for status in [400, 403, 409, 413, 422, 429, 500, 503] {
        for body in &bodies {
            trap.liar.answer(BUNDLE, Answer::new(status, body.as_bytes()));
            let ended = env_file(&trap.world.robot);
            assert_ne!(ended.code, 0);
            assert_eq!(ended.stdout, b"false\n", "{status}");
            assert!(ended.stderr.len() < 2000, "{status}: {} bytes of stderr", ended.stderr.len());
            let hostile = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(!ended.stderr.contains(hostile), "{status}: {:?}", ended.stderr);
            assert!(!ended.stderr.contains("\nexport X=1"), "{status}: {}", ended.stderr);
        }
    }
    let bundle = serde_json::to_vec(&trap.bundle()).unwrap();
    for head in ["\u{202e}pwned".to_owned(), "x".repeat(4000)] {
        trap.liar.answer(BUNDLE, Answer::new(200, bundle.clone()).header("keyward-audit", &head));
        let ended = trap.world.robot.keyward(&[ENV_FILE, &["--print-head"]].concat());
        assert_eq!(ended.stdout, trap.honest, "{}", ended.said());
        assert!(ended.stderr.len() < 500 && !ended.stderr.contains('\u{202e}'), "{}", ended.stderr);
    }
}

#[test]
fn ms_38_an_answer_that_breaks_off_or_lies_about_its_length_prints_nothing() {
    let trap = Trap::new();
    let body = serde_json::to_vec(&trap.bundle()).unwrap();
    let head = |length: usize| {
        format!("HTTP/1.1 200 x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n")
    };
    let half = body.len() / 2;
    let broken: [(&str, Vec<u8>); 6] = [
        ("half the body", [head(body.len()).as_bytes(), b"\r\n", &body[..half]].concat()),
        ("a length one too large", [head(body.len() + 1).as_bytes(), b"\r\n", &body].concat()),
        ("half the head", b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec()),
        ("no head", b"{}".to_vec()),
        ("nothing", Vec::new()),
        (
            "half a chunk",
            [b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\nffff\r\n", &body[..half]].concat(),
        ),
    ];
    for (lie, bytes) in broken {
        trap.liar.lie(BUNDLE, move |_, _| Reply::Bytes(bytes.clone()));
        trap.refused(5, lie);
    }
    let short = body.clone();
    trap.liar.lie(BUNDLE, move |_, _| raw(&head(short.len() - 1), &short));
    trap.refused(6, "a length one too small");
    // A thousandfold bomb would have to be inflated first: it is not.
    let bomb = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0; 4096]].concat();
    for encoding in ["gzip", "deflate", "br", "zstd", "identity"] {
        let answer = Answer::new(200, bomb.clone()).header("content-encoding", encoding);
        trap.liar.answer(BUNDLE, answer.header("content-type", "application/json"));
        trap.refused(5, encoding);
    }
}

#[test]
fn ms_38_an_answer_that_stalls_prints_nothing() {
    let trap = Trap::new();
    let body = serde_json::to_vec(&trap.bundle()).unwrap();
    let head = format!("HTTP/1.1 200 x\r\ncontent-length: {}\r\n\r\n", body.len());
    let bytes = [head.as_bytes(), &body[..body.len() - 1]].concat();
    trap.liar.lie(BUNDLE, move |_, _| Reply::Stall(bytes.clone()));
    trap.refused(5, "all but the last byte");
}
