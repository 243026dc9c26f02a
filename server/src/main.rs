//! Reads the command line, starts the log, and serves.

use std::io::{Write as _, stderr, stdout};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use keyward_server::config::{Cli, Command, Config, DatabaseArgs, LogFormat, ServeArgs};
use keyward_server::store::ClockOffset;
use keyward_server::{App, document, open_store, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => run(cli.serve).await,
        Some(Command::Serve(args)) => run(*args).await,
        Some(Command::Migrate(args)) => migrate(args).await,
        Some(Command::Openapi) => openapi(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
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
    if let Some(code) = app.setup_code().text() {
        let file = config.data.join("setup-code");
        writeln!(stderr(), "Setup code for the first sign-up: {}\n(also in {})", *code, file.display())?;
    }
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    writeln!(stdout(), "keyward-server listening on {scheme}://{}", listener.local_addr()?)?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down");
    };
    Ok(serve(listener, app, shutdown).await?)
}

async fn migrate(args: DatabaseArgs) -> anyhow::Result<()> {
    let store = open_store(&args.into(), ClockOffset::default()).await?;
    store.close().await;
    writeln!(stderr(), "The database is up to date.")?;
    Ok(())
}

fn openapi() -> anyhow::Result<()> {
    writeln!(stdout(), "{}", document().to_pretty_json()?)?;
    Ok(())
}

fn start_log(format: LogFormat, level: tracing_subscriber::filter::LevelFilter) {
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(stderr).with_target(false);
    match format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
