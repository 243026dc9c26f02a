//! `.env` files: all of a file is read, or none; and what is written again reads the same.

use keyward_cli::export::{Format, Var, render};
use keyward_cli::import::dotenv::parse;
use keyward_wire::name::EnvName;

/// What the file says is what its export says. Lines of errors lie within the file.
pub fn holds(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let parsed = match parse(bytes) {
        Ok(parsed) => parsed,
        Err(errors) => {
            assert!(!errors.is_empty());
            assert!(errors.iter().all(|error| (1..=lines).contains(&error.line)));
            return;
        }
    };
    assert!(parsed.entries.iter().all(|entry| (1..=lines).contains(&entry.line)));
    let named: Vec<(EnvName, &[u8])> = parsed
        .entries
        .iter()
        .filter_map(|entry| Some((entry.name.parse().ok()?, entry.value.as_bytes())))
        .collect();
    let vars: Vec<Var<'_>> =
        named.iter().map(|(name, value)| Var::new(name, value).expect("a file holds no NUL")).collect();
    // A value that other programs would read otherwise is refused.
    let Ok(written) = render(Format::Dotenv, &vars) else { return };
    let Ok(again) = parse(&written) else { panic!("our own file is not read") };
    assert_eq!(again.entries.len(), named.len());
    for (entry, (name, value)) in again.entries.iter().zip(&named) {
        assert!(entry.name == name.as_str() && entry.value.as_bytes() == *value);
    }
}
