//! Where the gateway writes a value: there, once, and nothing else of the request changes.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use keyward_gateway::inject::{Head, inject, inject_body};
use keyward_gateway::placeholder::Placeholders;
use keyward_gateway::source::Value;
use keyward_wire::KeyId;
use keyward_wire::rule::{Injection, RequestPath, Rule, Terms};
use zeroize::Zeroizing;

const RULES: [&str; 6] = ["query:key", "path:/bot{v}/", "bearer", "basic:user", "json:/a/key", "form:key"];

/// The claim. The input is one byte for the rule, one for the length of the value, the value, and what the agent sent.
pub fn holds(bytes: &[u8]) {
    let [rule, length, rest @ ..] = bytes else { return };
    let injection: Injection = RULES[usize::from(*rule) % RULES.len()].parse().expect("a rule of ours");
    let terms = Terms::new(vec!["a.test".parse().expect("a host of ours")], vec![injection.clone()]);
    let rule = Rule::new(terms).expect("one host, one place");
    let (secret, agents) = rest.split_at(usize::from(*length).min(rest.len()));
    let value = Value::new(KeyId::from_bytes([1; 16]), 1, Zeroizing::new(secret.to_vec()), Vec::new());
    let mine = Placeholders::new();
    match injection {
        Injection::JsonField { .. } => json(&rule, &value, &mine, agents),
        Injection::FormField { .. } => form(&rule, &value, &mine, agents),
        Injection::Query { .. } | Injection::Path(_) => target(&rule, &value, &mine, agents),
        Injection::Header { .. } | Injection::Basic { .. } => header(&rule, &value, &mine, agents),
    }
}

fn target(rule: &Rule, value: &Value, mine: &Placeholders, agents: &[u8]) {
    let mut sent = Zeroizing::new(agents.to_vec());
    let head = Head { method: &Method::GET, target: &mut sent, headers: &mut HeaderMap::new() };
    if inject(rule, value, mine, head).is_err() {
        return;
    }
    let (path, query) = halves(agents);
    let (sent_path, sent_query) = halves(&sent);
    if let Injection::Path(template) = &rule.terms().into[0] {
        if sent.as_slice() != agents {
            let (before, _, _) = template.split(path).expect("it had a slot");
            assert!(sent_path.starts_with(before) && RequestPath::new(sent_path).is_ok());
        }
        assert_eq!(sent_query, query, "a path is written into, and no query");
        return;
    }
    assert_eq!(sent_path, path);
    once(query, sent_query, value);
}

fn form(rule: &Rule, value: &Value, mine: &Placeholders, agents: &[u8]) {
    let kind = Some(b"application/x-www-form-urlencoded".as_slice());
    if let Ok(sent) = inject_body(rule, value, mine, kind, agents.to_vec()) {
        if agents.is_empty() {
            assert!(sent.is_empty());
        } else {
            once(agents, &sent, value);
        }
    }
}

/// The parameter `key` is there once and is the value; the others are as they were, in their order.
fn once(before: &[u8], after: &[u8], value: &Value) {
    let others = |text: &[u8]| -> Vec<Vec<u8>> {
        let parts = text.split(|byte| b"&;".contains(byte)).map(<[u8]>::to_vec);
        parts.filter(|part| !part.is_empty() && name(part) != b"key").collect()
    };
    let ours: Vec<&[u8]> =
        after.split(|byte| b"&;".contains(byte)).filter(|part| name(part) == b"key").collect();
    assert_eq!(ours.len(), 1);
    assert_eq!(decode(&ours[0][4..]), value.bytes());
    assert_eq!(others(before), others(after));
}

fn name(part: &[u8]) -> Vec<u8> {
    decode(part.split(|byte| *byte == b'=').next().unwrap_or_default())
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let hex = text
            .get(at + 1..at + 3)
            .and_then(|digits| data_encoding::HEXLOWER_PERMISSIVE.decode(digits).ok());
        match (text[at], hex) {
            (b'%', Some(byte)) => {
                out.extend(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    out
}

fn halves(target: &[u8]) -> (&[u8], &[u8]) {
    match target.iter().position(|byte| *byte == b'?') {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, b""),
    }
}

fn header(rule: &Rule, value: &Value, mine: &Placeholders, agents: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in agents.split(|byte| *byte == b'\n') {
        let (name, text) = line.split_at(line.iter().position(|byte| *byte == b':').unwrap_or(line.len()));
        let text = HeaderValue::from_bytes(text.get(1..).unwrap_or_default());
        if let (Ok(name), Ok(text)) = (HeaderName::from_bytes(name), text) {
            headers.append(name, text);
        }
    }
    let head =
        Head { method: &Method::GET, target: &mut Zeroizing::new(b"/".to_vec()), headers: &mut headers };
    if inject(rule, value, mine, head).is_err() {
        return;
    }
    let sent: Vec<&HeaderValue> = headers.get_all("authorization").iter().collect();
    assert!(sent.len() == 1 && sent[0].is_sensitive());
    let text = sent[0].as_bytes();
    match text.strip_prefix(b"Basic ") {
        Some(pair) => {
            let pair = data_encoding::BASE64.decode(pair).expect("RFC 7617");
            assert_eq!(pair, [b"user:", value.bytes()].concat());
        }
        None => assert_eq!(text, [b"Bearer ", value.bytes()].concat()),
    }
    assert!(!text.iter().any(u8::is_ascii_control));
}

fn json(rule: &Rule, value: &Value, mine: &Placeholders, agents: &[u8]) {
    let Ok(sent) = inject_body(rule, value, mine, Some(b"application/json"), agents.to_vec()) else { return };
    if agents.is_empty() {
        return assert!(sent.is_empty());
    }
    // serde_json's map takes the last of two of one name, and so shows what else there was.
    let mut before: serde_json::Value =
        serde_json::from_slice(agents).expect("what was written into can be read");
    let after: serde_json::Value = serde_json::from_slice(&sent).expect("what was written can be read");
    before["a"]["key"] = std::str::from_utf8(value.bytes()).expect("JSON is text").into();
    assert_eq!(after, before);
}
