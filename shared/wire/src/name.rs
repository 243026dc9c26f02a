//! Names that steer something: parsed or refused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization as _;

use crate::KeyId;

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is not `[A-Za-z_][A-Za-z0-9_]*`.
    #[error("not a variable name: use letters, digits and _, not starting with a digit")]
    NotAVariable,
    /// No `@`, or white space, or longer than 254 bytes.
    #[error("not an e-mail address")]
    NotAnEmail,
    /// Empty, longer than 256 bytes, or with control or direction-changing characters.
    #[error("not a usable name: 1 to 256 bytes, no control or direction-changing characters")]
    NotAName,
    /// In the form of an id: whoever is asked for it could not tell which is meant.
    #[error("not a usable name: it has the form of an id")]
    AnId,
}

/// Name of an environment variable: `[A-Za-z_][A-Za-z0-9_]*`, at most 256 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvName(String);

impl EnvName {
    /// Whether this variable makes a loader, shell or interpreter run something else (CRYPTO.md §2.7 rule 7).
    ///
    /// Such a name is refused wherever it is written or emitted, unless the user allows exactly it.
    pub fn steers_programs(&self) -> bool {
        STEERING.contains(&self.0.as_str())
            || STEERING_PREFIXES.iter().any(|prefix| self.0.starts_with(prefix))
            || PROXIES.iter().any(|proxy| self.0.eq_ignore_ascii_case(proxy))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.bytes().next().ok_or(NameError::NotAVariable)?;
        let word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
        if first.is_ascii_digit() || text.len() > 256 || !text.bytes().all(word) {
            return Err(NameError::NotAVariable);
        }
        Ok(Self(text.to_owned()))
    }
}

/// An e-mail address as it is stored and salted: ASCII spaces trimmed, A–Z lower-cased, nothing else touched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.trim_matches(' ').to_ascii_lowercase();
        let unusable = |c: char| c.is_whitespace() || c.is_control();
        match text.split_once('@') {
            Some((local, domain))
                if !local.is_empty()
                    && !domain.is_empty()
                    && !domain.contains('@')
                    && text.len() <= 254
                    && !text.contains(unusable) =>
            {
                Ok(Self(text))
            }
            _ => Err(NameError::NotAnEmail),
        }
    }
}

/// Name a person gives to a key, group, deployment, identity or organisation: NFC, 1 to 256 bytes, printable, and not in the form
/// of an id.
///
/// Names are sealed; the server never sees one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // ASCII is in NFC as it is, and most names are nothing else.
        let text: String = if text.is_ascii() { text.to_owned() } else { text.nfc().collect() };
        if text.is_empty() || text.len() > 256 || text.trim() != text || text.contains(is_unprintable) {
            return Err(NameError::NotAName);
        }
        if text.parse::<KeyId>().is_ok() {
            return Err(NameError::AnId);
        }
        Ok(Self(text))
    }
}

/// Control characters, and those that change the direction or visibility of the text around them, or show nothing: two
/// names could look the same. Variation selectors are not among them: emoji need them.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        /// Refuses a text that is not already in its stored form.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::text::read(deserializer, |text| match text.parse::<Self>() {
                    Ok(name) if name.0 == text => Ok(name),
                    Ok(_) => Err("name is not in its normal form".to_owned()),
                    Err(error) => Err(error.to_string()),
                })
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .min_length(Some(1))
                    .max_length(Some(256))
                    .into()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    )*};
}

as_text!(EnvName, Email, Name);

/// Loaders, shells and interpreters take orders from these. Shells evaluate a value of some as arithmetic, and so run what
/// stands in it: bash `RANDOM`, mksh `LINES`, zsh `HISTSIZE` and many more.
#[rustfmt::skip]
const STEERING: &[&str] = &[
    // Where programs and code are looked for.
    "PATH", "path", "CDPATH", "cdpath", "FPATH", "fpath", "MODULE_PATH", "module_path", "MAILPATH", "GCONV_PATH",
    "BASH_LOADABLES_PATH", "fish_function_path", "fish_complete_path", "NODE_PATH", "PYTHONPATH", "PYTHONHOME",
    "PERL5LIB", "RUBYLIB",
    // What is run at a start, a prompt, an empty or an unknown command.
    "COMMAND_NOT_FOUND_HANDLER", "ENV", "BASH_ENV", "ZDOTDIR", "PROMPT", "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS4",
    "PROMPT2", "PROMPT3", "PROMPT4", "PROMPT_EOL_MARK", "PS3", "RPROMPT", "RPROMPT2", "RPS1", "RPS2", "SPROMPT", "prompt",
    "NULLCMD", "READNULLCMD", "PYTHONSTARTUP",
    // How words are read.
    "IFS", "BASHOPTS", "SHELLOPTS", "GLOBIGNORE", "BASH_XTRACEFD",
    // Numbers of the shell itself.
    "BASHPID", "BAUD", "COLUMNS", "DIRSTACKSIZE", "EPOCHREALTIME", "EPOCHSECONDS", "ERRNO", "FUNCNEST", "HISTCMD", "HISTSIZE",
    "KEYTIMEOUT", "LINENO", "LINES", "LISTMAX", "MAILCHECK", "OPTIND", "PERIOD", "PGRP", "PIPESTATUS", "PPID", "RANDOM",
    "REPORTMEMORY", "REPORTTIME", "SAVEHIST", "SECONDS", "SHLVL", "SRANDOM", "TMOUT", "TRY_BLOCK_ERROR",
    "TRY_BLOCK_INTERRUPT", "ZLE_RPROMPT_INDENT", "status",
    // Whose process the shell is: zsh becomes somebody else.
    "EGID", "EUID", "GID", "KSHEGID", "KSHGID", "KSHUID", "UID", "USERNAME", "USER_ID",
    // Options of loaders and interpreters.
    "GLIBC_TUNABLES", "JAVA_TOOL_OPTIONS", "NODE_OPTIONS", "PERL5OPT", "RUBYOPT",
    // Programs that git runs.
    "GIT_ASKPASS", "GIT_EDITOR", "GIT_EXEC_PATH", "GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_PROXY_COMMAND",
    "GIT_TEMPLATE_DIR",
];

