//! The table: its shape, and every pattern and place in it against the validator.

use std::collections::BTreeSet;

use super::*;
use crate::rule::{FieldName, HostError, Rule};

fn to(host: &str) -> Authority {
    Authority::parse(host, 443).unwrap()
}

#[test]
fn every_line_is_a_row_with_its_source() {
    let mut before = "";
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells.len(), 10, "{line}");
        assert!(cells.iter().all(|cell| !cell.is_empty() && cell.trim() == *cell), "{line}");
        is_a_source(cells[9]);
        assert!(before < cells[0], "{line}: the table is sorted by name");
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(cells[0].chars().all(word), "{line}");
        // What the short forms of injections are called is no provider.
        assert!(
            !["bearer", "basic", "header", "query", "path", "json", "form"].contains(&cells[0]),
            "{line}"
        );
        before = cells[0];
    }
    assert!(all().count() >= 250);
}

/// Other programs that put the credential there, by name, and last of all an address where the provider says so.
fn is_a_source(cell: &str) {
    let (programs, address) = cell.rsplit_once("; ").unwrap_or(("", cell));
    let rest = address.strip_prefix("https://").unwrap_or_else(|| panic!("{cell}: where is that stated?"));
    let host = rest.split('/').next().unwrap();
    assert!(Authority::parse(host, 443).is_ok() && host.contains('.'), "{cell}");
    assert!(rest.contains('/') && address.bytes().all(|byte| byte.is_ascii_graphic()), "{cell}");
    let known = ["Agent Vault", "OneCLI", "OpenShell", "nono", "paude", "tokenizer", "varlock"];
    for program in programs.split("; ").filter(|program| !program.is_empty()) {
        let name = program.split(" (").next().unwrap();
        assert!(known.contains(&name), "{cell}: {program}?");
    }
}

/// Each preset is a valid rule, with hosts in the place of those that a user would name.
#[test]
fn every_preset_is_a_valid_rule() {
    for provider in all() {
        let name = provider.name;
        assert_eq!(provider.into.split(" + ").count(), provider.injections().len().max(1), "{name}");
        assert_eq!(
            row::words(provider.paths).count(),
            provider.paths().map_or(0, |paths| paths.len()),
            "{name}"
        );
        let prefix = provider.minting_prefix();
        let mints = row::words(provider.mints).count() - prefix.iter().count();
        assert_eq!(mints, provider.minting().len(), "{name}");
        let is_one = |prefix: &str| prefix.parse::<PathPattern>().is_ok() && !prefix.ends_with(['/', '*']);
        assert!(prefix.is_none_or(is_one), "{name}: {prefix:?}");
        let named = provider.host_shapes().map(|shape| {
            let named = shape.as_str().replace("{tenant}", "acme");
            let named = match shape.as_str() {
                whole if !whole.contains('.') => "acme.example".to_owned(),
                _ => named.replace(['{', '}'], ""),
            };
            let pattern: HostPattern =
                named.parse().unwrap_or_else(|error| panic!("{name}: {named}: {error}"));
            assert!(!pattern.is_wildcard(), "{name}: {named}");
            if shape.as_str().contains('.') {
                assert!(shape.fits(&pattern.exact().unwrap()), "{name}: {named} is of the shape {shape}");
            }
            pattern
        });
        let hosts: Vec<HostPattern> = named.collect();
        if let Some(kind) = provider.needs() {
            assert!(["oauth2", "sigv4", "minted", "exchange"].contains(&kind), "{name}: {kind}");
            assert!(kind.parse::<Injection>().is_err(), "{name}");
        } else {
            let rule =
                Rule::new(provider.terms(Some(hosts))).unwrap_or_else(|error| panic!("{name}: {error}"));
            let used: BTreeSet<String> = rule.fields().iter().map(ToString::to_string).collect();
            let told: BTreeSet<String> = provider.fields().map(|field| field.name.to_owned()).collect();
            assert_eq!(used, told, "{name}: the fields it writes and those it tells of");
        }
        for field in provider.fields() {
            assert!(field.name.parse::<FieldName>().is_ok() && !field.what.is_empty(), "{name}");
        }
        for (start, variant) in row::pairs(provider.variants) {
            assert!(!start.is_empty() && find(variant).is_some(), "{name}");
        }
        if let Some((variable, path)) = provider.base_url() {
            assert!(variable.parse::<crate::name::EnvName>().is_ok() && path.starts_with('/'), "{name}");
        }
    }
}

