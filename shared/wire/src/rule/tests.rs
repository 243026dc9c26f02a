//! Rules as a whole: what is stored is what is read, and nothing else is.

use proptest::prelude::*;

use super::*;

const WHOLE: &str = concat!(
    r#"{"v":1,"hosts":["api.github.com","*.example.com:8443"],"methods":["GET","PROPFIND"],"#,
    r#""paths":["/v1/*","/x"],"into":[{"kind":"header","name":"x-api-key","template":"{v}"},"#,
    r#"{"kind":"query","name":"app","template":"{app}"}],"approval":"writes","account":"work","#,
    r#""limits":{"per_minute":60}}"#
);

const LEAST: &str = concat!(
    r#"{"v":1,"hosts":["api.github.com"],"#,
    r#""into":[{"kind":"header","name":"authorization","template":"Bearer {v}"}],"approval":"never"}"#
);

fn read(json: &str) -> Result<Rule, RuleError> {
    Rule::from_json(json.as_bytes())
}

fn fits(rule: &Rule, to: &str, method: &str, path: &str) -> bool {
    rule.fits(&Authority::parse(to, 443).unwrap(), method, RequestPath::new(path.as_bytes()).unwrap())
}

#[test]
fn a_rule_is_read_as_it_is_written() {
    for json in [WHOLE, LEAST] {
        let rule = read(json).unwrap();
        assert_eq!(rule.to_json(), json);
        assert_eq!(serde_json::from_str::<Rule>(json).unwrap(), rule);
        assert_eq!(Rule::new(rule.clone().into_terms()).unwrap(), rule);
    }
    let fields: Vec<String> = read(WHOLE).unwrap().fields().iter().map(ToString::to_string).collect();
    assert_eq!(fields, ["app"]);
}

#[test]
fn all_of_a_rule_must_fit() {
    let rule = read(WHOLE).unwrap();
    assert!(fits(&rule, "api.github.com", "GET", "/v1/models"));
    assert!(fits(&rule, "a.example.com:8443", "PROPFIND", "/x"));
    for (to, method, path) in [
        ("api.github.com:8443", "GET", "/x"),
        ("a.example.com", "GET", "/x"),
        ("x.test", "GET", "/x"),
        ("api.github.com", "POST", "/x"),
        ("api.github.com", "get", "/x"),
        ("api.github.com", "GET", "/y"),
    ] {
        assert!(!fits(&rule, to, method, path), "{method} {to}{path}");
    }
    assert!(!rule.needs_approval("GET") && rule.needs_approval("PROPFIND") && rule.needs_approval("DELETE"));
}

