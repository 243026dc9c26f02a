//! `keyward completions`: the script that makes a shell ask [`complete`](crate::complete) for what could come next.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::ctx::Ctx;

/// Print a script that completes keyward's command lines, names of deployments and keys included
///
/// Names are those that the signed-in identity may see; where nobody is signed in, there are none.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    bash: keyward completions bash > ~/.local/share/bash-completion/completions/keyward\n  \
    zsh:  keyward completions zsh > ~/.zfunc/_keyward   (a folder of $fpath, before compinit)\n  \
    fish: keyward completions fish > ~/.config/fish/completions/keyward.fish\n  \
    PowerShell: keyward completions powershell >> $PROFILE")]
pub struct Options {
    /// The shell
    shell: Shell,
}

/// A shell that can be taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash 3.2 and later
    Bash,
    /// zsh 5 and later
    Zsh,
    /// fish 3 and later
    Fish,
    /// PowerShell 7 and later
    #[value(name = "powershell", alias = "pwsh")]
    PowerShell,
}

impl Options {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.out.json {
            return ctx.out.json(&json!({ "shell": self.shell.name(), "script": self.shell.script() }));
        }
        ctx.out.bytes(self.shell.script().as_bytes())
    }
}

impl Shell {
    /// The script. It names no path, so that it outlives an update.
    pub fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("../complete/scripts/keyward.bash"),
            Self::Zsh => include_str!("../complete/scripts/_keyward"),
            Self::Fish => include_str!("../complete/scripts/keyward.fish"),
            Self::PowerShell => include_str!("../complete/scripts/keyward.ps1"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::PowerShell => "powershell",
        }
    }
}
