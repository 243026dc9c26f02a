//! Reads the command line, starts the log, and serves.

mod operator;

use std::io::{Write as _, stderr, stdout};
use std::process::ExitCode;

use anyhow::Context as _;
use keyward_server::config::{Cli, Command, Config, DatabaseArgs, LogFormat, ServeArgs};
use keyward_server::store::{ClockOffset, DRIVER_LOG_TARGET};
use keyward_server::{App, document, open_store, serve, serve_metrics};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::read();
    let done = match cli.command {
        None => run(cli.serve).await,
        Some(Command::Serve(args)) => run(*args).await,
        Some(Command::Migrate(args)) => migrate(args).await,
        Some(Command::Check(args)) => return ended(operator::check(args).await),
        Some(Command::Backup(args)) => return ended(operator::backup(args).await),
        Some(Command::Restore(args)) => return ended(operator::restore(args).await),
        Some(Command::Openapi) => openapi(),
    };
    ended(done.map(|()| ExitCode::SUCCESS))
}

fn ended(done: anyhow::Result<ExitCode>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(error) => {
            // A closed stderr is no reason to fail in another way.
            let _ = writeln!(stderr(), "keyward-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: ServeArgs) -> anyhow::Result<()> {
    start_log(args.log_format, args.log);
    let config = Config::from(args);
    if let Some(warning) = config.warning() {
        tracing::warn!("{warning}");
    }
    let app = App::open(&config, ClockOffset::default()).await?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    if let Some(address) = config.metrics_listen {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        tracing::info!(address = %listener.local_addr()?, "metrics");
        serve_metrics(listener, &app);
    }
    if let Some(code) = app.setup_code().text() {
        let file = config.data.join("setup-code");
        writeln!(stderr(), "Setup code for the first sign-up: {}\n(also in {})", *code, file.display())?;
    }
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Also without a certificate: the signal must not end a server that was only asked to reload.
    let mut reload = signal(SignalKind::hangup())?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    writeln!(stdout(), "keyward-server listening on {scheme}://{}", listener.local_addr()?)?;
    let (reloads, served) = (app.clone(), app);
    let shutdown = async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                Some(()) = reload.recv() => reloads.reload_tls(),
            }
        }
        tracing::info!("shutting down");
    };
    Ok(serve(listener, served, shutdown).await?)
}

async fn migrate(args: DatabaseArgs) -> anyhow::Result<()> {
    let (store, _lock) = open_store(&args.into(), ClockOffset::default()).await?;
    store.close().await;
    writeln!(stderr(), "The database is up to date.")?;
    Ok(())
}

fn openapi() -> anyhow::Result<()> {
    writeln!(stdout(), "{}", document().to_pretty_json()?)?;
    Ok(())
}

fn start_log(format: LogFormat, level: LevelFilter) {
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(stderr).with_target(false);
    match format {
        LogFormat::Text => log.with_ansi(false).finish().with(filter(level)).init(),
        LogFormat::Json => log.json().flatten_event(true).finish().with(filter(level)).init(),
    }
}

/// The log filter. The database driver's own messages are left out: they quote the database, which may quote data. The server
/// logs its own word on each failure.
fn filter(level: LevelFilter) -> Targets {
    Targets::new().with_default(level).with_target(DRIVER_LOG_TARGET, LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn the_database_s_own_words_stay_out_of_the_log() {
        let filter = filter(LevelFilter::TRACE);
        assert!(filter.would_enable("keyward_server::http::log", &Level::TRACE));
        for rest in ["::query", "_core::pool", "_postgres::connection", "_sqlite"] {
            let target = format!("{DRIVER_LOG_TARGET}{rest}");
            assert!(!filter.would_enable(&target, &Level::ERROR), "{target}");
        }
    }
}