/// An encoded `?` or `#` is one byte of a name, or the end of the path, to a server that decodes first.
#[test]
fn a_path_fits_by_each_of_its_two_readings() {
    let rule = |paths: &str| {
        read(&LEAST.replace(r#""approval""#, &format!(r#""paths":[{paths}],"approval""#))).unwrap()
    };
    for (paths, path, all) in [
        (r#""/v1/items/*/read""#, "/v1/items/5%3f/read", false),
        (r#""/v1/items/*/read""#, "/v1/items/5%2523/read", false),
        (r#""/v1/items/*/read""#, "/v1/items/5/read%3Fx", false),
        (r#""/v1/items/*""#, "/v1/items/5%3f/read", true),
        (r#""/repos/*/*/labels/*""#, "/repos/o/r/labels/c%23", true),
        (r#""/labels/c%23""#, "/labels/c%23", true),
    ] {
        assert_eq!(fits(&rule(paths), "api.github.com", "GET", path), all, "{paths} {path}");
    }
    assert!(fits(&read(LEAST).unwrap(), "api.github.com", "GET", "/labels/c%23"));
}

#[test]
fn a_rule_without_methods_takes_the_common_ones_in_capitals() {
    let rule = read(LEAST).unwrap();
    for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] {
        assert!(fits(&rule, "api.github.com", method, "/any"), "{method}");
        assert!(!rule.needs_approval(method));
    }
    for method in ["get", "PATCH2", "CONNECT", "TRACE", "TRACK", "PROPFIND", "", "GET "] {
        assert!(!fits(&rule, "api.github.com", method, "/any"), "{method:?}");
    }
}

/// `LEAST` with one thing changed, where the error is, and what it is.
#[test]
fn a_forged_rule_is_refused_with_its_place() {
    let change = |from: &str, to: &str| {
        assert!(LEAST.contains(from), "{from}");
        LEAST.replace(from, to)
    };
    let host = |host: &str| change("api.github.com", host);
    let place =
        |place: &str| change(r#"{"kind":"header","name":"authorization","template":"Bearer {v}"}"#, place);
    let more = |more: &str| change(r#""approval":"never""#, &format!(r#""approval":"never",{more}"#));
    for (json, at) in [
        (change(r#""v":1"#, r#""v":2"#), "v"),
        (change(r#""v":1"#, r#""v":"1""#), "v"),
        (change(r#""v":1"#, r#""v":1.0"#), "v"),
        (change(r#""v":1,"#, ""), "v"),
        (change(r#""v":1"#, r#""v":1,"v":1"#), "rule"),
        (more(r#""surprise":true"#), "surprise"),
        (more(r#""Hosts":[]"#), "Hosts"),
        (more(r#""hosts":["x.test"]"#), "rule"),
        (more(r#""methods":[]"#), "methods"),
        (more(r#""methods":["GET","GET"]"#), "methods[0]"),
        (more(r#""methods":["get"]"#), "methods[0]"),
        (more(r#""methods":["TRACE"]"#), "methods[0]"),
        (more(r#""methods":"GET""#), "methods"),
        (more(r#""paths":["v1"]"#), "paths[0]"),
        (more(r#""paths":["/a","/v1/../x"]"#), "paths[1]"),
        (more(r#""paths":[1]"#), "paths[0]"),
        (more(r#""account":"""#), "account"),
        (more(r#""account":"a b""#), "account"),
        (more(r#""account":null"#), "account"),
        (more(r#""limits":{}"#), "limits.per_minute"),
        (more(r#""limits":{"per_minute":0}"#), "limits.per_minute"),
        (more(r#""limits":{"per_minute":4294967297}"#), "limits.per_minute"),
        (more(r#""limits":{"per_minute":60,"per_hour":1}"#), "limits.per_hour"),
        (change(r#","approval":"never""#, ""), "approval"),
        (change(r#""never""#, r#""sometimes""#), "approval"),
        (change(r#"["api.github.com"]"#, "[]"), "hosts"),
        (change(r#"["api.github.com"]"#, r#""api.github.com""#), "hosts"),
        (change(r#"["api.github.com"]"#, r#"["a.test","a.test"]"#), "hosts[0]"),
        (host("API.github.com"), "hosts[0]"),
        (host("api.github.com:443"), "hosts[0]"),
        (host("api.github.com."), "hosts[0]"),
        (host("*.github.io"), "hosts[0]"),
        (host("*.amazonaws.com"), "hosts[0]"),
        (host("com"), "hosts[0]"),
        (host("*"), "hosts[0]"),
        (host("https://api.github.com"), "hosts[0]"),
        (host("127.1"), "hosts[0]"),
        (place(r#"{"kind":"sigv4"}"#), "into[0].kind"),
        (place(r#"{"kind":"sigv4","region":"eu-west-1","service":{"a":1}}"#), "into[0].kind"),
        (place(r#"{"kind":"oauth2","token_url":"https://x.test"}"#), "into[0].kind"),
        (place(r#"{"kind":"cookie","name":"a","template":"{v}"}"#), "into[0].kind"),
        (place(r#"{"name":"a","template":"{v}"}"#), "into[0].kind"),
        (place(r#"{"kind":"header","name":"host","template":"{v}"}"#), "into[0]"),
        (place(r#"{"kind":"header","name":"X-Api-Key","template":"{v}"}"#), "into[0].name"),
        (place(r#"{"kind":"header","name":"a","template":"{v}","template":"{v}"}"#), "rule"),
        (place(r#"{"kind":"header","name":"a"}"#), "into[0].template"),
        (place(r#"{"kind":"header","name":"a","template":"{v"}"#), "into[0].template"),
        (place(r#"{"kind":"header","name":"a","template":"x"}"#), "into[0]"),
        (place(r#"{"kind":"header","name":"a","template":"{v}","host":"x.test"}"#), "into[0].host"),
        (place(r#"{"kind":"header","name":"a","template":"{field}"}"#), "into"),
        (place(r#"{"kind":"basic","user":"a:b","password":"{v}"}"#), "into[0]"),
        (place(r#"{"kind":"basic","user":"{v}"}"#), "into[0].password"),
        (
            place(
                r#"{"kind":"basic","user":"u","password":"{v}"},{"kind":"header","name":"authorization","template":"{v}"}"#,
            ),
            "into[1]",
        ),
        (
            place(
                r#"{"kind":"json_field","pointer":"/a","template":"{v}"},{"kind":"form_field","name":"a","template":"{v}"}"#,
            ),
            "into",
        ),
        ("[]".to_owned(), "rule"),
        ("null".to_owned(), "rule"),
        (String::new(), "rule"),
        (format!("{LEAST} x"), "rule"),
        ("[".repeat(1000), "rule"),
    ] {
        let error = read(&json).expect_err(&json);
        assert_eq!(error.at, at, "{json}: {error}");
        assert!(!error.advice().is_empty());
        assert!(serde_json::from_str::<Rule>(&json).is_err(), "{json}");
    }
    let long = format!("{LEAST}{}", " ".repeat(RULE_BYTES));
    assert_eq!(read(&long).unwrap_err().problem, Problem::NotJson);
}

#[test]
fn a_value_that_stands_in_a_template_is_not_repeated() {
    for template in ["hunter2", "hunter2{", "hunter2{v} ", "Bearer hunter2", "hunter2\u{e9}"] {
        for kind in ["header", "query", "json_field", "form_field", "path", "basic"] {
            let json = LEAST.replace(
                r#"{"kind":"header","name":"authorization","template":"Bearer {v}"}"#,
                &format!(r#"{{"kind":"{kind}","name":"a","pointer":"/a","template":"{template}"}}"#),
            );
            let error = read(&json).unwrap_err();
            assert!(!format!("{error} {error:?} {}", error.advice()).contains("hunter2"), "{error}");
        }
    }
}

#[test]
fn a_list_has_an_end() {
    let many = |count: usize| {
        let hosts: Vec<String> = (0..count).map(|n| format!(r#""h{n}.test""#)).collect();
        LEAST.replace(r#""api.github.com""#, &hosts.join(","))
    };
    assert!(read(&many(HOSTS)).is_ok());
    assert_eq!(read(&many(HOSTS + 1)).unwrap_err().problem, Problem::TooMany(HOSTS));
}

fn rules() -> impl Strategy<Value = Rule> {
    let host =
        prop::sample::select(vec!["a.test", "*.ten.test", "b.test:8443", "192.0.2.7", "[2001:db8::7]:1"]);
    let place = prop::sample::select(vec![
        "bearer",
        "header:x-api-key",
        "basic:{user}",
        "query:key=a{v}b",
        "path:/bot{v}/",
        "json:/a/b",
        "header:x-two={a}:{v}",
    ]);
    let method = prop::sample::select(vec!["GET", "POST", "M-SEARCH"]);
    let path = prop::sample::select(vec!["/", "/*", "/v1/*", "/*/x", "/a%20b"]);
    let set = |strategy, limit| prop::collection::btree_set(strategy, 1..limit);
    let (methods, paths) = (prop::option::of(set(method, 3)), prop::option::of(set(path, 4)));
    (set(host, 4), set(place, 4), methods, paths, 0..3_u8, prop::option::of(1..1000_u32)).prop_filter_map(
        "places may collide",
        |(hosts, places, methods, paths, approval, limit)| {
            let mut terms = Terms::new(
                hosts.iter().map(|host| host.parse().unwrap()).collect(),
                places.iter().map(|place| place.parse().unwrap()).collect(),
            );
            terms.methods = methods.map(|all| all.iter().map(|one| one.parse().unwrap()).collect());
            terms.paths = paths.map(|all| all.iter().map(|one| one.parse().unwrap()).collect());
            terms.approval = [Approval::Never, Approval::Always, Approval::Writes][usize::from(approval)];
            terms.limits = limit.map(|limit| Limits::per_minute(limit).unwrap());
            Rule::new(terms).ok()
        },
    )
}

proptest! {
    #[test]
    fn any_rule_comes_back(rule in rules()) {
        let json = rule.to_json();
        prop_assert_eq!(Rule::from_json(json.as_bytes()).unwrap(), rule);
    }

    /// A bit that flips in storage never widens a rule silently: it is refused, or it is another rule that is written in just
    /// this way.
    #[test]
    fn what_is_read_is_the_one_spelling_of_it(rule in rules(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = rule.to_json().into_bytes();
        let at = at.index(json.len());
        json[at] = byte;
        if let Ok(other) = Rule::from_json(&json) {
            let spelled = other.to_json();
            let same: serde_json::Value = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&spelled).unwrap(), same);
        }
    }
}
