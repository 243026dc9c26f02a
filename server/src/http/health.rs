//! Health checks, for whoever watches over the server.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::{Answer, Call, answer};

/// The server's health.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Health {
    /// `ok`, or `not_ready`.
    status: &'static str,
}

/// The process is up.
#[utoipa::path(get, path = "/healthz", operation_id = "alive", tag = "server", responses(
    (status = 200, description = "The process is up", body = Health),
))]
pub(super) fn alive() -> Response {
    answer::ok(&Health { status: "ok" })
}

/// The database answers and has this server's schema.
#[utoipa::path(get, path = "/readyz", operation_id = "ready", tag = "server", responses(
    (status = 200, description = "The database answers and has this server's schema", body = Health),
    (status = 503, description = "It does not", body = Health),
))]
pub(super) async fn ready(call: Call) -> Answer {
    match call.server.app.store().is_ready().await {
        Ok(true) => return Ok(answer::ok(&Health { status: "ok" })),
        Ok(false) => tracing::warn!("the database has another schema"),
        Err(error) => tracing::warn!(cause = error.cause(), "the database does not answer"),
    }
    Ok(answer::json(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "not_ready" }))
}
