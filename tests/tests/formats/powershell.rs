//! How PowerShell reads an assignment to `${env:NAME}`, by the rules of its language specification: it is in no registry
//! that tests can install from.

use data_encoding::BASE64;
use keyward_cli::export::Format;

use crate::batch::{Batch, Found, written};

/// What a session has after `Invoke-Expression` of each line, as the pipe hands them on.
fn read(text: &str) -> Found {
    // Whatever code page the console has, these bytes are these characters; and a line is a line.
    assert!(text.bytes().all(|byte| byte == b'\n' || matches!(byte, b' '..=b'~')));
    text.lines().map(statement).collect()
}

fn statement(line: &str) -> (String, Vec<u8>) {
    let (name, expression) = line.strip_prefix("${env:").unwrap().split_once("} = ").unwrap();
    let value = match expression.strip_prefix("[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String(")
    {
        Some(call) => BASE64.decode(literal(call.strip_suffix("))").unwrap()).as_bytes()).unwrap(),
        None => literal(expression).into_bytes(),
    };
    assert!(!value.is_empty(), "an empty value removes the variable");
    (name.to_owned(), value)
}

/// A verbatim string: everything is itself but a quote, which two stand for.
fn literal(text: &str) -> String {
    let is_quote = |c: char| matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}');
    let mut rest = text.chars();
    assert!(rest.next().is_some_and(is_quote) && rest.next_back().is_some_and(is_quote), "{text}");
    let mut value = String::new();
    while let Some(c) = rest.next() {
        if is_quote(c) {
            assert!(rest.next().is_some_and(is_quote), "the string ends before the line: {text}");
        }
        value.push(c);
    }
    value
}

#[test]
fn powershell_finds_every_value_that_is_not_refused() {
    let batch = Batch::with_the_ordinary(Format::Powershell);
    assert!(batch.len() > 600, "{} values were not refused", batch.len());
    batch.check("PowerShell", &read(str::from_utf8(&batch.file()).unwrap()));
    for value in [&b""[..], b"\xff", "x".repeat(32_767).as_bytes()] {
        assert!(written(Format::Powershell, "A", value).is_err());
    }
}
