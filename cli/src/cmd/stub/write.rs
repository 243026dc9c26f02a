//! `keyward stub write`.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use keyward_wire::rule::Authority;
use serde_json::json;

use super::file::File;
use super::kind::Kind;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault, typed};
use crate::session::files;

/// Write the files that a program wants to see before it starts, without a credential in them
///
/// Where the credential should be they say keyward-managed. The gateway puts the value in its place, in the requests that the
/// key's rule allows; without the gateway the word is refused by whoever receives it. A file that is there already is never
/// changed: it may hold a real credential.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward stub write github-cli\n  \
    keyward stub write netrc --host github.com --host git.example.com\n  \
    keyward stub write npmrc --stdout >> .npmrc")]
pub struct Options {
    /// The program
    kind: Kind,
    /// The home directory that it will have [default: yours]
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// A host that it signs in to; may be repeated (netrc, npmrc, docker) [default: the usual one]
    #[arg(long = "host", value_name = "HOST[:PORT]")]
    hosts: Vec<String>,
    /// Print the file instead
    #[arg(long, conflicts_with = "home")]
    stdout: bool,
}

impl Options {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let hosts = self.hosts()?;
        let files = self.kind.files(&hosts);
        if self.stdout {
            return print(ctx, &files);
        }
        let home = self.home.clone().or_else(|| ctx.env.home.clone()).ok_or_else(|| {
            Fault::usage("there is no HOME to write to").next("name a directory with --home")
        })?;
        if !home.is_dir() {
            let fault = Fault::new(
                Code::NotFound,
                format!("no such directory: {}", typed(&home.display().to_string(), 200)),
            );
            return Err(fault.next("make it first, or name another with --home").into());
        }
        // Programs are told of these files, and may be started anywhere.
        let home =
            std::path::absolute(&home).with_context(|| format!("cannot tell where {} is", home.display()))?;
        let missing = missing(&home, &files)?;
        write(&home, &missing)?;
        self.report(ctx, &home, &files, missing.len())
    }

    fn hosts(&self) -> Result<Vec<Authority>, Fault> {
        if !self.hosts.is_empty() && !self.kind.names_hosts() {
            return Err(Fault::usage("this program's file names no hosts")
                .next("leave --host out; netrc, npmrc and docker take it"));
        }
        let read = |text: &String| {
            Authority::parse(text, 443).map_err(|error| {
                Fault::usage(format!("--host {}: {error}", typed(text, 100))).next(error.advice())
            })
        };
        self.hosts.iter().map(read).collect()
    }

    fn report(&self, ctx: &Ctx, home: &Path, files: &[File], written: usize) -> anyhow::Result<()> {
        let paths: Vec<String> =
            files.iter().map(|file| home.join(file.path).display().to_string()).collect();
        if ctx.out.json {
            return ctx.out.json(&json!({ "files": paths, "written": written > 0 }));
        }
        for path in &paths {
            ctx.out.say(&format!("{} {path}", if written > 0 { "wrote" } else { "already there:" }));
        }
        if let Some(advice) = self.kind.advice(self.hosts.is_empty()) {
            ctx.out.say(advice);
        }
        Ok(())
    }
}

fn print(ctx: &Ctx, files: &[File]) -> anyhow::Result<()> {
    if ctx.out.json {
        let files: Vec<_> =
            files.iter().map(|file| json!({ "path": file.path, "text": file.text })).collect();
        return ctx.out.json(&json!({ "files": files }));
    }
    for file in files {
        if files.len() > 1 {
            ctx.out.say(&format!("{}:", file.path));
        }
        ctx.out.bytes(file.text.as_bytes())?;
    }
    Ok(())
}

/// The files that are not there yet.
fn missing<'a>(home: &Path, files: &'a [File]) -> anyhow::Result<Vec<&'a File>> {
    let mut missing = Vec::new();
    for file in files {
        let path = home.join(file.path);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => missing.push(file),
            Err(error) => return Err(error).with_context(|| format!("cannot look at {}", path.display())),
            Ok(facts)
                if facts.is_file() && fs::read(&path).is_ok_and(|text| text == file.text.as_bytes()) => {}
            Ok(_) => {
                let fault =
                    Fault::new(Code::Conflict, format!("{} exists and was left alone", path.display()));
                return Err(fault
                    .next(
                        "it may hold a real credential: move it away first, write elsewhere with --home, or see with \
                         --stdout what to add to it",
                    )
                    .into());
            }
        }
    }
    Ok(missing)
}

/// All of them, or none.
fn write(home: &Path, files: &[&File]) -> anyhow::Result<()> {
    let mut written: Vec<PathBuf> = Vec::new();
    for file in files {
        let path = home.join(file.path);
        let made = folder(&path).and_then(|()| files::write_new(&path, file.text.as_bytes()));
        if let Err(error) = made {
            for path in written {
                let _ = fs::remove_file(path);
            }
            return Err(error);
        }
        written.push(path);
    }
    Ok(())
}

/// The folder of a file: a new one is its owner's alone, one that is there stays as it is.
fn folder(path: &Path) -> anyhow::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}
