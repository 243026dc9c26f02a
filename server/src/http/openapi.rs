//! `/openapi.json`, made from the handlers and the wire types.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::response::Response;
use keyward_wire::error::ErrorBody;
use utoipa::OpenApi as _;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};

use super::{Guard, ROUTES, Route, Verb, answer};

/// The API of this server.
pub fn document() -> OpenApi {
    let mut document = Described::openapi();
    for route in ROUTES {
        if let Some(operation) = operation(&mut document, route) {
            add_what_every_route_shares(operation, route);
        }
    }
    add_schemes(&mut document);
    document
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "server", responses(
    (status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = serde_json::Value),
))]
pub(super) fn read() -> Response {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| answer::encode(&document()));
    answer::bytes(StatusCode::OK, BYTES.clone())
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "keyward server",
        description = "Keeps sealed envelopes and the relations between opaque ids. Times are milliseconds UTC; an absent \
                       time means never; envelopes and hashes are unpadded base64url; ids are lower-case UUIDs."
    ),
    paths(
        super::health::alive,
        super::health::ready,
        read,
        super::signup::create,
        super::auth::prelogin,
        super::auth::login,
        super::auth::logout,
        super::auth::me,
        super::bundle::read,
        super::agents::read,
        super::agents::count,
        super::credentials::list,
        super::credentials::add,
        super::credentials::remove,
        super::org::read,
        super::org::write,
        super::org::secrets,
        super::identities::escrow,
        super::identities::list,
        super::audit::read,
        super::recovery::read,
        super::recovery::recover,
    ),
    components(schemas(ErrorBody))
)]
struct Described;

fn operation<'d>(document: &'d mut OpenApi, route: &Route) -> Option<&'d mut Operation> {
    let item = document.paths.paths.get_mut(route.path)?;
    match route.method {
        Verb::Get => item.get.as_mut(),
        Verb::Post => item.post.as_mut(),
        Verb::Delete => item.delete.as_mut(),
    }
}

/// Adds the refusals and the proofs that come with a route's guard, not with its handler.
fn add_what_every_route_shares(operation: &mut Operation, route: &Route) {
    let body = operation.request_body.is_some();
    let shared: &[(bool, &str, &str)] = &[
        (true, "400", "Not the JSON, query or header that this address takes, or a token's secret is in it"),
        (route.guard != Guard::Anybody, "401", "Unknown, wrong, expired or revoked: not told apart"),
        (route.guard != Guard::Anybody, "403", "This identity may not do that"),
        (true, "408", "The request took too long to arrive"),
        (true, "413", "The body is larger than this address takes"),
        (body, "415", "The body is not application/json"),
        (body, "422", "Understood, but it would break a rule"),
        (true, "500", "A fault of the server"),
        (true, "503", "The server is busy, or its database cannot be reached"),
    ];
    for (applies, status, description) in shared {
        if *applies && !operation.responses.responses.contains_key(*status) {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
            let response =
                ResponseBuilder::new().description(*description).content("application/json", content);
            operation.responses.responses.insert((*status).to_owned(), RefOr::T(response.build()));
        }
    }
    let scheme = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    operation.security = match route.guard {
        Guard::Anybody => None,
        Guard::Known | Guard::Administers | Guard::Recovers => Some(vec![scheme(SESSION)]),
        Guard::KnownOrProof => Some(vec![scheme(SESSION), scheme(PROOF)]),
    };
}

fn add_schemes(document: &mut OpenApi) {
    let session = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("`Authorization: Bearer kws_…`, from `POST /v1/auth/login`, 15 minutes"));
    let proof = ApiKeyValue::with_description(
        "Authorization",
        "`Authorization: Keyward <22 characters of credential id>.<43 characters of auth half>`, for credentials of kind \
         token and device",
    );
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(SESSION, SecurityScheme::Http(session.build()));
    components.add_security_scheme(PROOF, SecurityScheme::ApiKey(ApiKey::Header(proof)));
}

const SESSION: &str = "session";
const PROOF: &str = "proof";
