//! What an operator does to the database: check, backup, restore. Findings go to stdout, talk to stderr.

use std::io::{StdoutLock, Write as _, stderr, stdout};
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use keyward_server::backup::{self, BackupError};
use keyward_server::check::{Checked, Finding, check_all};
use keyward_server::config::{BackupArgs, CheckArgs};
use keyward_server::store::{ClockOffset, Manifest};
use keyward_server::{open_store, read_store};
use keyward_wire::name::is_unprintable;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) async fn check(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let store = read_store(&args.database.into()).await?;
    let mut findings = Findings::new(args.json);
    let checked = check_all(&store, &mut |finding| findings.tell(&finding)).await;
    let checked = checked.map_err(|error| anyhow::anyhow!("cannot check the database: {}", error.cause()))?;
    store.close().await;
    findings.end()?;
    if args.json {
        writeln!(stdout(), "{}", serde_json::to_string(&checked)?)?;
    } else {
        writeln!(stderr(), "{}", summary(&checked))?;
    }
    Ok(code(&checked))
}

pub(crate) async fn backup(args: BackupArgs) -> anyhow::Result<ExitCode> {
    let store = read_store(&args.database.into()).await?;
    let mut findings = Findings::new(false);
    let done = {
        let mut tell = |finding| findings.tell(&finding);
        tokio::select! {
            done = backup::backup(&store, &args.file, &mut tell) => done,
            // Dropped, an unfinished backup removes what it has written.
            () = asked_to_end()? => anyhow::bail!("asked to end before it was done: there is no backup"),
        }
    };
    store.close().await;
    findings.end()?;
    let (manifest, checked) = match done {
        Err(error @ BackupError::ForeignSchema) => return refused(&error),
        other => other?,
    };
    let Manifest { rows, .. } = manifest;
    writeln!(stderr(), "{} rows are in {}. {}", rows, args.file.display(), summary(&checked))?;
    if checked.findings > 0 {
        writeln!(
            stderr(),
            "The database itself is not sound, and so this backup is not: it would not be restored. Keep the last one that is."
        )?;
    }
    Ok(code(&checked))
}

pub(crate) async fn restore(args: BackupArgs) -> anyhow::Result<ExitCode> {
    let (store, _lock) = open_store(&args.database.into(), ClockOffset::default()).await?;
    let mut findings = Findings::new(false);
    let restored = backup::restore(&args.file, &store, &mut |finding| findings.tell(&finding)).await;
    store.close().await;
    findings.end()?;
    let (Manifest { rows, made_at, .. }, checked) = match restored {
        Err(error @ BackupError::Unsound) => return refused(&error),
        other => other?,
    };
    writeln!(stderr(), "{rows} rows are restored. {}", summary(&checked))?;
    writeln!(stderr(), "{}", aftermath(made_at))?;
    Ok(code(&checked))
}

/// Done when the process is sent TERM or INT.
fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Says why nothing was done to what is not sound.
fn refused(error: &BackupError) -> anyhow::Result<ExitCode> {
    writeln!(stderr(), "keyward-server: {error}")?;
    Ok(ExitCode::from(NOT_SOUND))
}

/// What a restored, older state means for people (docs/OPERATING.md).
fn aftermath(made_at: i64) -> String {
    format!(
        "\
The backup is of {}. Before others reach this server:
- What was taken away since is back (revoked tokens, exclusions, members): take it away again.
- No session is left, so a command that was under way asks anew. Logins of devices that were in the backup count again at once,
  those that were logged out since among them, until they end by themselves.
- Clients that remember a newer state refuse this one with exit 7, as they must: owners and admins run
  `keyward pin --forget`, and `keyward org heartbeat` until the seq is beyond what machines have seen.
OPERATING.md, \"What an older state does\", has all steps.",
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(made_at.unsigned_abs()))
    )
}

/// Prints findings as they are found. A failure to print is reported at the end.
struct Findings {
    out: StdoutLock<'static>,
    json: bool,
    told: anyhow::Result<()>,
}

impl Findings {
    fn new(json: bool) -> Self {
        Self { out: stdout().lock(), json, told: Ok(()) }
    }

    fn tell(&mut self, finding: &Finding) {
        if self.told.is_ok() {
            self.told = self.line(finding);
        }
    }

    fn line(&mut self, finding: &Finding) -> anyhow::Result<()> {
        if self.json {
            writeln!(self.out, "{}", serde_json::to_string(finding)?)?;
        } else {
            // A table of a foreign file may have any name; characters that steer a terminal are replaced.
            let said = format!("{}: {}", finding.at, finding.what).replace(is_unprintable, "\u{fffd}");
            match finding.org {
                Some(org) => writeln!(self.out, "org:{org} {said}")?,
                None => writeln!(self.out, "{said}")?,
            }
        }
        Ok(())
    }

    fn end(self) -> anyhow::Result<()> {
        self.told
    }
}

fn summary(checked: &Checked) -> String {
    let found = match checked.findings {
        0 => "Nothing is wrong".to_owned(),
        1 => "1 thing is wrong".to_owned(),
        many => format!("{many} things are wrong"),
    };
    format!(
        "{found}: {} organisations, {} envelopes, {} audit entries.",
        checked.organisations, checked.envelopes, checked.audit_entries
    )
}

fn code(checked: &Checked) -> ExitCode {
    if checked.findings == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_SOUND) }
}

/// The exit code of a check that found something: the same that the client uses for what is not what was sealed.
const NOT_SOUND: u8 = 6;
