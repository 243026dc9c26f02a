//! The request log: one line a request, with method, route, status, time and an id. Never the path, the query, a header, a body
//! or an address.

use std::time::Instant;

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use data_encoding::HEXLOWER;

use crate::metrics::Metrics;
use crate::random;

/// The log line of a request under way.
pub(super) struct Line {
    method: Method,
    start: Instant,
}

/// The route's template, for the log.
#[derive(Clone, Copy)]
struct Label(&'static str);

/// Marks an answer as one of this route.
pub(super) fn labelled(route: &'static str, mut response: Response) -> Response {
    response.extensions_mut().insert(Label(route));
    response
}

impl Line {
    pub(super) fn start(request: &Request) -> Self {
        Self { method: request.method().clone(), start: Instant::now() }
    }

    pub(super) fn end(self, response: &Response, metrics: &Metrics) {
        let route = response.extensions().get::<Label>().map_or("-", |label| label.0);
        // A method that a client made up could carry anything.
        let method = common(&self.method);
        let took = self.start.elapsed();
        metrics.answered(method, route, response.status(), took);
        tracing::info!(
            method,
            route,
            status = response.status().as_u16(),
            micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            request = HEXLOWER.encode(&*random::bytes::<8>()),
            "request"
        );
    }
}

fn common(method: &Method) -> &'static str {
    let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    names.into_iter().find(|name| *name == method.as_str()).unwrap_or("OTHER")
}
