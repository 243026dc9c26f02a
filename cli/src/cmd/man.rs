//! `keyward man`: the manual, made of what `--help` says.

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use anyhow::Context as _;
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;

use crate::cmd::Cli;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault, nearest, typed};
use crate::out::Out;

/// Show the manual, or write its pages to a folder
///
/// On a terminal the page is shown by `man`; into a pipe or file it is written as it is.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward man deployment env-file\n  keyward man > keyward.1\n  \
                        keyward man --out /usr/local/share/man/man1")]
pub struct Options {
    /// The command whose page is meant, such as: deployment env-file
    command: Vec<String>,
    /// Write all pages, one a command, to this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    out: Option<PathBuf>,
}

impl Options {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let pages = pages();
        if let Some(folder) = &self.out {
            let files = write(&pages, folder)?;
            ctx.out.say(&format!("{} pages in {}", files.len(), folder.display()));
            return if ctx.out.json {
                ctx.out.json(&json!({ "files": files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>() }))
            } else {
                Ok(())
            };
        }
        let words = self.command.iter().map(String::as_str);
        let name =
            std::iter::once("keyward").chain(words.filter(|word| *word != "keyward")).collect::<Vec<_>>();
        let name = name.join("-");
        let Some(page) = pages.iter().find(|page| page.name == name) else {
            let names = pages.iter().map(|page| page.name.as_str());
            let next = match nearest(&name, names) {
                Some(other) => format!("did you mean: keyward man {}?", other.trim_start_matches("keyward-")),
                None => "the page of each command has its words: keyward man deployment env-file".to_owned(),
            };
            let fault = Fault::new(Code::NotFound, format!("there is no page {}", typed(&name, 100)));
            return Err(fault.next(next).into());
        };
        if ctx.out.json {
            return ctx.out.json(&json!({ "name": page.name, "page": String::from_utf8_lossy(&page.roff) }));
        }
        if Out::stdout_is_terminal() && shown(&page.roff) {
            return Ok(());
        }
        ctx.out.bytes(&page.roff)
    }
}

/// A page of the manual.
pub struct Page {
    /// `keyward-deployment-env-file`.
    pub name: String,
    /// The page's text in roff.
    pub roff: Vec<u8>,
}

/// The page of each command, keyward's own first.
pub fn pages() -> Vec<Page> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    gather(&command, "keyward", &mut pages);
    pages
}

fn gather(command: &Command, name: &str, pages: &mut Vec<Page>) {
    pages.push(Page { name: name.to_owned(), roff: page(command.clone(), name) });
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        gather(inner, &format!("{name}-{}", inner.get_name()), pages);
    }
}

/// What a command says last are its examples, which clap_mangen has another head for.
fn page(mut command: Command, name: &str) -> Vec<u8> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    if let Some((_, examples)) = help.split_once('\n').filter(|(head, _)| head.starts_with("Example")) {
        command = command.after_help(examples.to_owned());
    }
    let mut roff = Vec::new();
    let man = Man::new(command).title(name.to_uppercase()).source(SOURCE).manual("keyward");
    man.render(&mut roff).expect("memory takes every byte");
    let text = String::from_utf8(roff).expect("help is text");
    text.replacen(".SH EXTRA\n", &format!("{}.SH EXAMPLES\n", exit_status()), 1).into_bytes()
}

/// What each page's foot says the page belongs to: the program, whichever of its commands the page is about.
const SOURCE: &str = concat!("keyward ", env!("CARGO_PKG_VERSION"));

fn exit_status() -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    let codes = Code::ALL.map(|(code, meaning)| ((code as u8).to_string(), meaning));
    for (code, meaning) in [("0".to_owned(), "Done.")].into_iter().chain(codes) {
        roff.control("TP", []);
        roff.text([bold(code)]);
        roff.text([roman(meaning)]);
    }
    roff.control("PP", []);
    roff.text([roman(
        "A command that starts a program ends with the code of that program; with 126 or 127 if it cannot be run or is \
         not there, and with 128 + n if signal n ended it, as in a shell.",
    )]);
    roff.to_roff()
}

/// Pages are public: they have the modes that a package's files have.
fn write(pages: &[Page], folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut files = Vec::with_capacity(pages.len());
    for page in pages {
        let path = folder.join(format!("{}.1", page.name));
        #[expect(clippy::disallowed_methods, reason = "a page is no secret, and a half one is written anew")]
        std::fs::write(&path, &page.roff).with_context(|| format!("cannot write {}", path.display()))?;
        files.push(path);
    }
    Ok(files)
}

/// Shows a page with the system's `man`; `false` if there is none.
fn shown(roff: &[u8]) -> bool {
    let attempt = || -> std::io::Result<bool> {
        let mut man = Process::new("man").args(["-l", "-"]).stdin(Stdio::piped()).spawn()?;
        let mut input = man.stdin.take().expect("it was asked for");
        // Whoever leaves the pager early does not read it all.
        let _ = std::io::Write::write_all(&mut input, roff);
        drop(input);
        Ok(man.wait()?.success())
    };
    attempt().unwrap_or(false)
}
