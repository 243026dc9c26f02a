//! What a `.env` file brings: names, values, sets; or everything that is wrong with it, by line.

use keyward_wire::limits::VALUE_BYTES;
use keyward_wire::name::Name;
use zeroize::Zeroizing;

use crate::cmd::key::source::Value;
use crate::fault::Fault;
use crate::import::{aws, dotenv};

/// One variable of the file.
pub(super) struct Item {
    /// Each name once.
    pub name: Name,
    pub value: Value,
    /// Where it begins, from 1.
    pub line: usize,
    /// Label of the AWS set it belongs to.
    pub set: Option<String>,
}

/// The items of a file, in its order, and what was perhaps not read as it was meant.
///
/// # Errors
/// With every line that cannot be taken, and none of their text.
pub(super) fn items(bytes: &[u8]) -> Result<(Vec<Item>, Vec<dotenv::Warning>), Fault> {
    let parsed = dotenv::parse(bytes).map_err(|errors| refused(&errors))?;
    let names: Vec<&str> = parsed.entries.iter().map(|entry| entry.name.as_str()).collect();
    let sets = aws::sets(&names);
    let (mut items, mut errors) = (Vec::with_capacity(sets.len()), Vec::new());
    for (mut entry, set) in parsed.entries.into_iter().zip(sets) {
        let line = entry.line;
        let value = Zeroizing::new(std::mem::take(&mut *entry.value).into_bytes());
        match entry.name.parse::<Name>() {
            Err(error) => errors.push(format!("line {line}: {error}")),
            Ok(_) if value.len() > VALUE_BYTES => {
                errors.push(format!("line {line}: the value is larger than 63 KiB"));
            }
            Ok(name) => items.push(Item { name, value, line, set }),
        }
    }
    if !errors.is_empty() {
        return Err(refused(&errors));
    }
    if items.is_empty() {
        return Err(Fault::usage("there are no variables in it").next("nothing was stored"));
    }
    Ok((items, parsed.warnings))
}

fn refused<E: ToString>(errors: &[E]) -> Fault {
    let mut lines: Vec<String> =
        errors.iter().take(SHOWN).map(|error| format!("  {}", error.to_string())).collect();
    if errors.len() > SHOWN {
        lines.push(format!("  and {} more", errors.len() - SHOWN));
    }
    let lines = lines.join("\n");
    Fault::usage(format!("the file cannot be taken as it is:\n{lines}"))
        .next("nothing was stored; mend these lines and import it again")
}

/// How many errors are shown.
const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Code;

    fn fault(text: &str) -> Fault {
        items(text.as_bytes()).err().unwrap()
    }

    #[test]
    fn one_bad_line_refuses_the_whole_file_without_a_word_of_it() {
        let fault = fault("GOOD=1\nhunter2\nhunter3\n");
        assert_eq!(fault.code, Code::Usage);
        let text = fault.to_string();
        assert!(text.contains("line 2") && text.contains("line 3") && !text.contains("hunter"), "{text}");
    }

    #[test]
    fn what_does_not_fit_a_key_is_named_by_its_line() {
        let large = "x".repeat(VALUE_BYTES + 1);
        let long = "N".repeat(257);
        let text = fault(&format!("A=1\nB={large}\n{long}=1\n")).to_string();
        assert!(text.contains("line 2: the value is larger") && text.contains("line 3: "), "{text}");
        assert!(items(format!("B={}", "x".repeat(VALUE_BYTES)).as_bytes()).is_ok());
    }

    #[test]
    fn a_file_without_variables_is_no_import() {
        for text in ["", "\n\n", "# nothing\n", "\u{feff}"] {
            assert_eq!(fault(text).code, Code::Usage);
        }
    }

    #[test]
    fn very_many_errors_are_cut() {
        let text = fault(&"bad\n".repeat(100)).to_string();
        assert!(
            text.contains("line 20:") && !text.contains("line 21:") && text.contains("and 80 more"),
            "{text}"
        );
    }

    #[test]
    fn aws_pairs_become_a_set() {
        let (items, _) =
            items(b"A=1\nPROD_AWS_ACCESS_KEY_ID=AKIA\nPROD_AWS_SECRET_ACCESS_KEY=x\n").ok().unwrap();
        let sets: Vec<_> = items.iter().map(|item| item.set.as_deref()).collect();
        assert_eq!(sets, [None, Some("PROD AWS Credentials"), Some("PROD AWS Credentials")]);
    }
}
