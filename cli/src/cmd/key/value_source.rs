//! Where a value comes from: standard input, a file, chance, the command line, or a prompt.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use keyward_wire::limits::VALUE_BYTES;
use zeroize::Zeroizing;

use super::generate::{bits, generate};
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::prompt;

/// A value: any bytes, at most 63 KiB, none at all included.
pub(super) type Value = Zeroizing<Vec<u8>>;

#[derive(Args)]
#[group(multiple = false)]
pub(super) struct ValueSource {
    /// Read the value from standard input; one final newline is dropped
    #[arg(long)]
    value_stdin: bool,
    /// Read the value from this file; nothing is dropped
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Make a random value of N letters and digits, which is not shown
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "32",
          value_parser = clap::value_parser!(u16).range(8..=4096))]
    generate: Option<u16>,
    /// The value; other users of this machine can see it in the process list
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    value: Option<String>,
}

impl ValueSource {
    /// Whether the command line says where the value is.
    pub(super) fn is_given(&self) -> bool {
        let Self { value_stdin, from_file, generate, value } = self;
        *value_stdin || from_file.is_some() || generate.is_some() || value.is_some()
    }

    /// Whether it is read from standard input.
    pub(super) fn takes_stdin(&self) -> bool {
        self.value_stdin
    }

    /// Refuses to go on where somebody would have to be asked and nobody can be.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.is_given() || prompt::on_terminal() {
            return Ok(());
        }
        Err(Fault::usage("where is the value?").next(OTHERWISE).into())
    }

    /// Reads the value, or asks for it twice. Warns of one that cannot be a variable.
    pub(super) fn read(&self, ctx: &Ctx, key: &str) -> anyhow::Result<Value> {
        let value = self.obtain(ctx, key)?;
        if value.contains(&0) {
            ctx.out.warn("the value has a NUL byte: no environment variable can hold it");
        }
        if value.is_empty() {
            ctx.out.warn(
                "the value is empty; if that is not meant, set another: what was to print it may have failed",
            );
        }
        Ok(value)
    }

    fn obtain(&self, ctx: &Ctx, key: &str) -> anyhow::Result<Value> {
        if self.value_stdin {
            let mut value = read_all(std::io::stdin().lock(), "standard input")?;
            if value.last() == Some(&b'\n') {
                value.pop();
            }
            return within_limit(value);
        }
        if let Some(path) = &self.from_file {
            let shown = path.display().to_string();
            let file = File::open(path).map_err(|error| unreadable(&shown, &error))?;
            let value = within_limit(read_all(file, &shown)?)?;
            if value.last() == Some(&b'\n') {
                ctx.out.say("the value ends with a newline, as the file does (--value-stdin drops one)");
            }
            return Ok(value);
        }
        if let Some(length) = self.generate.map(usize::from) {
            ctx.out.say(&format!("the value is {length} random letters and digits ({} bits)", bits(length)));
            return Ok(generate(length));
        }
        if let Some(value) = &self.value {
            ctx.out.warn(
                "a value on the command line can be seen by other users of this machine; use --value-stdin",
            );
            return within_limit(Zeroizing::new(value.clone().into_bytes()));
        }
        let first = prompt::secret(&format!("Value of {key}"), OTHERWISE)?;
        let again = prompt::secret("Once more", OTHERWISE)?;
        if *first != *again {
            return Err(Fault::usage("the two values differ; nothing was stored").into());
        }
        within_limit(Zeroizing::new(first.as_bytes().to_vec()))
    }
}

/// Reads up to a little more than a value may have: enough to see that it is too large.
pub(super) fn read_all(from: impl Read, what: &str) -> anyhow::Result<Value> {
    // Never grows beyond its first size, so no copy is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(VALUE_BYTES + 64));
    from.take(VALUE_BYTES as u64 + 2).read_to_end(&mut bytes).map_err(|error| unreadable(what, &error))?;
    Ok(bytes)
}

fn within_limit(value: Value) -> anyhow::Result<Value> {
    if value.len() <= VALUE_BYTES {
        return Ok(value);
    }
    Err(Fault::new(Code::Policy, "the value is larger than 63 KiB").next("nothing was stored").into())
}

/// `what` cannot be read, without the number that Rust adds to the reason.
pub(super) fn unreadable(what: &str, error: &std::io::Error) -> Fault {
    let reason = error.to_string();
    Fault::usage(format!("cannot read {what}: {}", reason.split(" (os error").next().unwrap_or_default()))
}

const OTHERWISE: &str = "there is no terminal to ask on: use --value-stdin, --from-file FILE or --generate";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::code_of;

    #[test]
    fn a_value_of_63_kib_is_taken_and_one_more_byte_is_not() {
        let read = |size: usize| within_limit(read_all(vec![b'x'; size].as_slice(), "test").unwrap());
        assert_eq!(read(VALUE_BYTES).unwrap().len(), VALUE_BYTES);
        assert_eq!(code_of(&read(VALUE_BYTES + 1).unwrap_err()), Code::Policy);
        assert_eq!(code_of(&read(10 * VALUE_BYTES).unwrap_err()), Code::Policy);
        assert_eq!(read(0).unwrap().len(), 0);
    }

    #[test]
    fn a_file_arrives_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        let bytes = b"\xff\0line\r\n\n";
        crate::session::files::create(&path, bytes).unwrap();
        let source = ValueSource { value_stdin: false, from_file: Some(path), generate: None, value: None };
        let ctx = Ctx::new(crate::ctx::Global::default(), crate::ctx::Env::default());
        assert_eq!(source.read(&ctx, "K").unwrap().as_slice(), bytes);
    }
}
