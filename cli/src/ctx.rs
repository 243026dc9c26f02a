//! What every command is given: its options, keyward's settings in the environment (read once), and where output goes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;

use crate::out::Out;

/// Options of every command.
#[derive(Args, Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Global {
    /// Write data as JSON (snake_case, times in RFC 3339; docs/JSON.md lists the fields)
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Address of the server, such as https://keyward.example [env: KEYWARD_URL]
    #[arg(long, global = true, help_heading = "Global options")]
    pub url: Option<String>,
    /// Folder of the configuration and memory of this client [env: KEYWARD_HOME] [default: ~/.keyward]
    #[arg(long, global = true, help_heading = "Global options")]
    pub home: Option<PathBuf>,
    /// Trust only the certificate authorities in this PEM file [env: KEYWARD_CA_FILE]
    #[arg(long, global = true, help_heading = "Global options")]
    pub ca: Option<PathBuf>,
    /// Allow http:// to a server beyond this machine
    #[arg(long, global = true, help_heading = "Global options")]
    pub allow_http: bool,
    /// Say nothing but warnings and errors
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// No colours
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
}

/// The environment variables that keyward reads. Empty ones are as good as none.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a variable that is there or not")]
pub struct Env {
    /// `KEYWARD_URL`; one that is not UTF-8 is no address, and refused as such.
    pub url: Option<String>,
    /// `KEYWARD_HOME`.
    pub keyward_home: Option<PathBuf>,
    /// `KEYWARD_CA_FILE`.
    pub ca: Option<PathBuf>,
    /// `KEYWARD_TOKEN`.
    pub token: Option<zeroize::Zeroizing<String>>,
    /// `KEYWARD_TOKEN_FILE`.
    pub token_file: Option<PathBuf>,
    /// `KEYWARD_MIN_SEQ`, as it is written.
    pub min_seq: Option<OsString>,
    /// `KEYWARD_MIN_EPOCH`, as it is written.
    pub min_epoch: Option<OsString>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `NO_COLOR`, set to anything.
    pub no_color: bool,
    /// `GITHUB_ACTIONS` is `true`: GitHub's runner reads what is printed.
    pub github_actions: bool,
    /// `WAYLAND_DISPLAY`, set to anything: there is a Wayland clipboard.
    pub wayland: bool,
    /// `DISPLAY`, set to anything: there is an X11 clipboard.
    pub x11: bool,
    /// `KEYWARD_TOKEN` is set to something that is not UTF-8.
    pub token_unreadable: bool,
}

/// The world of one command.
pub struct Ctx {
    /// Options of every command.
    pub global: Global,
    /// The environment.
    pub env: Env,
    /// Where output goes.
    pub out: Out,
    /// Nobody is told anything: what is remembered only once it was told of is not remembered.
    pub is_unheard: bool,
}

impl Env {
    /// Reads keyward's settings from the process's environment: the one place that does.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn read() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = |value: OsString| value.into_string().ok();
        let token = set("KEYWARD_TOKEN");
        Self {
            url: set("KEYWARD_URL").map(|url| url.to_string_lossy().into_owned()),
            keyward_home: set("KEYWARD_HOME").map(PathBuf::from),
            ca: set("KEYWARD_CA_FILE").map(PathBuf::from),
            token_unreadable: token.as_ref().is_some_and(|token| token.to_str().is_none()),
            token: token.and_then(text).map(zeroize::Zeroizing::new),
            token_file: set("KEYWARD_TOKEN_FILE").map(PathBuf::from),
            min_seq: set("KEYWARD_MIN_SEQ"),
            min_epoch: set("KEYWARD_MIN_EPOCH"),
            home: set("HOME").map(PathBuf::from),
            no_color: set("NO_COLOR").is_some() || set("TERM").is_some_and(|term| term == "dumb"),
            github_actions: set("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            wayland: set("WAYLAND_DISPLAY").is_some(),
            x11: set("DISPLAY").is_some(),
        }
    }
}

impl Env {
    /// The variable that says as whom to sign in, in the place of the stored login.
    pub fn token_variable(&self) -> Option<&'static str> {
        if self.token_file.is_some() {
            Some("KEYWARD_TOKEN_FILE")
        } else {
            (self.token.is_some() || self.token_unreadable).then_some("KEYWARD_TOKEN")
        }
    }
}

impl Ctx {
    /// The world of a command with these options; where they are silent, the environment speaks.
    pub fn new(mut global: Global, mut env: Env) -> Self {
        global.url = global.url.or(env.url.take());
        global.home = global.home.or(env.keyward_home.take());
        global.ca = global.ca.or(env.ca.take());
        let out = Out { json: global.json, quiet: global.quiet, no_color: global.no_color || env.no_color };
        Self { global, env, out, is_unheard: false }
    }

    /// Milliseconds UTC, by this machine's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Milliseconds UTC as RFC 3339, `2026-01-31T12:00:00Z`.
pub fn rfc3339(millis: i64) -> String {
    let since = std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    match SystemTime::UNIX_EPOCH.checked_add(since) {
        // humantime ends at the year 9999.
        Some(time) if millis < 253_402_300_800_000 => humantime::format_rfc3339_seconds(time).to_string(),
        _ => "9999-12-31T23:59:59Z".to_owned(),
    }
}

/// A span such as `12h` or `90d`, in milliseconds.
///
/// # Errors
/// A text for the user, if it is not such a span.
pub fn parse_span(text: &str) -> Result<i64, String> {
    let span = humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 12h or 90d"))?;
    let millis = i64::try_from(span.as_millis()).ok().filter(|millis| *millis <= LONGEST_SPAN);
    let millis = millis.ok_or("longer than a thousand years")?;
    if millis == 0 { Err("must be longer than nothing".to_owned()) } else { Ok(millis) }
}

/// What is sealed has no time that is not exact in every reader (CRYPTO.md §2.3).
const LONGEST_SPAN: i64 = 1001 * 365 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_and_never_panic() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_770_000_000_000), "2026-02-02T02:40:00Z");
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59Z");
        assert_eq!(rfc3339(i64::MIN), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn spans_are_positive() {
        assert_eq!(parse_span("90d"), Ok(90 * 86_400_000));
        assert!(parse_span("0s").is_err() && parse_span("soon").is_err());
        assert!(
            parse_span("1000y").is_ok() && parse_span("1002y").is_err() && parse_span("300000y").is_err()
        );
    }
}
