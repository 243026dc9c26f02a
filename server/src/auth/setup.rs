//! The one-time code that lets the first owner in: whoever reads the data directory or the terminal is the operator.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE32_NOPAD;
use keyward_wire::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::random;

/// The code, until the first organisation is there. Cheap to clone.
#[derive(Clone)]
pub struct SetupCode(Arc<Code>);

struct Code {
    file: PathBuf,
    text: Mutex<Option<Zeroizing<String>>>,
}

impl SetupCode {
    /// None is asked for.
    pub fn none() -> Self {
        Self(Arc::new(Code { file: PathBuf::new(), text: Mutex::new(None) }))
    }

    /// The code in `file`; a new one, readable for its owner only, if there is none yet.
    pub fn read_or_make(file: &Path) -> std::io::Result<Self> {
        let text = match read(file)? {
            Some(text) => text,
            None => make(file)?,
        };
        Ok(Self(Arc::new(Code { file: file.to_owned(), text: Mutex::new(Some(text)) })))
    }

    /// The code, for the terminal.
    pub fn text(&self) -> Option<Zeroizing<String>> {
        self.0.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether `given` is the code. Dashes, blanks and case do not matter. False once it is used up.
    pub fn is(&self, given: &str) -> bool {
        let hash = |text: &str| Sha256::of(Zeroizing::new(canonical(text)).as_bytes());
        self.text().is_some_and(|text| hash(&text).as_bytes().ct_eq(hash(given).as_bytes()).into())
    }

    /// Forgets the code and removes its file.
    pub fn use_up(&self) -> std::io::Result<()> {
        let former = self.0.text.lock().unwrap_or_else(PoisonError::into_inner).take();
        match former {
            Some(_) => remove(&self.0.file),
            None => Ok(()),
        }
    }
}

/// Removes a code that nobody will ask for any more.
pub(crate) fn remove(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn read(file: &Path) -> std::io::Result<Option<Zeroizing<String>>> {
    let mut text = Zeroizing::new(String::new());
    match std::fs::File::open(file) {
        Ok(file) => file.take(1024).read_to_string(&mut text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let text = Zeroizing::new(text.trim().to_owned());
    // A start that was cut short may have left an empty file.
    Ok((canonical(&text).len() == CODE_CHARACTERS).then_some(text))
}

fn make(file: &Path) -> std::io::Result<Zeroizing<String>> {
    let letters = BASE32_NOPAD.encode(&*random::bytes::<CODE_BYTES>()).to_ascii_lowercase();
    let groups: Vec<String> =
        letters.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into()).collect();
    let text = Zeroizing::new(groups.join("-"));
    remove(file)?;
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(out, "{}", *text)?;
    out.sync_all()?;
    Ok(text)
}

fn canonical(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// 160 random bits: 32 letters in 8 groups.
const CODE_BYTES: usize = 20;
const CODE_CHARACTERS: usize = 32;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_code_survives_a_restart_and_ends_with_its_use() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("setup-code");
        let code = SetupCode::read_or_make(&file).unwrap();
        let text = code.text().unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let again = SetupCode::read_or_make(&file).unwrap();
        assert!(again.is(&text));
        assert!(again.is(&text.to_uppercase().replace('-', " ")));
        assert!(!again.is(""));
        assert!(!again.is(text.trim_end_matches(char::is_alphanumeric)));
        again.use_up().unwrap();
        assert!(!again.is(&text));
        assert!(!file.exists());
        assert!(!SetupCode::none().is(""));
    }

    #[test]
    fn a_truncated_code_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("setup-code");
        std::fs::File::create(&file).unwrap();
        let text = SetupCode::read_or_make(&file).unwrap().text().unwrap();
        assert_eq!(canonical(&text).len(), CODE_CHARACTERS);
    }
}
