//! Every route of the server against every kind of caller: the status each gets.

use keyward_server::ROUTES;

#[test]
fn no_route_is_listed_twice() {
    let mut seen = std::collections::BTreeSet::new();
    for route in ROUTES {
        assert!(
            seen.insert((route.method.as_str(), route.path)),
            "{} {} is listed twice",
            route.method.as_str(),
            route.path
        );
    }
}
