//! The server as a service of its user: systemd starts it again after a fault and with the next log-in.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use super::server_start::ServerStart;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::process_env::ProcessEnv;
use crate::session::files;

const NAME: &str = "keyward-server.service";

/// Whether this user has a running systemd, and a place for units.
pub(super) fn is_there(env: &ProcessEnv) -> bool {
    // Without this variable there is no user's manager to reach, however long one tries.
    env.variable("XDG_RUNTIME_DIR").is_some()
        && folder(env).is_some()
        && systemctl(&["show-environment"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

/// Writes the unit and starts it.
pub(super) fn start(ctx: &Ctx, env: &ProcessEnv, start: &ServerStart) -> anyhow::Result<()> {
    let folder = folder(env).ok_or_else(|| Fault::usage("there is no HOME for a systemd unit"))?;
    let path = folder.join(NAME);
    let text = unit(&start.program, &start.data(), &start.listen.to_string());
    match std::fs::read(&path) {
        Ok(there) if there == text => {}
        Ok(_) => {
            let what = format!("{} is there already, and says something else", path.display());
            let next =
                "move it away; or leave it, start that service yourself, and name its address with --url";
            return Err(Fault::new(Code::Conflict, what).next(next).into());
        }
        Err(_) => {
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            files::write(&path, &text)?;
        }
    }
    for words in [&["daemon-reload"][..], &["enable", "--now", NAME]] {
        let status = systemctl(words).stdout(Stdio::null()).status().context("cannot run systemctl")?;
        if !status.success() {
            let what = format!("`systemctl --user {}` did not succeed", words.join(" "));
            let next = "mend that, or run again with --local --background";
            return Err(Fault::new(Code::Unexpected, what).next(next).into());
        }
    }
    ctx.out.say(&format!(
        "the server is a service of yours, by {}\n  to stop it for good: systemctl --user disable --now keyward-server\n  \
         to let it run while you are logged out: loginctl enable-linger",
        path.display()
    ));
    Ok(())
}

fn folder(env: &ProcessEnv) -> Option<PathBuf> {
    let config = env.variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| env.variable("HOME").map(|home| Path::new(home).join(".config")))?;
    config.is_absolute().then(|| config.join("systemd/user"))
}

fn systemctl(words: &[&str]) -> Command {
    let mut command = Command::new("systemctl");
    command.arg("--user").args(words).stdin(Stdio::null());
    command
}

/// The unit. Its walls are those that a user's manager can build without help of root.
fn unit(program: &Path, data: &Path, listen: &str) -> Vec<u8> {
    let mut text = b"# Written by `keyward quickstart`, which leaves it alone once it is changed.\n\
        [Unit]\nDescription=keyward server\n\n[Service]\nExecStart="
        .to_vec();
    text.extend(word(program.as_os_str()));
    text.extend(b" serve --data ");
    text.extend(word(data.as_os_str()));
    text.extend(format!(" --listen {listen}\n").as_bytes());
    text.extend(WALLS.as_bytes());
    text
}

/// A word as systemd reads it: in quotes, with its specifiers and variables taken literally.
fn word(text: &OsStr) -> Vec<u8> {
    let mut word = vec![b'"'];
    for byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => word.extend([b'\\', *byte]),
            b'%' | b'$' => word.extend([*byte, *byte]),
            b'\n' => word.extend(b"\\n"),
            byte => word.push(*byte),
        }
    }
    word.push(b'"');
    word
}

const WALLS: &str = "\
Restart=on-failure
RestartSec=2
UMask=0077
LimitCORE=0
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=default.target
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_to_systemd() {
        for (path, written) in
            [("/a/b", r#""/a/b""#), ("/a b/%h", r#""/a b/%%h""#), (r#"/a"\$x"#, r#""/a\"\\$$x""#)]
        {
            assert_eq!(String::from_utf8(word(path.as_ref())).unwrap(), written);
        }
    }
}