#[test]
fn the_variables_of_clients_are_those_of_a_known_provider_and_steer_nothing() {
    let mut before = "";
    let text = include_str!("environment.tsv").lines().filter(|line| !line.starts_with('#'));
    assert_eq!(text.count(), environment::lines().count(), "a line that is no row");
    for [name, variables, source] in environment::lines() {
        assert!(before < name && find(name).is_some() && !source.is_empty(), "{name}");
        assert!(!variables.is_empty() && source != "-", "{name}");
        for variable in variables.split(' ') {
            let parsed: crate::name::EnvName = variable.parse().unwrap();
            assert!(!parsed.steers_programs(), "{name}: {variable}");
        }
        before = name;
    }
    let variables = |name: &str| find(name).unwrap().variables().collect::<Vec<_>>();
    assert_eq!(variables("github"), ["GH_TOKEN", "GITHUB_TOKEN"]);
    assert!(variables("zendesk").is_empty());
}

/// A host that each customer names is one name among many: no wildcard may stand in its place.
#[test]
fn no_wildcard_covers_the_customers_of_a_provider() {
    for provider in all() {
        for shape in provider.own_hosts() {
            let Some((_, base)) = shape.as_str().rsplit_once("}.") else { continue };
            let refused = format!("*.{base}").parse::<HostPattern>();
            let known = matches!(refused, Err(HostError::PublicSuffix | HostError::Shared(_)));
            assert!(known, "{}: *.{base} is {refused:?}; add it to tenants.tsv", provider.name);
        }
    }
}

#[test]
fn presets_put_credentials_where_their_providers_read_them() {
    let stored = |name: &str, hosts: Option<&str>| {
        let hosts = hosts.map(|host| vec![host.parse().unwrap()]);
        Rule::new(find(name).unwrap().terms(hosts)).unwrap().to_json()
    };
    for (name, host, part) in [
        ("anthropic", None, r#"{"kind":"header","name":"x-api-key","template":"{v}"}"#),
        ("Anthropic-OAuth", None, r#""template":"Bearer {v}""#),
        ("github", None, r#""hosts":["api.github.com","uploads.github.com"]"#),
        ("github-git", None, r#"{"kind":"basic","user":"x-access-token","password":"{v}"}"#),
        ("github-git", None, r#""paths":["/*/*/info/refs""#),
        ("zendesk", Some("acme.zendesk.com"), r#"{"kind":"basic","user":"{email}/token","password":"{v}"}"#),
        ("stripe", None, r#""template":"Bearer {v}""#),
        ("freshdesk", Some("acme.freshdesk.com"), r#"{"kind":"basic","user":"{v}","password":"X"}"#),
        ("datadog", None, r#"{"kind":"header","name":"dd-application-key","template":"{app}"}"#),
        ("trello", None, r#"{"kind":"query","name":"key","template":"{key}"}"#),
        ("telegram", None, r#"{"kind":"path","template":"/bot{v}/"}"#),
        ("mandrill", None, r#"{"kind":"json_field","pointer":"/key","template":"{v}"}"#),
        (
            "supabase-project",
            Some("abc.supabase.co"),
            r#"{"kind":"header","name":"apikey","template":"{v}"}"#,
        ),
        ("clickhouse-cloud", Some("abc.clickhouse.cloud:8443"), r#""hosts":["abc.clickhouse.cloud:8443"]"#),
    ] {
        let json = stored(name, host);
        assert!(json.contains(part), "{name}: {json}");
    }
    assert!(find("nobody").is_none());
    let variant = find("anthropic").unwrap().variant(b"sk-ant-oat01-x").unwrap();
    assert_eq!(variant.name, "anthropic-oauth");
    assert!(find("anthropic").unwrap().variant(b"sk-ant-api03-x").is_none());
    assert_eq!(find("openai").unwrap().base_url(), Some(("OPENAI_BASE_URL", "/v1")));
}

#[test]
fn a_host_leads_to_its_providers() {
    let names = |host: &str| of_host(&to(host)).map(|provider| provider.name).collect::<Vec<_>>();
    assert_eq!(names("api.anthropic.com"), ["anthropic", "anthropic-oauth"]);
    assert_eq!(names("github.com"), ["github-app", "github-git"]);
    assert_eq!(names("acme.zendesk.com"), ["zendesk"]);
    assert_eq!(names("abc.clickhouse.cloud:8443"), ["clickhouse-cloud"]);
    assert_eq!(names("acme-dsn.algolia.net"), ["algolia"]);
    for other in
        ["zendesk.com", "a.b.zendesk.com", "x.test", "api.anthropic.com:8443", "192.0.2.7", "evilzendesk.com"]
    {
        assert!(names(other).is_empty(), "{other}");
    }
}
