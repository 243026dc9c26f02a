//! What the parts of the server's job cost without the server: bare axum routes over sqlx, for comparison.
//!
//! ```text
//! keyward-bench-reference sqlite:FILE | postgres://…     serves, and prints its address when it is ready
//! ```
//! `/hello`: two bytes. `/read50`: 50 rows, read without authentication or audit, as the JSON of a bundle's secrets.
//! `/each50`: the same in a transaction of its own with a row in a log and its head, durable before the answer.

use std::convert::Infallible;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keyward_wire::api::bundle::SecretItem;
use keyward_wire::{Envelope, KeyId};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::net::TcpListener;
use tower_service::Service as _;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.context("no runtime").and_then(|runtime| runtime.block_on(run()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(std::io::stderr(), "keyward-bench-reference: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let place = std::env::args().nth(1).unwrap_or_default();
    let router = if let Some(file) = place.strip_prefix("sqlite:") {
        sqlite(file).await?
    } else if place.starts_with("postgres://") {
        postgres(&place).await?
    } else {
        bail!("usage: see the top of bench/src/bin/reference.rs");
    };
    let router = router.route("/hello", on(MethodFilter::GET, async || "ok"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let router = router.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let mut router = router.clone();
                async move {
                    Ok::<_, Infallible>(
                        router.call(request.map(Body::new)).await.unwrap_or_else(|no| match no {}),
                    )
                }
            });
            // A client that goes away ends its connection only.
            _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The routes of an engine: `$readers` read, `$begin` begins a transaction that writes, `$head` locks the log's head.
macro_rules! routes {
    ($readers:expr, $begin:expr, $head:expr) => {{
        let (readers, begin) = ($readers, $begin);
        let read = move || {
            let readers = readers.clone();
            async move { answer(sqlx::query_as(READ).bind(1_i64).fetch_all(&readers).await) }
        };
        let each = move || {
            let begun = begin();
            let done = async move {
                let mut tx = begun.await?;
                let (seq,): (i64,) = sqlx::query_as($head).fetch_one(&mut *tx).await?;
                let rows = sqlx::query_as(READ).bind(1_i64).fetch_all(&mut *tx).await?;
                sqlx::query(LOG).bind(seq + 1).bind(ENTRY).execute(&mut *tx).await?;
                sqlx::query(MOVE).bind(seq + 1).execute(&mut *tx).await?;
                tx.commit().await?;
                Ok(rows)
            };
            async move { answer(done.await) }
        };
        Router::new()
            .route("/read50", on(MethodFilter::GET, read))
            .route("/each50", on(MethodFilter::GET, each))
    }};
}

/// Fills an empty database: its tables, then 50 rows.
macro_rules! fill {
    ($pool:expr, $integer:literal, $blob:literal) => {
        for statement in [
            concat!(
                "create table items (owner ",
                $integer,
                " not null, key ",
                $blob,
                " not null, env ",
                $blob,
                " not null)"
            ),
            "create index items_of_owner on items (owner)",
            concat!("create table log (seq ", $integer, " not null primary key, entry text not null)"),
            concat!(
                "create table head (id ",
                $integer,
                " not null primary key, seq ",
                $integer,
                " not null)"
            ),
            "insert into head (id, seq) values (1, 0)",
        ] {
            sqlx::query(statement).execute($pool).await?;
        }
        for item in items() {
            let insert = sqlx::query("insert into items (owner, key, env) values (1, $1, $2)");
            insert
                .bind(item.key.as_bytes().to_vec())
                .bind(item.env.as_bytes().to_vec())
                .execute($pool)
                .await?;
        }
    };
}

/// Four connections that read and one that writes: SQLite has one writer.
async fn sqlite(file: &str) -> Result<Router> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let writer: SqlitePool =
        SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    fill!(&writer, "integer", "blob");
    let readers: SqlitePool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
    let begin = move || {
        let writer = writer.clone();
        async move { writer.begin_with("begin immediate").await }
    };
    Ok(routes!(readers, begin, "select seq from head where id = 1"))
}

async fn postgres(url: &str) -> Result<Router> {
    let pool: PgPool = PgPoolOptions::new().max_connections(16).connect(url).await?;
    fill!(&pool, "bigint", "bytea");
    let writer = pool.clone();
    let begin = move || {
        let writer = writer.clone();
        async move { writer.begin().await }
    };
    Ok(routes!(pool, begin, "select seq from head where id = 1 for update"))
}

/// Key and envelope.
type Row = (Vec<u8>, Vec<u8>);

/// 50 sealed values of the size that a short one has.
fn items() -> Vec<SecretItem> {
    let item = |number: u8| {
        let mut bytes = vec![number; ENVELOPE_BYTES];
        bytes[..8].copy_from_slice(b"KWE1\x26\x01\0\0");
        let env = Envelope::from_bytes(bytes).expect("the form of an envelope");
        SecretItem { key: KeyId::from_bytes([number; 16]), version: 1, reseal: 0, env }
    };
    (0..50).map(item).collect()
}

fn answer(rows: Result<Vec<Row>, sqlx::Error>) -> Response {
    let Ok(rows) = rows else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let item = |(key, env): Row| {
        let key = KeyId::from_bytes(key.try_into().ok()?);
        Some(SecretItem { key, version: 1, reseal: 0, env: Envelope::from_bytes(env).ok()? })
    };
    let secrets: Vec<SecretItem> = rows.into_iter().filter_map(item).collect();
    let body = serde_json::to_vec(&secrets).expect("wire types are JSON");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

const READ: &str = "select key, env from items where owner = $1";
const LOG: &str = "insert into log (seq, entry) values ($1, $2)";
const MOVE: &str = "update head set seq = $1 where id = 1";

/// A text as long as an entry of the audit chain.
const ENTRY: &str = "{\"seq\":1234567,\"time\":1764150000000,\"actor\":\"482bd7d9-38e0-4568-99be-6ae3a44d48a2\",\"action\":\
    \"bundle.read\",\"objects\":[\"view:482bd7d9-38e0-4568-99be-6ae3a44d48a2@12\"],\"ip\":\"127.0.0.1\"}";

/// Length of the envelope of a short value, in bytes.
const ENVELOPE_BYTES: usize = 600;
