//! The server: its address, whether it is there, its clock, its certificate, its version.

use std::time::{Duration, SystemTime};

use super::check::Check;
use crate::api::ApiError;
use crate::api::probe::{Probe, Trust, probe};
use crate::ctx::{Ctx, rfc3339};
use crate::fault::{Code, Fault, printable, typed};
use crate::session::config::Login;
use crate::session::credential::Server;

/// Clocks that differ by more than this, in seconds, will be noticed.
const SKEW_WARN: u64 = 30;

/// Clocks that differ by more than this, in seconds, are an error: a credential that has ended by one clock may not have ended by
/// the other.
const SKEW_FAIL: u64 = 300;

/// A certificate that ends in less than this, in days, is worth a word.
const DAYS_WARN: u64 = 21;

/// What was found, and whether a server is there to ask. One that nobody named need not be.
pub(super) async fn look(ctx: &Ctx, login: Option<&Login>, is_named: bool) -> (Vec<Check>, bool) {
    let server = match login {
        Some(login) => Server::of_login(ctx, login),
        None => Server::of_options(ctx),
    };
    let (found, is_there) = match probe(&server).await {
        Err(error) => (vec![Check::of_error("server", &error)], false),
        Ok(Err(error)) => (unreachable(&server, error, is_named), false),
        Ok(Ok(seen)) => {
            let is_there = seen.status == 200;
            (describe(ctx, &server, &seen), is_there)
        }
    };
    (instead(&server).into_iter().chain(found).collect(), is_there)
}

/// Whether another server is asked than the one that the login is for.
fn instead(server: &Server) -> Option<Check> {
    let own = server.instead_of.as_ref()?;
    let found = format!("{} is named, and the login is for {}", typed(&server.url, 100), typed(own, 100));
    Some(Check::warn("server", found, "leave --url or KEYWARD_URL out, or sign in there: keyward login"))
}

fn unreachable(server: &Server, error: ApiError, is_named: bool) -> Vec<Check> {
    if let ApiError::Network { untrusted: true, next, .. } = &error {
        let usual = "if the server has a private certificate authority, name its file with --ca; look at this machine's clock, too";
        return vec![Check::fail("TLS", Code::Network, error.to_string(), next.unwrap_or(usual))];
    }
    if !is_named {
        let found = format!("none is named, and there is none at {}", printable(&server.url, 100));
        return vec![Check::warn("server", found, "keyward quickstart, or name one: --url, KEYWARD_URL")];
    }
    vec![Check::of_error("server", &anyhow::Error::from(Fault::from(error)))]
}

fn describe(ctx: &Ctx, server: &Server, seen: &Probe) -> Vec<Check> {
    let host = &seen.host;
    let mut checks = vec![match seen.status {
        200 => Check::ok("server", format!("{host} answers in {} ms", seen.took.as_millis())),
        503 => Check::fail(
            "server",
            Code::Network,
            format!("{host} is there, but its database is not"),
            "ask its operator; its log says more",
        ),
        status => Check::fail(
            "server",
            Code::Network,
            format!("{host} answers {status} where a keyward server answers 200"),
            "check the address: --url, KEYWARD_URL",
        ),
    }];
    checks.push(version(seen.version.as_deref()));
    checks.push(tls(ctx, server, seen));
    checks.push(clock(ctx, seen.clock));
    checks
}

fn version(version: Option<&str>) -> Check {
    let own = env!("CARGO_PKG_VERSION");
    let Some(version) = version.map(|version| printable(version, 40)) else {
        return Check::warn(
            "version",
            "it does not say that it is a keyward server",
            "check the address: --url, KEYWARD_URL",
        );
    };
    // Before 1.0, the second number promises what the first one does later.
    let promise = |version: &str| version.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    if promise(&version) == promise(own) {
        Check::ok("version", format!("the server is keyward {version}"))
    } else {
        Check::warn(
            "version",
            format!("the server is keyward {version}, this client {own}"),
            "update the older of both",
        )
    }
}

fn tls(ctx: &Ctx, server: &Server, seen: &Probe) -> Check {
    let Some(chain) = seen.chain else {
        return if server.allow_http && !is_loopback(&seen.host) {
            Check::warn("TLS", "none: credentials go over the network in the clear", "use https://")
        } else {
            Check::ok("TLS", "none, which is fine on this machine itself")
        };
    };
    let by = match (chain.trust, &server.ca_file) {
        (Trust::File, Some(path)) => format!("{}, and nothing else", path.display()),
        (Trust::File, None) | (Trust::BuiltIn, _) => "the built-in roots".to_owned(),
        (Trust::System, _) => "the system's store".to_owned(),
    };
    let Some(end) = chain.not_after_secs else { return Check::ok("TLS", format!("trusted by {by}")) };
    let end_millis = i64::try_from(end.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let found = format!("trusted by {by}, until {}", rfc3339(end_millis));
    let days = (end_millis - ctx.now()) / 86_400_000;
    if days < i64::try_from(DAYS_WARN).unwrap_or(0) {
        Check::warn(
            "TLS",
            format!("{found}: {days} days"),
            "tell the server's operator to renew its certificate",
        )
    } else {
        Check::ok("TLS", found)
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn clock(ctx: &Ctx, server: Option<SystemTime>) -> Check {
    let Some(server) = server else { return Check::skipped("clock", "the server does not tell the time") };
    let own = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(ctx.now()).unwrap_or(0));
    let (seconds, way) = match own.duration_since(server) {
        Ok(ahead) => (ahead.as_secs(), "ahead of"),
        Err(behind) => (behind.duration().as_secs(), "behind"),
    };
    let found = format!("this machine's is {seconds} s {way} the server's");
    let next = "set the clock that is wrong; one of the machines should follow a time server";
    match seconds {
        // The server tells whole seconds, and some time passes on the way.
        0..=2 => Check::ok("clock", "as the server's"),
        3..=SKEW_WARN => Check::ok("clock", found),
        31..=SKEW_FAIL => Check::warn("clock", found, next),
        _ => Check::fail("clock", Code::Stale, found, next),
    }
}
