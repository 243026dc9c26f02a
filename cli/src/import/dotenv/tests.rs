use keyward_wire::name::EnvName;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::export::{Format, Var, render};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    #[serde(rename = "about")]
    _about: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    text: Option<String>,
    base64: Option<String>,
    entries: Option<Vec<Wanted>>,
    warnings: Option<Vec<usize>>,
    errors: Option<Vec<WantedError>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    value: String,
    line: usize,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedError {
    line: usize,
    code: String,
    first: Option<usize>,
    opened: Option<usize>,
}

impl From<&LineError> for WantedError {
    fn from(error: &LineError) -> Self {
        let (first, opened) = match error.reason {
            Reason::Duplicate { first } => (Some(first), None),
            Reason::TextAfterQuote { opened } => (None, Some(opened)),
            _ => (None, None),
        };
        Self { line: error.line, code: error.reason.code().to_owned(), first, opened }
    }
}

#[test]
fn every_vector_is_read_as_it_says() {
    let vectors: Vectors =
        serde_json::from_str(include_str!("../../../../tests/vectors/dotenv.json")).unwrap();
    assert!(vectors.cases.len() >= 100, "vectors are missing");
    for case in vectors.cases {
        let bytes = match (&case.text, &case.base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(base64)) => data_encoding::BASE64.decode(base64.as_bytes()).unwrap(),
            _ => panic!("{}: text or base64", case.name),
        };
        match parse(&bytes) {
            Ok(parsed) => {
                let entries: Vec<Wanted> = parsed
                    .entries
                    .iter()
                    .map(|e| Wanted { name: e.name.clone(), value: e.value.to_string(), line: e.line })
                    .collect();
                let warnings: Vec<usize> = parsed.warnings.iter().map(|warning| warning.line).collect();
                assert_eq!(Some(entries), case.entries, "{}", case.name);
                assert_eq!(Some(warnings), case.warnings, "{}", case.name);
                assert_eq!(None, case.errors, "{}", case.name);
            }
            Err(errors) => {
                let errors: Vec<WantedError> = errors.iter().map(WantedError::from).collect();
                assert_eq!(Some(errors), case.errors, "{}", case.name);
                assert!(case.entries.is_none(), "{}", case.name);
            }
        }
    }
}

#[test]
fn no_error_or_warning_repeats_what_the_file_says() {
    let file = "hunter2\nhunter2 x=1\nA='hunter2'hunter2\nexport hunter2\nA=\"hunter2\nhunter2=1\nhunter2=2\nB=$hunter2\0\n";
    let errors = parse(file.as_bytes()).err().unwrap();
    assert!(errors.len() >= 6);
    for error in errors {
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    for warning in parse(b"A=${hunter2}").ok().unwrap().warnings {
        assert!(!format!("{warning} {warning:?}").contains("hunter2"));
    }
}

/// Bytes that the grammar cares about, and a few that it does not.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"A"[..],
        b"B",
        b"=",
        b"'",
        b"\"",
        b"`",
        b"\\",
        b"\n",
        b"\r",
        b"\r\n",
        b" ",
        b"\t",
        b"#",
        b"$",
        b"${X}",
        b"export ",
        b"\0",
        b"\xff",
        "é".as_bytes(),
        b"\xef\xbb\xbf",
        b"A=",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn text() -> impl Strategy<Value = String> {
    let awkward = prop::sample::select("'\"`\\$#= \t\n\rnrt{}é\u{feff}\u{2028}a".chars().collect::<Vec<_>>());
    let any = any::<char>().prop_filter("an environment variable holds no NUL", |c| *c != '\0');
    prop::collection::vec(prop_oneof![4 => awkward, 1 => any], 0..40).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_by_line(bytes in prop_oneof![hostile(), prop::collection::vec(any::<u8>(), 0..200)]) {
        let lines = bytes.split(|byte| *byte == b'\n').count();
        match parse(&bytes) {
            Ok(parsed) => {
                prop_assert!(parsed.entries.iter().all(|entry| (1..=lines).contains(&entry.line)));
                prop_assert!(parsed.entries.iter().all(|entry| !entry.value.contains('\0')));
                prop_assert!(parsed.entries.is_sorted_by(|a, b| a.line < b.line));
            }
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                prop_assert!(errors.iter().all(|error| (1..=lines).contains(&error.line)));
                prop_assert!(errors.is_sorted_by(|a, b| a.line < b.line), "one error a line");
            }
        }
    }

    #[test]
    fn what_the_writer_takes_the_parser_reads_back(values in prop::collection::vec(text(), 0..12)) {
        let names: Vec<EnvName> = (0..values.len()).map(|i| format!("V{i}").parse().unwrap()).collect();
        let vars = names.iter().zip(&values).map(|(name, value)| Var::new(name, value.as_bytes()).unwrap());
        let taken: Vec<Var<'_>> = vars.filter(|var| render(Format::Dotenv, &[*var]).is_ok()).collect();
        let file = render(Format::Dotenv, &taken).unwrap();
        let parsed = parse(&file).map_err(|errors| TestCaseError::fail(format!("{errors:?}")))?;
        let read: Vec<&[u8]> = parsed.entries.iter().map(|entry| entry.value.as_bytes()).collect();
        prop_assert_eq!(read, taken.iter().map(Var::value).collect::<Vec<_>>());
    }
}

#[test]
fn a_large_file_is_read_in_linear_time() {
    let quoted = "A='".repeat(200_000);
    assert!(parse(quoted.as_bytes()).is_err());
    let lines = (0..200_000).map(|i| format!("V{i}=\"\\\"\n\"\n")).collect::<Vec<_>>().concat();
    assert_eq!(parse(lines.as_bytes()).ok().unwrap().entries.len(), 200_000);
}
