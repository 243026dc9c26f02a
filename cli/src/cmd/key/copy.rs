//! `keyward key copy`: a value to the clipboard, and away from it again.

use std::time::Duration;

use clap::Args;
use keyward_wire::name::Name;
use zeroize::Zeroizing;

use super::reader::value_of;
use crate::clipboard::Clipboard;
use crate::ctx::{Ctx, parse_span};
use crate::fault::{Code, Fault};
use crate::signals::stop::Stops;
use crate::vault::freshness::Freshness;

/// Put the value of a key into the clipboard, for 45 seconds
///
/// Uses wl-copy, xclip, xsel, pbcopy or clip.exe, whichever is there; else, or if it fails, asks the terminal (OSC 52), over ssh too. Waits,
/// and clears the clipboard if it still holds the value; Ctrl-C clears it at once. A terminal does not tell what its
/// clipboard holds: it is asked to clear it in any case. clip.exe does not tell either, and clears nothing. Programs that
/// keep a history of the clipboard may keep the value.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  keyward key copy DATABASE_URL\n  keyward key copy DATABASE_URL --clear-after 10s"
)]
pub struct Options {
    /// Name or id of the key
    #[arg(value_name = "NAME")]
    key: String,
    /// How long it stays there: a span such as 45s, or never: then the command ends at once
    #[arg(long, value_name = "SPAN|never", default_value = "45s", value_parser = clear_after)]
    clear_after: ClearAfter,
    #[command(flatten)]
    freshness: Freshness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClearAfter {
    Never,
    Millis(u64),
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let (name, secret) = value_of(ctx, &self.key, &self.freshness).await?;
        if std::str::from_utf8(&secret.value).is_err() || secret.value.contains(&0) {
            return Err(Fault::new(Code::Policy, format!("the value of {name} is no text"))
                .next("write it to a file: keyward key get NAME > FILE")
                .into());
        }
        // Before anything is there to be cleared.
        let mut stops = Stops::new()?;
        let clipboard = match Clipboard::put(&ctx.env, &secret.value) {
            Ok(Some(clipboard)) => clipboard,
            // Perhaps a desktop that is not there any more, or another's: the terminal is where somebody is.
            other => {
                let failed = other.err();
                return by_terminal(ctx, &name, &secret.value, self.clear_after, &mut stops, failed).await;
            }
        };
        let done = |text: &str, cleared: bool| {
            ctx.out.say(text);
            if ctx.out.json {
                let facts = serde_json::json!({ "name": name, "by": clipboard.name(), "cleared": cleared });
                return ctx.out.json(&facts);
            }
            Ok(())
        };
        let by = clipboard.name();
        match self.clear_after {
            ClearAfter::Millis(millis) if clipboard.answers() => {
                let span = Duration::from_millis(millis);
                let shown = humantime::format_duration(span);
                ctx.out.say(&format!(
                    "{name} is in the clipboard for {shown} (by {by}); Ctrl-C clears it at once"
                ));
                // Either is the end of the wait.
                let _ = tokio::time::timeout(span, stops.next()).await;
                match clipboard.clear(&secret.value) {
                    Ok(true) => done("the clipboard is cleared", true),
                    Ok(false) => done("the clipboard holds something else by now; it was left alone", false),
                    Err(error) => {
                        Err(Fault::new(Code::Unexpected, format!("the clipboard is NOT cleared: {error}"))
                            .next("copy something else over the value")
                            .into())
                    }
                }
            }
            ClearAfter::Millis(_) => done(
                &format!(
                    "{name} is in the clipboard (by {by}), which cannot be read back, so it is not cleared: copy \
                          something else when you are done"
                ),
                false,
            ),
            ClearAfter::Never => {
                done(&format!("{name} is in the clipboard (by {by}), and stays there"), false)
            }
        }
    }
}

/// Asks the terminal. It does not answer, so it cannot be told whether it still holds the value, nor whether it did as asked.
async fn by_terminal(
    ctx: &Ctx,
    name: &Name,
    value: &[u8],
    clear_after: ClearAfter,
    stops: &mut Stops,
    failed: Option<std::io::Error>,
) -> anyhow::Result<()> {
    let text = Zeroizing::new(data_encoding::BASE64.encode(value));
    let sequence = Zeroizing::new(format!("\u{1b}]52;c;{}\u{7}", *text));
    if !ctx.out.control(sequence.as_bytes()) {
        return Err(match failed {
            Some(error) => Fault::new(Code::Unexpected, format!("the clipboard cannot be used: {error}"))
                .next("set DISPLAY or WAYLAND_DISPLAY to the desktop in use, or run this on a terminal; or use: keyward key get"),
            None => Fault::new(Code::Missing, "there is no clipboard")
                .next("install wl-clipboard, xclip or xsel, or run this on a terminal; or use: keyward key get"),
        }
        .into());
    }
    if let Some(error) = failed {
        ctx.out.warn(&format!("{error}; the terminal is asked instead"));
    }
    let asked =
        format!("the terminal was asked to put {name} into its clipboard (OSC 52); not every one does");
    let cleared = match clear_after {
        ClearAfter::Millis(millis) => {
            let span = Duration::from_millis(millis);
            let shown = humantime::format_duration(span);
            ctx.out.note(&format!("{asked}. In {shown} it is asked to clear it; Ctrl-C does so at once"));
            // Either is the end of the wait.
            let _ = tokio::time::timeout(span, stops.next()).await;
            if !ctx.out.control(CLEAR) {
                return Err(Fault::new(
                    Code::Unexpected,
                    "the clipboard is NOT cleared: the terminal is gone",
                )
                .next("copy something else over the value")
                .into());
            }
            ctx.out.note("the terminal was asked to clear its clipboard");
            None
        }
        ClearAfter::Never => {
            ctx.out.note(&format!("{asked}. It stays there"));
            Some(false)
        }
    };
    if ctx.out.json {
        ctx.out.json(&serde_json::json!({ "name": name, "by": "terminal", "cleared": cleared }))?;
    }
    Ok(())
}

fn clear_after(text: &str) -> Result<ClearAfter, String> {
    if text == "never" {
        return Ok(ClearAfter::Never);
    }
    parse_span(text).map(|millis| ClearAfter::Millis(millis.unsigned_abs()))
}

/// A blank in the value's place, and then nothing: tmux does not take an empty text, and keeps the blank.
const CLEAR: &[u8] = b"\x1b]52;c;IA==\x07\x1b]52;c;\x07";
