//! `/openapi.json` describes what is answered, with its body.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use keyward_server::ROUTES;
use serde_json::Value;

/// Every status that was seen of a route is described.
pub(crate) fn assert_described(route: &str, seen: &BTreeSet<u16>) {
    let operation = operation(route);
    let described = statuses(operation);
    assert!(seen.is_subset(&described), "{route} answers {seen:?}, described are {described:?}");
}

/// The kinds of change that a write may hold.
pub(crate) fn delta_kinds() -> BTreeSet<String> {
    let kinds = DOCUMENT["components"]["schemas"]["Delta"]["oneOf"].as_array().unwrap();
    kinds.iter().map(|kind| kind["properties"]["do"]["enum"][0].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_route_is_described_with_its_answers_and_bodies() {
    for route in ROUTES {
        let name = format!("{} {}", route.method.as_str(), route.path);
        let operation = operation(&name);
        let statuses = statuses(operation);
        let done = statuses.iter().filter(|status| **status < 300).count();
        assert_eq!(done, 1, "{name} succeeds in {statuses:?}");
        let least: &[u16] = if operation["security"].is_null() { &[400, 500] } else { &[400, 401, 403, 500] };
        assert!(least.iter().all(|status| statuses.contains(status)), "{name} may fail otherwise");
        for (status, answer) in operation["responses"].as_object().unwrap() {
            assert_bodies(&format!("{name} {status}"), status, answer);
        }
        let sends = name.starts_with("POST ") && name != "POST /v1/auth/logout";
        let body = &operation["requestBody"];
        assert_eq!(sends, body["required"] == true, "{name} has a body, or has none");
        if sends {
            assert!(schema(body).is_object(), "{name} says nothing of its body");
        }
        for parameter in route.path.split('{').skip(1) {
            let parameter = parameter.trim_end_matches('}');
            let known = operation["parameters"].as_array().into_iter().flatten();
            assert!(known.clone().any(|known| known["name"] == parameter), "{name}: {parameter}");
        }
    }
}

/// An answer with a body has its schema, an error the one of all errors.
fn assert_bodies(name: &str, status: &str, answer: &Value) {
    assert!(!answer["description"].as_str().unwrap().is_empty(), "{name}");
    if matches!(status, "204" | "304") {
        assert!(answer["content"].is_null(), "{name} has no body");
    } else if status >= "400" && name != "GET /readyz 503" {
        assert_eq!(schema(answer), &DOCUMENT["components"]["schemas"]["ErrorBody"], "{name}");
    } else if name != "GET /openapi.json 200" {
        assert_eq!(schema(answer)["type"], "object", "{name}");
    }
}

/// The schema of a request's or answer's JSON.
fn schema(of: &Value) -> &'static Value {
    let reference = of["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
    DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap()
}

fn statuses(operation: &Value) -> BTreeSet<u16> {
    operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect()
}

fn operation(route: &str) -> &'static Value {
    let (method, path) = route.split_once(' ').unwrap();
    let operation = &DOCUMENT["paths"][path][method.to_lowercase()];
    assert!(operation.is_object(), "{route} is not described");
    operation
}

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(keyward_server::document()).unwrap());
