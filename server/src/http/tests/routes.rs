use axum::body::Body;
use axum::http::{Request, StatusCode};
use keyward_wire::error::{ErrorBody, ErrorCode};

use crate::http::{Guard, ROUTES, document};
use crate::testing::TestServer;

/// A path that fits the route.
pub(super) fn uri(path: &str) -> String {
    match path.split_once('{') {
        Some((before, _)) => format!("{before}482bd7d9-38e0-4568-99be-6ae3a44d48a2"),
        None => path.to_owned(),
    }
}

#[tokio::test]
async fn nobody_comes_in_unknown_unless_the_route_says_so() {
    let server = TestServer::start().await;
    let mut bodies = std::collections::BTreeSet::new();
    for route in ROUTES.iter().filter(|route| route.guard != Guard::Anybody) {
        for authorization in
            ["", "Bearer x", "Bearer kws_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "Basic eDp4"]
        {
            let request = Request::builder().method(route.method.as_str()).uri(uri(route.path));
            let request = request.header("authorization", authorization).body(Body::empty()).unwrap();
            let answer = server.send(request).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", route.path);
            bodies.insert((answer.body, format!("{:?}", answer.headers)));
        }
    }
    assert_eq!(bodies.len(), 1, "a refusal tells what was wrong");
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let document = serde_json::to_value(document()).unwrap();
    let described: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().map(|key| key.to_uppercase());
            methods.map(move |method| format!("{method} {path}")).collect::<Vec<_>>()
        })
        .collect();
    let mut routes: Vec<String> =
        ROUTES.iter().map(|route| format!("{} {}", route.method.as_str(), route.path)).collect();
    routes.sort();
    let mut described = described;
    described.sort();
    assert_eq!(described, routes);
}

#[tokio::test]
async fn every_reference_in_the_description_leads_somewhere() {
    let document = serde_json::to_value(document()).unwrap();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/").skip(1) {
        let pointer = format!("/{}", reference.split('"').next().unwrap());
        assert!(document.pointer(&pointer).is_some(), "{pointer}");
    }
    for scheme in ["session", "proof"] {
        assert!(document["components"]["securitySchemes"][scheme].is_object(), "{scheme}");
    }
}

#[test]
fn operations_have_names_of_their_own_and_parameters_stand_where_they_are_read() {
    let document = serde_json::to_value(document()).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{operation}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let in_path = route.path.contains(&format!("{{{}}}", parameter["name"].as_str().unwrap()));
            assert_eq!(parameter["in"] == "path", in_path, "{parameter}");
        }
    }
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_answered_in_json_without_a_cache() {
    let server = TestServer::start().await;
    for (method, uri, status, code) in [
        ("GET", "/", StatusCode::NOT_FOUND, ErrorCode::NotFound),
        ("GET", "/v1/me/", StatusCode::NOT_FOUND, ErrorCode::NotFound),
        ("PATCH", "/v1/me", StatusCode::METHOD_NOT_ALLOWED, ErrorCode::MethodNotAllowed),
        ("OPTIONS", "/v1/org/write", StatusCode::METHOD_NOT_ALLOWED, ErrorCode::MethodNotAllowed),
    ] {
        let answer =
            server.send(Request::builder().method(method).uri(uri).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{method} {uri}");
        assert_eq!(answer.json::<ErrorBody>().error.code, code);
        assert_eq!(answer.header("cache-control"), "private, no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        if status == StatusCode::METHOD_NOT_ALLOWED {
            assert!(!answer.header("allow").is_empty());
        }
    }
}

#[tokio::test]
async fn a_server_with_its_schema_is_ready() {
    let server = TestServer::start().await;
    for uri in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(server.get("", uri).await.status, StatusCode::OK, "{uri}");
    }
    assert!(server.app.store().prepare_all().await.unwrap() > 80);
    server.app.store().close().await;
    let answer = server.get("", "/readyz").await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "2"));
}

#[tokio::test]
async fn only_json_is_read() {
    let server = TestServer::start().await;
    let request = Request::post("/v1/auth/login").header("content-type", "text/plain");
    let answer = server.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::NotJson);
}