const STEERING_PREFIXES: &[&str] =
    &["BASH_FUNC_", "LD_", "DYLD_", "GIT_SSH", "GIT_CONFIG", "KEYWARD_", "YASH_"];

/// Variables that name a proxy, in upper or lower case: programs read both.
const PROXIES: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_steer_programs_are_known() {
        for name in [
            "PATH",
            "LD_PRELOAD",
            "BASH_FUNC_x",
            "https_proxy",
            "No_Proxy",
            "KEYWARD_TOKEN",
            "GIT_SSH_COMMAND",
        ] {
            assert!(name.parse::<EnvName>().unwrap().steers_programs(), "{name}");
        }
        for name in ["PATHS", "DATABASE_URL", "Path", "GIT_TOKEN", "MY_LD_PRELOAD", "STATUS", "_"] {
            assert!(!name.parse::<EnvName>().unwrap().steers_programs(), "{name}");
        }
    }

    #[test]
    fn what_a_shell_would_not_take_is_no_variable() {
        for name in ["", "1A", "A=$(id)", "x y", "a-b", "a.b", "é", "A\n", &"A".repeat(257)] {
            assert_eq!(name.parse::<EnvName>(), Err(NameError::NotAVariable), "{name:?}");
        }
    }

    #[test]
    fn email_keeps_what_is_not_ascii_case() {
        assert_eq!(" Alice@Example.COM ".parse::<Email>().unwrap().as_str(), "alice@example.com");
        assert_eq!("É@x".parse::<Email>().unwrap().as_str(), "É@x");
        for bad in ["", "alice", "@x", "a@", "a@b@c", "a b@c", "a@b\n"] {
            assert_eq!(bad.parse::<Email>(), Err(NameError::NotAnEmail), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_normalised_when_given_and_refused_unnormalised_when_read() {
        let decomposed = "cafe\u{301}";
        assert_eq!(decomposed.parse::<Name>().unwrap().as_str(), "caf\u{e9}");
        assert!(serde_json::from_str::<Name>(&format!("\"{decomposed}\"")).is_err());
        for bad in ["", " a", "a\u{202e}b", "a\nb", "\u{1b}[31m", &"x".repeat(257)] {
            assert_eq!(bad.parse::<Name>(), Err(NameError::NotAName), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_not_in_the_form_of_an_id() {
        let id = "482bd7d9-38e0-4568-99be-6ae3a44d48a2";
        assert_eq!(id.parse::<Name>(), Err(NameError::AnId));
        assert!(serde_json::from_value::<Name>(id.into()).is_err());
        for name in [id.replacen('4', "", 1), format!("{id}0"), id.to_uppercase()] {
            assert!(name.parse::<Name>().is_ok(), "{name}");
        }
    }

    #[test]
    fn what_shows_nothing_or_turns_text_around_is_in_no_name() {
        for code in [
            0x00, 0x7f, 0x85, 0xad, 0x61c, 0x115f, 0x1160, 0x180e, 0x200b, 0x200e, 0x2028, 0x202e, 0x2060,
            0x2066, 0x206f, 0x2800, 0x3164, 0xfeff, 0xffa0, 0xfff9, 0xfffb, 0xe0000, 0xe0041, 0xe007f,
        ] {
            let c = char::from_u32(code).unwrap();
            assert!(is_unprintable(c), "U+{code:04X}");
            assert_eq!(format!("a{c}b").parse::<Name>(), Err(NameError::NotAName), "U+{code:04X}");
        }
        for c in ['a', ' ', 'é', 'ß', '漢', '한', 'ع', '\u{301}', '⠿', '❤', '\u{fe0f}', '\u{fffd}', '😀']
        {
            assert!(!is_unprintable(c), "{c}");
        }
    }
}
