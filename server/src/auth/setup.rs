//! The one-time code of the first sign-up: whoever reads the server's terminal or data directory is the operator.
//!
//! The code is derived from the server's secret in the database, so that several servers over one database ask for the same code,
//! and so does a restarted one. Once an organisation exists, no code is asked for: the first sign-up with the code is the only
//! one, whichever server it reaches.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE32_NOPAD;
use keyward_wire::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::PreloginSecret;

/// The setup code, until the first organisation exists. Cheap to clone.
#[derive(Clone)]
pub struct SetupCode(Arc<Code>);

struct Code {
    file: PathBuf,
    text: Mutex<Option<Zeroizing<String>>>,
}

impl SetupCode {
    /// No code: sign-up does not ask for one.
    pub fn none() -> Self {
        Self(Arc::new(Code { file: PathBuf::new(), text: Mutex::new(None) }))
    }

    /// The server's code, also written into `file`, which only its owner can read.
    pub(crate) fn of(secret: &PreloginSecret, file: &Path) -> std::io::Result<Self> {
        let text = text(secret);
        if read(file)?.is_none_or(|written| *written != *text) {
            write(file, &text)?;
        }
        Ok(Self(Arc::new(Code { file: file.to_owned(), text: Mutex::new(Some(text)) })))
    }

    /// The code as text, for the terminal. `None` if there is none.
    pub fn text(&self) -> Option<Zeroizing<String>> {
        self.0.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether `given` is the code. Dashes, blanks and case do not matter. False once the code is used up.
    pub fn matches(&self, given: &str) -> bool {
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

/// Removes the file of a code that will not be asked for.
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
    Ok(Some(Zeroizing::new(text.trim().to_owned())))
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    remove(file)?;
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(out, "{text}")?;
    out.sync_all()
}

/// The code as text: 160 bits, 32 letters in 8 groups.
fn text(secret: &PreloginSecret) -> Zeroizing<String> {
    let letters = Zeroizing::new(BASE32_NOPAD.encode(&*secret.setup_code()).to_ascii_lowercase());
    let groups: Vec<&str> = letters
        .as_bytes()
        .chunks(4)
        .map(|group| std::str::from_utf8(group).expect("base32 is ASCII"))
        .collect();
    Zeroizing::new(groups.join("-"))
}

fn canonical(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn code(byte: u8, file: &Path) -> SetupCode {
        SetupCode::of(&PreloginSecret::new([byte; 32]), file).unwrap()
    }

    #[test]
    fn the_code_survives_a_restart_and_ends_with_its_use() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("setup-code");
        let text = code(7, &file).text().unwrap();
        assert_eq!(canonical(&text).len(), 32);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*read(&file).unwrap().unwrap(), *text);
        let again = code(7, &file);
        assert!(again.matches(&text));
        assert!(again.matches(&text.to_uppercase().replace('-', " ")));
        assert!(!again.matches(""));
        assert!(!again.matches(text.trim_end_matches(char::is_alphanumeric)));
        again.use_up().unwrap();
        assert!(!again.matches(&text));
        assert!(!file.exists());
        assert!(!SetupCode::none().matches(""));
    }

    #[test]
    fn servers_over_one_database_ask_for_one_code_and_those_over_another_for_another() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text = code(7, &one.path().join("setup-code")).text().unwrap();
        assert!(code(7, &two.path().join("setup-code")).matches(&text));
        assert!(!code(8, &two.path().join("setup-code")).matches(&text));
    }

    #[test]
    fn a_code_file_that_was_cut_short_or_is_of_another_database_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("setup-code");
        for former in ["", "aaaa-bbbb"] {
            std::fs::File::create(&file).unwrap().write_all(former.as_bytes()).unwrap();
            let text = code(7, &file).text().unwrap();
            assert_eq!(*read(&file).unwrap().unwrap(), *text);
        }
    }
}
