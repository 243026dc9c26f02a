//! What is wrong with a line, without quoting any of it.

/// A line that cannot be taken, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LineError {
    /// The line's number, from 1.
    pub line: usize,
    /// Why the line cannot be taken.
    pub reason: Reason,
}

/// Why a line cannot be taken. It holds numbers only: the line may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The line is neither blank nor a comment, and has no `=`.
    #[error("no = after a name")]
    NoEquals,
    /// `export NAME`: the value would come from a shell that is not there.
    #[error("export without =, so there is no value")]
    ExportWithoutValue,
    /// The name is not `[A-Za-z_][A-Za-z0-9_.-]*`.
    #[error("not a usable name before the =: letters, digits, _ . and -, not starting with a digit, . or -")]
    BadName,
    /// A quote that nothing closes up to the end of the file.
    #[error("a quote is opened here and never closed")]
    UnterminatedQuote,
    /// The closing quote is followed by more than blanks or a comment; a comment needs a blank before its `#`.
    #[error("text after the closing quote (it was opened on line {opened})")]
    TextAfterQuote {
        /// Line of the opening quote: often the one at fault.
        opened: usize,
    },
    /// Outside quotes, and not the end of a line: two lines that would be read as one.
    #[error("a carriage return in the middle of the line: save the file with LF or CRLF line ends")]
    CarriageReturn,
    /// A NUL byte.
    #[error("a NUL byte, which no environment variable can hold")]
    Nul,
    /// Some other encoding.
    #[error("not UTF-8: save the file as UTF-8")]
    NotUtf8,
    /// The file begins with a UTF-16 byte order mark.
    #[error("the file is UTF-16: save it as UTF-8")]
    Utf16,
    /// The name has been given a value before.
    #[error("the same name as on line {first}")]
    Duplicate {
        /// Line of the first.
        first: usize,
    },
}

impl Reason {
    /// Stable, for `--json` and the shared vectors.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoEquals => "no_equals",
            Self::ExportWithoutValue => "export_without_value",
            Self::BadName => "bad_name",
            Self::UnterminatedQuote => "unterminated_quote",
            Self::TextAfterQuote { .. } => "text_after_quote",
            Self::CarriageReturn => "carriage_return",
            Self::Nul => "nul",
            Self::NotUtf8 => "not_utf8",
            Self::Utf16 => "utf16",
            Self::Duplicate { .. } => "duplicate",
        }
    }
}

/// A value that looks as if a `$NAME` in it was meant to be expanded; it was taken as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// The line on which the entry begins, from 1.
    pub line: usize,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "line {}: $NAME is not expanded, the value is taken as it stands (single quotes silence this)",
            self.line
        )
    }
}
