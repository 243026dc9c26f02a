//! Numbers for Prometheus, on a listener of their own. Labels are closed lists: never an id, an address or a name.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::store::Store;

/// Everything that is counted. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    store: Store,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    refused: Family<RefusalLabels, Counter>,
    connections: Gauge,
    database_connections: Family<StateLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

/// Why a proof was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The proof is wrong, or of something that is not known or has ended.
    Proof,
    /// Too many proofs from this network were refused.
    Network,
    /// Too many proofs of this credential were refused that came from networks that its holder never used.
    Stranger,
}

impl Metrics {
    /// Metrics with nothing counted yet.
    pub(crate) fn new(store: &Store) -> Self {
        let mut registry = Registry::with_prefix("keyward");
        let requests = Family::default();
        let durations = Family::new_with_constructor(seconds as fn() -> Histogram);
        let (refused, connections, database_connections) =
            (Family::default(), Gauge::default(), Family::<StateLabels, Gauge>::default());
        registry.register(
            "build",
            "This program",
            Info::new([("version", env!("CARGO_PKG_VERSION")), ("engine", store.engine_name())]),
        );
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From the head of a request to its answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register("sign_ins_refused", "Proofs that were not taken", refused.clone());
        registry.register("connections", "Connections of clients at this moment", connections.clone());
        registry.register(
            "database_connections",
            "Connections to the database at this moment",
            database_connections.clone(),
        );
        let audited = store.audited();
        registry.register("audit_entries", "Entries made durable", audited.entries.clone());
        registry.register(
            "audit_entries_per_commit",
            "How many entries one commit makes durable",
            audited.per_commit.clone(),
        );
        let store = store.clone();
        Self(Arc::new(Inner {
            registry,
            store,
            requests,
            durations,
            refused,
            connections,
            database_connections,
        }))
    }

    /// Counts an answered request. `route` is the route's template.
    pub(crate) fn answered(
        &self,
        method: &'static str,
        route: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        let status = status.as_u16();
        self.0.requests.get_or_create(&RequestLabels { method, route, status }).inc();
        self.0.durations.get_or_create(&RouteLabels { method, route }).observe(took.as_secs_f64());
    }

    /// Counts a proof that was refused.
    pub(crate) fn refused(&self, why: Refused) {
        let reason = match why {
            Refused::Proof => "proof",
            Refused::Network => "network",
            Refused::Stranger => "stranger",
        };
        self.0.refused.get_or_create(&RefusalLabels { reason }).inc();
    }

    /// Counts a connection, for as long as the returned value is held.
    pub(crate) fn connected(&self) -> Connected {
        self.0.connections.inc();
        Connected(self.0.connections.clone())
    }

    /// The metrics in the text format of OpenMetrics, which Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let (open, idle) = self.0.store.connections();
        for (state, count) in [("open", open), ("idle", idle)] {
            self.0.database_connections.get_or_create(&StateLabels { state }).set(i64::from(count));
        }
        let mut text = String::new();
        encode(&mut text, &self.0.registry).expect("a string takes any text");
        text
    }
}

/// A connection that is counted.
pub(crate) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// `GET /metrics` and nothing else, for ever.
pub(crate) async fn serve(listener: TcpListener, metrics: Metrics) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // A connection for which there is no room is closed: a scraper comes again.
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let metrics = metrics.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let answer = answer(&metrics, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            if connection.await.is_err() {
                tracing::debug!("a connection for metrics ended early");
            }
            drop(permit);
        });
    }
}

fn answer(metrics: &Metrics, request: &hyper::Request<Incoming>) -> Response {
    let (status, body) = match (request.uri().path(), request.method()) {
        ("/metrics", &Method::GET) => (StatusCode::OK, metrics.text()),
        ("/metrics", _) => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        _ => (StatusCode::NOT_FOUND, String::new()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

/// A histogram of durations: from 1 ms, doubled up to 16 s.
fn seconds() -> Histogram {
    Histogram::new((0..15).map(|n| 0.001 * f64::from(1 << n)))
}

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The most connections at once.
const CONNECTIONS: usize = 16;
