//! Looks for texts in every file below a directory.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};

/// What a search read and found.
#[derive(Default)]
pub(super) struct Seen {
    /// Files read.
    pub(super) files: usize,
    /// Bytes read.
    pub(super) bytes: usize,
    /// A line for each text in each file that holds it: what, as what, where.
    pub(super) found: Vec<String>,
}

/// Seeks each `(what it is, text)` below `dir`: as it is and in hexadecimal, in either case, and in base64.
pub(super) fn search(dir: &Path, texts: &[(String, String)]) -> Result<Seen> {
    let mut seen = Seen::default();
    search_dir(dir, texts, &mut seen)?;
    Ok(seen)
}

fn search_dir(dir: &Path, texts: &[(String, String)], seen: &mut Seen) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            search_dir(&path, texts, seen)?;
            continue;
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        seen.files += 1;
        seen.bytes += bytes.len();
        // What is sought is ASCII, so bytes that are not text may be replaced.
        let exact = String::from_utf8_lossy(&bytes);
        let lower = exact.to_ascii_lowercase();
        for (what, text) in texts {
            for form in forms(text) {
                let here =
                    if form.any_case { lower.contains(&form.text) } else { exact.contains(&form.text) };
                if here {
                    seen.found.push(format!("{what}, {}, in {}", form.name, path.display()));
                }
            }
        }
    }
    Ok(())
}

struct Form {
    name: &'static str,
    text: String,
    any_case: bool,
}

/// The ways `text` may stand in a file. Base64 has three, by the place of the text's first byte in a group of three.
fn forms(text: &str) -> Vec<Form> {
    let mut forms = vec![
        Form { name: "as it is", text: text.to_ascii_lowercase(), any_case: true },
        Form { name: "in hexadecimal", text: HEXLOWER.encode(text.as_bytes()), any_case: true },
    ];
    for shift in 0..3 {
        let shifted = [&[0; 2][..shift.min(2)], text.as_bytes()].concat();
        for encoding in [&BASE64_NOPAD, &BASE64URL_NOPAD] {
            let encoded = encoding.encode(&shifted);
            // The first and the last characters also hold bits of the neighbours.
            let first = (shift * 8).div_ceil(6);
            let whole = shifted.len() * 8 / 6;
            let text = encoded.chars().take(whole).skip(first).collect();
            forms.push(Form { name: "in base64", text, any_case: false });
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(content: &[u8]) -> usize {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a");
        fs::create_dir(&inner).unwrap();
        let mut file = fs::File::create_new(inner.join("b")).unwrap();
        std::io::Write::write_all(&mut file, content).unwrap();
        let text = ("a name".to_owned(), "Stripe_Key".to_owned());
        search(dir.path(), &[text]).unwrap().found.len()
    }

    #[test]
    fn a_text_is_found_in_every_form_at_every_place() {
        assert_eq!(found(b"\xff\x00STRIPE_KEY\x00"), 1);
        assert_eq!(found(b"..5374726970655F4B6579.."), 1);
        for before in ["", "x", "xy", "xyz"] {
            for after in ["", "x", "xy"] {
                let text = format!("{before}Stripe_Key{after}");
                assert!(found(BASE64_NOPAD.encode(text.as_bytes()).as_bytes()) > 0, "{text}");
                assert!(found(BASE64URL_NOPAD.encode(text.as_bytes()).as_bytes()) > 0, "{text}");
            }
        }
    }

    #[test]
    fn another_text_is_not_found() {
        assert_eq!(found(b"Stripe-Key U3RyaXBlLUtleQ 5374726970652d4b6579"), 0);
        assert_eq!(found(b""), 0);
    }
}
