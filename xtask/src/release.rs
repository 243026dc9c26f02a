//! Static release builds: programs that need nothing of the system they run on, not even its C library.
//!
//! The linkage is chosen here and not in a configuration file, so that every other build stays as it was: with `--target`
//! the flags reach what is shipped, and neither procedural macros nor build scripts, and cargo keeps the results in a
//! folder of the target's own. `+crt-static` is what the musl targets do by themselves; with it, glibc's does too.
//!
//! A program that may lie anywhere in memory relocates some ten thousand addresses before it begins. Packed
//! (`-z pack-relative-relocs`) they are a fiftieth of what they are in a list, and a program that lives for milliseconds need
//! not read that. It takes a linker that packs and a C library that unpacks (glibc 2.36, musl 1.2.4): a small program is
//! tried first, and where it does not run the list stays as it is.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::cargo::{bin_dir, cargo, root, run, variable};
use crate::say;

/// The target that this machine's compiler builds for by itself.
pub(crate) fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").current_dir(root()).output().context("no rustc")?;
    let text = String::from_utf8(output.stdout).context("rustc -vV is no text")?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("rustc -vV names no host")
}

/// Builds for a target the packages whose one program has the package's name; the folder that holds the programs.
pub(crate) fn build(target: &str, packages: &[&str]) -> Result<PathBuf> {
    let mut command = cargo(&["build", "--locked", "--release", "--bins", "--target", target]);
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    // Where this program was built, whatever chose that folder.
    let folder = bin_dir()?.parent().context("the programs' folder has no parent")?.to_owned();
    command.env("CARGO_TARGET_DIR", &folder);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(target)?).env_remove("RUSTFLAGS");
    run(&mut command)?;
    let folder = folder.join(target).join("release");
    assert_static(&folder, packages)?;
    Ok(folder)
}

/// The debug programs, linked as released ones are, which costs a link and no build: `+crt-static` reaches the last step
/// only, where the C library is chosen. The folder that holds them, until cargo links them anew in its usual way.
pub(crate) fn rehearse(packages: &[&str]) -> Result<PathBuf> {
    for package in packages {
        run(&mut cargo(&[
            "rustc",
            "--locked",
            "--package",
            package,
            "--bin",
            package,
            "--",
            STATIC,
            "-Cstrip=symbols",
        ]))?;
    }
    let folder = bin_dir()?;
    assert_static(&folder, packages)?;
    Ok(folder)
}

fn assert_static(folder: &Path, programs: &[&str]) -> Result<()> {
    for program in programs.iter().map(|program| folder.join(program)) {
        if !is_static(&program)? {
            bail!("{} is not static: it names an interpreter", program.display());
        }
    }
    Ok(())
}

/// Separated as cargo wants it. The builder's own folders are not in the programs, so that two builders get the same ones.
fn flags(target: &str) -> Result<OsString> {
    let mut flags = OsString::from(STATIC);
    // A static program finds no `getrandom` at run time and would open /dev/urandom, which a bare root may lack.
    flags.push("\u{1f}--cfg=getrandom_backend=\"linux_getrandom\"");
    if packed_relocations_run(target)? {
        flags.push(format!("\u{1f}{PACKED}"));
    } else {
        say::talk("    relocations are not packed: this linker or this C library does not know how");
    }
    for (from, to) in [(cargo_home()?, "/cargo"), (root().to_owned(), "/keyward")] {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    Ok(flags)
}

/// Whether a program runs here that is linked so. One for another machine cannot be tried.
fn packed_relocations_run(target: &str) -> Result<bool> {
    let scratch = tempfile::Builder::new().prefix("keyward-link.").tempdir()?;
    let program = scratch.path().join("tried");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "--target", target, STATIC, PACKED, "-o"]).arg(&program).arg("-");
    // What goes wrong with it shows in the build of the real ones, where it is said.
    rustc.current_dir(root()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut compiling = rustc.spawn().context("no rustc")?;
    if let Some(mut source) = compiling.stdin.take() {
        // To print takes tables of functions, whose addresses are relocated.
        source.write_all(b"fn main() { println!(\"{:?}\", std::env::args()); }")?;
    }
    let linked = compiling.wait()?.success();
    Ok(linked && Command::new(&program).output().is_ok_and(|ran| ran.status.success()))
}

const STATIC: &str = "-Ctarget-feature=+crt-static";
const PACKED: &str = "-Clink-arg=-Wl,-z,pack-relative-relocs";

fn cargo_home() -> Result<PathBuf> {
    let home = variable("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cargo")));
    home.context("neither CARGO_HOME nor HOME is set")
}

/// Whether a program needs no loader and no libraries of the system: it names no interpreter (ELF's PT_INTERP).
pub(crate) fn is_static(program: &Path) -> Result<bool> {
    let bytes = std::fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let interpreted = interpreted(&bytes);
    interpreted.map(|it| !it).with_context(|| format!("{} is not a 64-bit ELF program", program.display()))
}

/// Whether one of the program headers of a 64-bit little-endian ELF file is PT_INTERP; `None` if it is no such file.
fn interpreted(elf: &[u8]) -> Option<bool> {
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let number = |at: usize, len: usize| -> Option<usize> {
        let mut bytes = [0; 8];
        bytes.get_mut(..len)?.copy_from_slice(elf.get(at..at.checked_add(len)?)?);
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    };
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let mut found = false;
    for at in 0..count {
        found |= number(table.checked_add(at.checked_mul(size)?)?, 4)? == PT_INTERP;
    }
    Some(found)
}

const PT_INTERP: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_a_loader_is_told_from_one_that_does_not() {
        // An ELF header of 64 bytes, then one program header of 56.
        let with_header = |kind: u8| {
            let mut elf = vec![0; 120];
            elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
            (elf[32], elf[54], elf[56], elf[64]) = (64, 56, 1, kind);
            elf
        };
        assert_eq!(interpreted(&with_header(3)), Some(true));
        assert_eq!(interpreted(&with_header(1)), Some(false));
        assert_eq!(interpreted(&with_header(3)[..66]), None, "cut off");
        assert_eq!(interpreted(b"#!/bin/sh\n"), None);
        assert_eq!(interpreted(&std::fs::read("/proc/self/exe").unwrap()), Some(true), "this very test");
    }
}
