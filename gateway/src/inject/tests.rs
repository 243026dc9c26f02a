//! What is written where, and the attackers' rows about it (P, H, D and L of ATTACKS.md).

use std::sync::Arc;

use keyward_wire::KeyId;
use keyward_wire::rule::{HostPattern, Terms};
use proptest::prelude::*;

use super::*;

const SECRET: &str = "sk-real-9fQ2vT7bLx0ZcR4mWk8J";

/// Target, header lines, and what is to be done with the body.
type Sent = (String, Vec<(String, String)>, Body);

/// A key, a rule with these places, and a session of an agent.
struct Lab {
    rule: Rule,
    value: Value,
    mine: Placeholders,
    placeholder: Arc<str>,
}

impl Lab {
    fn new(into: &[&str]) -> Self {
        Self::with_value(into, SECRET.as_bytes(), &[("user", "alice"), ("app", "app-key-1")])
    }

    fn with_value(into: &[&str], value: &[u8], fields: &[(&str, &str)]) -> Self {
        let into = into.iter().map(|text| text.parse().unwrap()).collect();
        let hosts: Vec<HostPattern> = vec!["a.test".parse().unwrap()];
        let key = KeyId::from_bytes([1; 16]);
        let fields = fields
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Zeroizing::new((*text).to_owned())))
            .collect();
        let mine = Placeholders::new();
        let placeholder = mine.of(key, Some("github"));
        Self {
            rule: Rule::new(Terms::new(hosts, into)).unwrap(),
            value: Value::new(key, 1, Zeroizing::new(value.to_vec()), fields),
            mine,
            placeholder,
        }
    }

    /// Target and header lines after injection.
    fn inject(&self, target: &str, lines: &[(&str, &str)]) -> Result<Sent, InjectError> {
        let mut target = Zeroizing::new(target.as_bytes().to_vec());
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let head = Head { method: &Method::POST, target: &mut target, headers: &mut headers };
        let body = inject(&self.rule, &self.value, &self.mine, head)?;
        let lines = headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8(value.as_bytes().to_vec()).unwrap()));
        let mut lines: Vec<_> = lines.collect();
        lines.sort();
        Ok((String::from_utf8(target.to_vec()).unwrap(), lines, body))
    }

    fn headers(&self, lines: &[(&str, &str)]) -> Result<Vec<(String, String)>, InjectError> {
        self.inject("/", lines).map(|(_, lines, _)| lines)
    }

    fn target(&self, target: &str) -> Result<String, InjectError> {
        self.inject(target, &[]).map(|(target, _, _)| target)
    }

    fn body(&self, kind: &str, body: &str) -> Result<String, InjectError> {
        let kind = Some(kind.as_bytes());
        let body = inject_body(&self.rule, &self.value, &self.mine, kind, body.as_bytes().to_vec())?;
        Ok(String::from_utf8(body.to_vec()).unwrap())
    }
}

