//! Requests in, answers out. [`ROUTES`] is the API on one page.

mod agents;
mod answer;
mod audit;
mod auth;
mod bundle;
mod call;
mod credentials;
mod dispatch;
mod error;
mod health;
mod identities;
mod log;
mod openapi;
mod org;
pub(crate) mod origin;
mod recovery;
mod signup;
mod work;

use std::future::{Future, ready};
use std::pin::Pin;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use keyward_wire::limits::{
    COUNTS_BYTES, RECOVERY_BYTES, REQUEST_BYTES, SECRETS_BYTES, SIGNUP_BYTES, WRITE_BYTES,
};

use call::Call;
pub(crate) use dispatch::Peer;
pub use error::Failure;
pub use openapi::document;
use work::Work;

use crate::app::App;
use crate::metrics::Metrics;

/// One address with one method. Unless its guard says otherwise, a route needs an authenticated caller.
pub struct Route {
    /// The method of the request.
    pub method: Verb,
    /// The path, with at most one parameter, as `{id}`, at its end.
    pub path: &'static str,
    /// Who may use the route. What each caller may do there is then decided in [`crate::access`].
    pub guard: Guard,
    /// Largest body, in bytes. If the route needs an authenticated caller, none of the body is read before that.
    pub body_bytes: usize,
    handler: Handler,
}

/// A method of HTTP. HEAD is answered wherever GET is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Verb {
    Get,
    Post,
    Delete,
}

impl Verb {
    /// The method's name in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }

    const fn body_bytes(self) -> usize {
        match self {
            Self::Get | Self::Delete => 0,
            Self::Post => REQUEST_BYTES,
        }
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Everybody.
    Anybody,
    /// Somebody with a session.
    Known,
    /// Somebody with a session, or with a token's or device's proof in the request itself.
    KnownOrProof,
    /// An owner or admin with a session.
    Administers,
    /// Somebody with a session made with a recovery kit.
    Recovers,
}

#[derive(Clone, Copy)]
enum Handler {
    /// Answers a request of anybody.
    Open(fn(Call) -> Answering),
    /// Answers a request of an authenticated caller, with a transaction of its own.
    Known(fn(Call, Work) -> Answering),
    /// The first function may have the answer cached, and then checks the proof itself; otherwise as [`Handler::Known`].
    AtHand(fn(&Call) -> Looking<'_>, fn(Call, Work) -> Answering),
}

type Looking<'c> = Pin<Box<dyn Future<Output = Result<Option<Response>, Failure>> + Send + 'c>>;
type Answer = Result<Response, Failure>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// All routes of the server.
pub const ROUTES: &[Route] = &[
    open(Verb::Get, "/healthz", |_| Box::pin(ready(Ok(health::alive())))),
    open(Verb::Get, "/readyz", |call| Box::pin(health::ready(call))),
    open(Verb::Get, "/openapi.json", |_| Box::pin(ready(Ok(openapi::read())))),
    Route {
        body_bytes: SIGNUP_BYTES,
        ..open(Verb::Post, "/v1/signup", |call| Box::pin(signup::create(call)))
    },
    open(Verb::Get, "/v1/auth/prelogin", |call| Box::pin(auth::prelogin(call))),
    open(Verb::Post, "/v1/auth/login", |call| Box::pin(auth::login(call))),
    known(Verb::Post, "/v1/auth/logout", |call, work| Box::pin(auth::logout(call, work))),
    known(Verb::Get, "/v1/me", |call, work| Box::pin(auth::me(call, work))),
    Route {
        method: Verb::Get,
        path: "/v1/me/bundle",
        guard: Guard::KnownOrProof,
        body_bytes: 0,
        handler: Handler::AtHand(
            |call| Box::pin(bundle::again(call)),
            |call, work| Box::pin(bundle::read(call, work)),
        ),
    },
    known(Verb::Get, "/v1/me/agents", |call, work| Box::pin(agents::read(call, work))),
    Route {
        body_bytes: COUNTS_BYTES,
        ..known(Verb::Post, "/v1/me/agents/requests", |call, work| Box::pin(agents::count(call, work)))
    },
    known(Verb::Get, "/v1/credentials", |call, work| Box::pin(credentials::list(call, work))),
    known(Verb::Post, "/v1/credentials", |call, work| Box::pin(credentials::add(call, work))),
    known(Verb::Delete, "/v1/credentials/{id}", |call, work| Box::pin(credentials::remove(call, work))),
    admin(Verb::Get, "/v1/org", |call, work| Box::pin(org::read(call, work))),
    Route {
        body_bytes: WRITE_BYTES,
        ..admin(Verb::Post, "/v1/org/write", |call, work| Box::pin(org::write(call, work)))
    },
    Route {
        body_bytes: SECRETS_BYTES,
        ..admin(Verb::Post, "/v1/secrets/get", |call, work| Box::pin(org::secrets(call, work)))
    },
    admin(Verb::Get, "/v1/escrows/{identity}", |call, work| Box::pin(identities::escrow(call, work))),
    admin(Verb::Get, "/v1/identities", |call, work| Box::pin(identities::list(call, work))),
    admin(Verb::Get, "/v1/audit", |call, work| Box::pin(audit::read(call, work))),
    kit(Verb::Get, "/v1/recovery", |call, work| Box::pin(recovery::read(call, work))),
    Route {
        body_bytes: RECOVERY_BYTES,
        ..kit(Verb::Post, "/v1/recovery", |call, work| Box::pin(recovery::recover(call, work)))
    },
];

const fn open(method: Verb, path: &'static str, handler: fn(Call) -> Answering) -> Route {
    let body_bytes = method.body_bytes();
    Route { method, path, guard: Guard::Anybody, body_bytes, handler: Handler::Open(handler) }
}

const fn known(method: Verb, path: &'static str, handler: fn(Call, Work) -> Answering) -> Route {
    let body_bytes = method.body_bytes();
    Route { method, path, guard: Guard::Known, body_bytes, handler: Handler::Known(handler) }
}

const fn admin(method: Verb, path: &'static str, handler: fn(Call, Work) -> Answering) -> Route {
    Route { guard: Guard::Administers, ..known(method, path, handler) }
}

const fn kit(method: Verb, path: &'static str, handler: fn(Call, Work) -> Answering) -> Route {
    Route { guard: Guard::Recovers, ..known(method, path, handler) }
}

/// The server as its handlers see it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Server {
    /// Configuration and database.
    pub app: App,
    /// Whether it listens on loopback only.
    pub loopback: bool,
}

/// A router of all of [`ROUTES`], with the same 404 and 405 for everything else.
pub(crate) fn router(server: &Server) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let filter = match route.method {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Delete => MethodFilter::DELETE,
        };
        let server = server.clone();
        let handler = move |request: Request| async move {
            log::labelled(route.path, dispatch::dispatch(server, route, request).await)
        };
        router = router.route(route.path, on(filter, handler));
    }
    let (one, other) = (server.clone(), server.clone());
    router
        .fallback(move |request: Request| dispatch::unknown_address(one.clone(), request))
        .method_not_allowed_fallback(move |request: Request| dispatch::wrong_method(other.clone(), request))
}

/// Answers one request of a connection, logs it and counts it.
pub(crate) async fn answer(mut router: Router, metrics: &Metrics, request: Request) -> Response {
    let logged = log::Line::start(&request);
    let response = tower_service::Service::call(&mut router, request).await;
    let response = answer::finish(response.unwrap_or_else(|never| match never {}));
    logged.end(&response, metrics);
    response
}

#[cfg(test)]
mod tests;