fn line(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn whatever_the_agent_has_in_the_place_the_value_is_there_once() {
    let lab = Lab::new(&["bearer"]);
    let wanted = [line("authorization", &format!("Bearer {SECRET}"))];
    assert_eq!(lab.headers(&[]).unwrap(), wanted);
    for agents in ["Bearer keyward-managed", "onecli-managed", "Bearer own-token", "", &*lab.placeholder] {
        assert_eq!(lab.headers(&[("Authorization", agents)]).unwrap(), wanted, "{agents}");
    }
    for scheme in ["Bearer", "token", "bearer  "] {
        let agents = format!("{scheme} {}", lab.placeholder);
        assert_eq!(lab.headers(&[("Authorization", &agents)]).unwrap(), wanted);
    }
}

#[test]
fn a_rule_of_several_places_writes_each() {
    let lab =
        Lab::new(&["header:x-api-key", "header:x-app-key={app}", "query:token=t-{v}", "basic:{user}:{v}"]);
    let (target, lines, body) = lab.inject("/v1?a=1", &[("accept", "*/*")]).unwrap();
    assert_eq!(target, format!("/v1?a=1&token=t-{SECRET}"));
    let basic = BASE64.encode(format!("alice:{SECRET}").as_bytes());
    assert_eq!(
        lines,
        [
            line("accept", "*/*"),
            line("authorization", &format!("Basic {basic}")),
            line("x-api-key", SECRET),
            line("x-app-key", "app-key-1"),
        ]
    );
    assert_eq!(body, Body::Keep);
}

#[test]
fn p12_no_second_credential_goes_with_the_value() {
    let lab = Lab::new(&["header:x-api-key"]);
    let lines = lab
        .headers(&[
            ("Authorization", "Bearer one"),
            ("AUTHORIZATION", "Bearer two"),
            ("authorization_", "Bearer three"),
            ("x_api_key", "four"),
            ("x.api.key", "nine"),
            ("x+api~key", "ten"),
            ("private.token", "eleven"),
            ("anthropic.version", "2023-06-02"),
            ("X-Api-Key", "five"),
            ("X-Api-Key", "six"),
            ("Cookie", "session=seven"),
            ("Private-Token", "eight"),
            ("anthropic-version", "2023-06-01"),
        ])
        .unwrap();
    let others = [line("anthropic-version", "2023-06-01"), line("anthropic.version", "2023-06-02")];
    assert_eq!(lines, [&others[..], &[line("x-api-key", SECRET)]].concat());
}

#[test]
fn p13_a_value_that_would_break_the_head_is_refused() {
    for into in ["bearer", "header:x-api-key", "query:key", "path:/bot{v}/", "basic:user"] {
        for value in ["x\r\nX-Evil: 1", "x\n", "x\0y", "x\u{7f}", "\tx\t", "x\ty", "x\u{1b}[31m"] {
            let lab = Lab::with_value(&[into], value.as_bytes(), &[]);
            assert_eq!(
                lab.inject("/botkeyward-managed/x", &[]).err(),
                Some(InjectError::BadValue),
                "{into} {value:?}"
            );
        }
    }
    for value in [" x", "x ", ""] {
        assert_eq!(
            Lab::with_value(&["header:x-api-key"], value.as_bytes(), &[]).headers(&[]),
            Err(InjectError::BadValue)
        );
    }
    // Where a field is missing, nothing is left out.
    assert_eq!(Lab::with_value(&["header:x-a={v}{app}"], b"x", &[]).headers(&[]), Err(InjectError::BadValue));
    assert_eq!(
        Lab::with_value(&["basic:{user}"], b"x", &[("user", "a:b")]).headers(&[]),
        Err(InjectError::BadValue)
    );
}

#[test]
fn l8_the_value_never_gets_into_a_table_of_http2() {
    for into in ["bearer", "header:x-api-key", "basic:user"] {
        let lab = Lab::new(&[into]);
        let mut headers = HeaderMap::new();
        let head =
            Head { method: &Method::GET, target: &mut Zeroizing::new(b"/".to_vec()), headers: &mut headers };
        inject(&lab.rule, &lab.value, &lab.mine, head).unwrap();
        assert!(headers.len() == 1 && headers.values().all(HeaderValue::is_sensitive), "{into}");
    }
}

#[test]
fn h1_a_placeholder_elsewhere_is_text() {
    let lab = Lab::new(&["bearer"]);
    let placeholder = &*lab.placeholder;
    let lines = [("referer", placeholder), ("user-agent", placeholder)];
    let (target, lines, _) = lab.inject(&format!("/{placeholder}?q={placeholder}"), &lines).unwrap();
    assert_eq!(target, format!("/{placeholder}?q={placeholder}"));
    assert_eq!(lines[1..], [line("referer", placeholder), line("user-agent", placeholder)]);
}

#[test]
fn h2_a_placeholder_that_stands_twice_is_refused() {
    let lab = Lab::new(&["bearer"]);
    let bearer = format!("Bearer {}", lab.placeholder);
    for lines in [
        vec![("authorization", format!("{bearer} {}", lab.placeholder))],
        vec![("authorization", bearer.clone()), ("authorization", bearer.clone())],
        vec![("authorization", bearer.clone()), ("x-api-key", lab.placeholder.to_string())],
    ] {
        let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(lab.headers(&lines), Err(InjectError::Repeated), "{lines:?}");
    }
    let lab = Lab::new(&["query:key"]);
    assert_eq!(lab.target(&format!("/?key={0}&key={0}", lab.placeholder)), Err(InjectError::Repeated));
}

#[test]
fn a_rule_of_several_places_takes_the_placeholder_once_in_each() {
    let lab = Lab::new(&["header:x-api-key", "header:x-app-key={app}", "query:token"]);
    let placeholder = &*lab.placeholder;
    let both = [("x-api-key", placeholder), ("x-app-key", placeholder)];
    let (target, lines, _) = lab.inject(&format!("/?token={placeholder}"), &both).unwrap();
    assert_eq!(target, format!("/?token={SECRET}"));
    assert_eq!(lines, [line("x-api-key", SECRET), line("x-app-key", "app-key-1")]);
    for more in ["x_api_key", "authorization"] {
        let lines = [both[0], both[1], (more, placeholder)];
        assert_eq!(lab.headers(&lines), Err(InjectError::Repeated), "{more}");
    }
}

#[test]
fn p13_a_byte_that_is_not_ascii_is_in_no_header() {
    assert_eq!(Lab::with_value(&["bearer"], "clé".as_bytes(), &[]).headers(&[]), Err(InjectError::BadValue));
}

#[test]
fn h3_basic_is_read_and_rendered_as_a_whole() {
    let lab = Lab::new(&["basic:x-access-token"]);
    let wanted = format!("Basic {}", BASE64.encode(format!("x-access-token:{SECRET}").as_bytes()));
    for pair in
        [format!("git:{}", lab.placeholder), format!("{}:", lab.placeholder), "me:own-password".to_owned()]
    {
        for encoded in [BASE64.encode(pair.as_bytes()), BASE64.encode(pair.as_bytes()).replace('=', "")] {
            let lines = lab.headers(&[("authorization", &format!("basic {encoded}"))]).unwrap();
            assert_eq!(lines, [line("authorization", &wanted)]);
        }
    }
    // A bearer rule takes a placeholder that a program could only put into Basic, and the other way round.
    let lab = Lab::new(&["bearer"]);
    let pair = format!("x:{}", lab.placeholder);
    let lines =
        lab.headers(&[("authorization", &format!("Basic {}", BASE64.encode(pair.as_bytes())))]).unwrap();
    assert_eq!(lines, [line("authorization", &format!("Bearer {SECRET}"))]);
    let changed = format!("x:{}", lab.placeholder.to_uppercase());
    let refused = lab.headers(&[("authorization", &format!("Basic {}", BASE64.encode(changed.as_bytes())))]);
    assert_eq!(refused, Err(InjectError::UnknownPlaceholder));
}

#[test]
fn d22_h4_another_keys_or_nobodys_placeholder_in_the_place_is_refused() {
    let other_key = KeyId::from_bytes([2; 16]);
    for into in ["bearer", "basic:user", "query:key", "path:/bot{v}/", "json:/key", "form:key"] {
        let lab = Lab::new(&[into]);
        let others = lab.mine.of(other_key, None);
        let nobodys = Placeholders::new().of(lab.value.key(), Some("github"));
        for (text, wrong) in [
            (&*others, InjectError::WrongDestination(other_key)),
            (&*nobodys, InjectError::UnknownPlaceholder),
        ] {
            let refused = match into {
                "json:/key" => lab.body("application/json", &format!("{{\"key\":\"{text}\"}}")).err(),
                "form:key" => lab.body("application/x-www-form-urlencoded", &format!("key={text}")).err(),
                "query:key" => lab.target(&format!("/?k%65y={text}")).err(),
                "path:/bot{v}/" => lab.target(&format!("/bot{text}/x")).err(),
                _ => lab.headers(&[("authorization", &format!("Bearer {text}"))]).err(),
            };
            assert_eq!(refused, Some(wrong), "{into}");
        }
    }
}

#[test]
fn h7_what_a_value_says_is_not_replaced_again() {
    let mut lab = Lab::new(&["header:x-api-key={v}{app}"]);
    let other = lab.mine.of(KeyId::from_bytes([2; 16]), None);
    let fields = vec![("app".to_owned(), Zeroizing::new("{v}keyward-managed".to_owned()))];
    lab.value = Value::new(lab.value.key(), 1, Zeroizing::new(other.as_bytes().to_vec()), fields);
    assert_eq!(lab.headers(&[]).unwrap(), [line("x-api-key", &format!("{other}{{v}}keyward-managed"))]);
}

#[test]
fn p3_one_parameter_is_the_value_and_the_others_keep_their_bytes() {
    let lab = Lab::with_value(&["query:key"], b"a b&c=d%/+\xc3\xa9", &[]);
    let value = "key=a%20b%26c%3Dd%25%2F%2B%C3%A9";
    for (agents, sent) in [
        ("/x", format!("/x?{value}")),
        ("/x?", format!("/x?{value}")),
        ("/x?a=1", format!("/x?a=1&{value}")),
        ("/x?a=%7e%7E+&&b", format!("/x?a=%7e%7E+&&b&{value}")),
        ("/x?key=agent&a=1&key=again", format!("/x?{value}&a=1")),
        ("/x?a=1&k%65y=agent&b=2&%6Bey", format!("/x?a=1&{value}&b=2")),
        ("/x?a=1;key=agent;c=2&b", format!("/x?{value}&a=1;c=2&b")),
        ("/x?keys=1&Key=2&key2", format!("/x?keys=1&Key=2&key2&{value}")),
        ("/x?a=?key=1", format!("/x?a=?key=1&{value}")),
        ("/x?key=keyward-managed", format!("/x?{value}")),
        (&format!("/x?key={}&a", lab.placeholder), format!("/x?{value}&a")),
    ] {
        assert_eq!(lab.target(agents).unwrap(), sent, "{agents}");
    }
}

#[test]
fn v9_a_value_goes_into_a_path_only_where_the_agent_marks_it() {
    let lab = Lab::with_value(&["path:/bot{v}/"], b"12345:AA-bb_CC", &[]);
    let placeholder = &*lab.placeholder;
    for (agents, sent) in [
        (format!("/bot{placeholder}/getMe?x=1"), "/bot12345:AA-bb_CC/getMe?x=1"),
        ("/botkeyward-managed/getMe".to_owned(), "/bot12345:AA-bb_CC/getMe"),
        ("/botanical/onecli-managed".to_owned(), "/botanical/onecli-managed"),
        ("/other/bot/x".to_owned(), "/other/bot/x"),
    ] {
        assert_eq!(lab.target(&agents).unwrap(), sent);
    }
    // Of several segments, as a webhook's.
    let lab = Lab::with_value(&["path:/services/{v}"], b"T00/B00/xyz", &[]);
    assert_eq!(lab.target("/services/keyward-managed").unwrap(), "/services/T00/B00/xyz");
    for value in ["../admin", "a//b", "a/./b", "/", "a/..", "\u{0}", ""] {
        let lab = Lab::with_value(&["path:/services/{v}"], value.as_bytes(), &[]);
        assert_eq!(lab.target("/services/keyward-managed"), Err(InjectError::BadValue), "{value:?}");
    }
    // What a path cannot hold as it is, what goes further than the slot, and what leads out of the rule's paths.
    for (into, value) in
        [("path:/x/{v}", "a b?c#d"), ("path:/bot{v}/", "12345/deleteWebhook"), ("path:/x/{v}", "a/b")]
    {
        let mut lab = Lab::with_value(&[into], value.as_bytes(), &[]);
        let mut terms = lab.rule.terms().clone();
        terms.paths = Some(vec!["/bot*".parse().unwrap(), "/x/k*".parse().unwrap()]);
        lab.rule = Rule::new(terms).unwrap();
        let target = into.trim_start_matches("path:").replace("{v}", "keyward-managed");
        assert_eq!(lab.target(&target), Err(InjectError::BadValue), "{value}");
    }
}

#[test]
fn a_json_field_is_written_and_all_other_bytes_stay() {
    let lab = Lab::with_value(&["json:/auth/api~1key"], b"a\"b\\c\nd", &[]);
    let value = r#""a\"b\\c\nd""#;
    let placeholder = &*lab.placeholder;
    for (agents, sent) in [
        (
            r#" { "auth" : { "api/key" : null , "x": 1.0 } } "#.to_owned(),
            format!(r#" {{ "auth" : {{ "api/key" : {value} , "x": 1.0 }} }} "#),
        ),
        (
            format!(r#"{{"auth":{{"api/key":"{placeholder}"}},"big":1e999}}"#),
            format!(r#"{{"auth":{{"api/key":{value}}},"big":1e999}}"#),
        ),
        (r#"{"auth":{}}"#.to_owned(), format!(r#"{{"auth":{{"api/key":{value}}}}}"#)),
        (r#"{"auth": {"b":[1]}}"#.to_owned(), format!(r#"{{"auth": {{"api/key":{value},"b":[1]}}}}"#)),
        (r#"{"auth":{"api\/key":{"deep":[]}}}"#.to_owned(), format!(r#"{{"auth":{{"api\/key":{value}}}}}"#)),
    ] {
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"] {
            assert_eq!(lab.body(kind, &agents).unwrap(), sent);
        }
    }
    let lab = Lab::new(&["json:/list/1"]);
    assert_eq!(
        lab.body("application/json", "{\"list\":[1,2,3]}").unwrap(),
        format!("{{\"list\":[1,\"{SECRET}\",3]}}")
    );
    assert_eq!(lab.body("application/json", "").unwrap(), "");
}

#[test]
fn a_body_that_can_be_read_in_two_ways_is_refused() {
    let lab = Lab::new(&["json:/auth/key"]);
    for body in [
        r#"{"auth":{"key":1,"key":2}}"#,
        r#"{"auth":{"key":1},"auth":{}}"#,
        r#"{"auth":{"key":1,"\u006bey":2}}"#,
        r#"{"auth":[]}"#,
        r#"{"auth":"x"}"#,
        r#"{"other":{}}"#,
        "[]",
        "null",
        "{\"auth\":{}} x",
        "{'auth':{}}",
        "key=1",
        "\u{feff}{\"auth\":{}}",
        &"[".repeat(100_000),
    ] {
        assert_eq!(lab.body("application/json", body), Err(InjectError::Unreadable), "{body:.60}");
    }
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""] {
        assert_eq!(lab.body(kind, "{\"auth\":{}}"), Err(InjectError::Unreadable), "{kind}");
    }
    let coded = lab.inject("/", &[("content-encoding", "gzip")]).err();
    assert_eq!(coded, Some(InjectError::Unreadable));
    assert_eq!(lab.inject("/", &[]).unwrap().2, Body::Rewrite);
}

#[test]
fn a_form_field_is_written_once() {
    let lab = Lab::new(&["form:token"]);
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    assert_eq!(lab.body(kind, "a=1&token=own&b=%20+").unwrap(), format!("a=1&token={SECRET}&b=%20+"));
    assert_eq!(lab.body(kind, "a=1").unwrap(), format!("a=1&token={SECRET}"));
    assert_eq!(lab.body("application/json", "a=1"), Err(InjectError::Unreadable));
}

#[test]
fn h5_a_body_full_of_placeholders_is_read_in_one_pass() {
    let lab = Lab::new(&["json:/key"]);
    let body = format!("{{\"text\":\"{}\"}}", lab.placeholder.repeat(100_000));
    assert_eq!(lab.body("application/json", &body).unwrap().len(), body.len() + SECRET.len() + 9);
    let lab = Lab::new(&["query:key"]);
    let target = format!("/?{}", format!("key={}&", "k".repeat(8)).repeat(100_000));
    assert_eq!(lab.target(&target).unwrap(), format!("/?key={SECRET}&"));
}

proptest! {
    /// What a server reads of the query: the value once, the rest as the agent sent it.
    #[test]
    fn a_query_says_the_value_once_and_the_rest_unchanged(
        query in "[ak%6eby=&;+]{0,24}",
        value in proptest::collection::vec(0x20_u8..0x7f, 1..12),
    ) {
        let lab = Lab::with_value(&["query:key"], &value, &[]);
        let sent = lab.target(&format!("/?{query}")).unwrap();
        let (_, sent) = sent.split_once('?').unwrap();
        let read = |query: &str| -> Vec<(Vec<u8>, String)> {
            query.split(['&', ';']).map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                (percent::decoded(name.as_bytes()), value.to_owned())
            }).collect()
        };
        let (ours, others): (Vec<_>, Vec<_>) = read(sent).into_iter().partition(|(name, _)| name == b"key");
        prop_assert_eq!(ours.len(), 1);
        prop_assert_eq!(percent::decoded(ours[0].1.as_bytes()), value);
        let agents: Vec<_> = read(&query).into_iter().filter(|(name, _)| name != b"key").collect();
        if query.is_empty() { prop_assert!(others.is_empty()) } else { prop_assert_eq!(others, agents) }
    }

    /// Against a parser: the field is the value, and nothing else is another.
    #[test]
    fn json_says_the_value_and_the_rest_unchanged(body in "[{}\\[\\]\",:a01 k\\\\]{0,24}", known in any::<bool>()) {
        let body = if known { format!("{{\"k\":{{}},\"a\":[{{\"k\":1}}]{body}") } else { body };
        let lab = Lab::new(&["json:/k"]);
        if let Ok(sent) = lab.body("application/json", &body) {
            let mut before: serde_json::Value = serde_json::from_str(if body.is_empty() { "{}" } else { &body }).unwrap();
            if body.is_empty() {
                prop_assert_eq!(sent, "");
            } else {
                before["k"] = SECRET.into();
                let after: serde_json::Value = serde_json::from_str(&sent).unwrap();
                prop_assert_eq!(after, before);
            }
        }
    }
}
