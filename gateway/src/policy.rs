//! May this request have a key, and which? Pure.

use http::Method;
use keyward_wire::KeyId;
use keyward_wire::provider::minting;
use keyward_wire::rule::{Authority, HostPattern, RequestPath};

use crate::refuse::{Code, Refusal};
use crate::source::Grant;

/// Whether any of an agent's keys is for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// A key is for this host and port.
    Here,
    /// A key is for this host, on another port only.
    Elsewhere,
    /// No key is for this host.
    No,
}

/// Looks for the host among the agent's keys, before a resolver is asked anything.
pub(crate) fn known(grants: &[Grant], to: &Authority) -> Known {
    if grants.iter().any(|grant| grant.rule.fits_host(to)) {
        return Known::Here;
    }
    let same_host = |pattern: &HostPattern| {
        port(pattern).is_some_and(|port| pattern.matches(&Authority { host: to.host.clone(), port }))
    };
    if grants.iter().any(|grant| grant.rule.terms().hosts.iter().any(same_host)) {
        Known::Elsewhere
    } else {
        Known::No
    }
}

/// How a request says which of several keys it means.
pub(crate) struct Meant<'a, P> {
    /// The key whose name is in the address, in base-URL mode: no other is used.
    pub(crate) key: Option<KeyId>,
    /// The content of the header `X-Keyward-Account`.
    pub(crate) account: Option<&'a str>,
    /// Tells whether the key's own placeholder stands where its rule puts the value. Called only if nothing else decides.
    pub(crate) shows: P,
}

/// The one key for this request.
pub(crate) fn judge<'a>(
    grants: &'a [Grant],
    to: &Authority,
    method: &Method,
    path: &[u8],
    meant: &Meant<'_, impl Fn(&Grant) -> bool>,
) -> Result<&'a Grant, Refusal> {
    if is_never(method) {
        return Err(Code::MethodNotAllowed.into());
    }
    let path = RequestPath::new(path).map_err(|_| Code::Malformed)?;
    let is_meant = |grant: &&Grant| meant.key.is_none_or(|key| grant.key == key);
    let here: Vec<&Grant> = grants.iter().filter(is_meant).filter(|grant| grant.rule.fits_host(to)).collect();
    if here.is_empty() {
        return Err(Code::AppNotConnected.into());
    }
    let mut fitting: Vec<&Grant> =
        here.into_iter().filter(|grant| grant.rule.fits(to, method.as_str(), path)).collect();
    if fitting.is_empty() {
        return Err(Code::BlockedByPolicy.into());
    }
    if let Some(account) = meant.account {
        fitting.retain(|grant| calls_itself(grant) == account);
        if fitting.is_empty() {
            return Err(Code::AccessRestricted.into());
        }
    }
    if fitting.len() > 1 {
        let shown: Vec<&Grant> = fitting.iter().copied().filter(|grant| (meant.shows)(grant)).collect();
        if let [_] = shown.as_slice() {
            fitting = shown;
        }
    }
    match fitting.as_slice() {
        [one] if one.rule.needs_approval(method.as_str()) => Err(Code::ApprovalUnavailable.into()),
        [one] if minting::is_unnamed(&one.rule, one.provider.as_deref(), to, path) => {
            Err(Code::CredentialPath.into())
        }
        [one] => Ok(one),
        several => {
            let mut refusal = Refusal::from(Code::MultipleConnections);
            refusal.choices = several.iter().map(|grant| calls_itself(grant).to_owned()).collect();
            Err(refusal)
        }
    }
}

/// The port of a pattern.
fn port(pattern: &HostPattern) -> Option<u16> {
    let text = pattern.to_string();
    Authority::parse(text.strip_prefix("*.").unwrap_or(&text), 443).ok().map(|authority| authority.port)
}

/// Whether no request may have this method: it would show what was injected, or lead elsewhere.
pub(crate) fn is_never(method: &Method) -> bool {
    matches!(method.as_str(), "TRACE" | "TRACK" | "DEBUG" | "CONNECT")
}

/// The name by which `X-Keyward-Account` chooses a key: the account of its rule, or else its own name.
fn calls_itself(grant: &Grant) -> &str {
    grant.rule.terms().account.as_ref().map_or(&grant.name, |account| account.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keyward_wire::rule::{Account, Approval, Injection, Rule, Terms};

    use super::*;

    fn grant(id: u8, hosts: &[&str], change: impl FnOnce(&mut Terms)) -> Grant {
        let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
        let mut terms = Terms::new(hosts, vec![Injection::bearer()]);
        change(&mut terms);
        Grant {
            key: KeyId::from_bytes([id; 16]),
            name: format!("KEY_{id}").into(),
            provider: None,
            version: 1,
            rule: Arc::new(Rule::new(terms).unwrap()),
        }
    }

    fn to(text: &str) -> Authority {
        Authority::parse(text, 443).unwrap()
    }

    /// Of a request that says nothing.
    fn nothing() -> Meant<'static, fn(&Grant) -> bool> {
        Meant { key: None, account: None, shows: |_| false }
    }

    fn code(grants: &[Grant], host: &str, method: &str, path: &str) -> Result<u8, Code> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        judge(grants, &to(host), &method, path.as_bytes(), &nothing())
            .map(|grant| grant.key.as_bytes()[0])
            .map_err(|refusal| refusal.code)
    }

    #[test]
    fn d11_another_port_of_a_keys_host_is_known_and_never_served() {
        let grants = [grant(1, &["a.test", "*.w.test:8443"], |_| ())];
        assert_eq!(known(&grants, &to("a.test")), Known::Here);
        assert_eq!(known(&grants, &to("x.w.test:8443")), Known::Here);
        for other in ["a.test:80", "a.test:22", "x.w.test", "x.w.test:80"] {
            assert_eq!(known(&grants, &to(other)), Known::Elsewhere, "{other}");
        }
        for other in ["b.test", "w.test:8443", "x.y.w.test:8443", "xa.test", "a.test.x.test"] {
            assert_eq!(known(&grants, &to(other)), Known::No, "{other}");
        }
    }

    #[test]
    fn p1_paths_that_need_normalising_are_malformed_and_others_are_compared_as_they_are() {
        let grants = [grant(1, &["a.test"], |terms| terms.paths = Some(vec!["/v1/*".parse().unwrap()]))];
        assert_eq!(code(&grants, "a.test", "GET", "/v1/models"), Ok(1));
        for path in ["/admin", "/V1/models", "/v11", "/"] {
            assert_eq!(code(&grants, "a.test", "GET", path), Err(Code::BlockedByPolicy), "{path}");
        }
        for path in
            ["/v1/../admin", "/v1/%2e%2e/admin", "/v1/..%2fadmin", "//admin", "/v1//x", "/v1/x%00", "/v1/%61"]
        {
            assert_eq!(code(&grants, "a.test", "GET", path), Err(Code::Malformed), "{path}");
        }
    }

    #[test]
    fn p4_methods_are_compared_as_they_are() {
        let grants = [grant(1, &["a.test"], |_| ())];
        assert_eq!(code(&grants, "a.test", "PATCH", "/"), Ok(1));
        for method in ["get", "PATCH2", "PROPFIND"] {
            assert_eq!(code(&grants, "a.test", method, "/"), Err(Code::BlockedByPolicy), "{method}");
        }
        for method in ["TRACE", "TRACK", "DEBUG", "CONNECT"] {
            assert_eq!(code(&grants, "a.test", method, "/"), Err(Code::MethodNotAllowed), "{method}");
        }
    }

    #[test]
    fn d23_d24_of_two_keys_none_is_picked_until_one_is_named() {
        let account = |name: &str| name.parse::<Account>().unwrap();
        let grants = [
            grant(1, &["a.test"], |terms| terms.account = Some(account("work"))),
            grant(2, &["*.w.test", "a.test"], |_| ()),
            grant(3, &["c.test"], |_| ()),
        ];
        let grants = &grants[..];
        let pick = |name| {
            let meant = Meant { account: name, ..nothing() };
            judge(grants, &to("a.test"), &Method::GET, b"/", &meant).map(|grant| grant.key.as_bytes()[0])
        };
        let refusal = pick(None).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.choices),
            (Code::MultipleConnections, vec!["work".into(), "KEY_2".into()])
        );
        assert_eq!(pick(Some("work")), Ok(1));
        assert_eq!(pick(Some("KEY_2")), Ok(2));
        for other in ["KEY_1", "KEY_3", "", "WORK"] {
            assert_eq!(pick(Some(other)).unwrap_err().code, Code::AccessRestricted, "{other}");
        }
    }

    #[test]
    fn d23_a_key_in_the_address_is_the_only_one_and_a_placeholder_decides_between_those_that_fit() {
        let reads = |terms: &mut Terms| terms.paths = Some(vec!["/v1/*".parse().unwrap()]);
        let grants =
            [grant(1, &["a.test"], reads), grant(2, &["a.test"], |_| ()), grant(3, &["b.test"], |_| ())];
        let pick = |path: &str, key: Option<u8>, account, shown: &[u8]| {
            let shows = |grant: &Grant| shown.contains(&grant.key.as_bytes()[0]);
            let meant = Meant { key: key.map(|id| KeyId::from_bytes([id; 16])), account, shows };
            judge(&grants, &to("a.test"), &Method::GET, path.as_bytes(), &meant)
                .map(|grant| grant.key.as_bytes()[0])
                .map_err(|refusal| refusal.code)
        };
        assert_eq!(pick("/v1/x", Some(1), None, &[]), Ok(1));
        assert_eq!(pick("/v1/x", Some(2), None, &[1]), Ok(2));
        assert_eq!(pick("/x", Some(1), None, &[]), Err(Code::BlockedByPolicy), "though another fits");
        assert_eq!(pick("/v1/x", Some(3), None, &[]), Err(Code::AppNotConnected));
        assert_eq!(pick("/v1/x", Some(1), Some("KEY_2"), &[]), Err(Code::AccessRestricted));
        assert_eq!(pick("/v1/x", None, None, &[1]), Ok(1));
        assert_eq!(pick("/v1/x", None, Some("KEY_2"), &[1]), Ok(2), "and its place is looked at later");
        for shown in [&[][..], &[1, 2], &[3]] {
            assert_eq!(pick("/v1/x", None, None, shown), Err(Code::MultipleConnections), "{shown:?}");
        }
    }

    #[test]
    fn a_rule_that_asks_for_an_approval_is_refused_and_not_passed_by() {
        let always = [grant(1, &["a.test"], |terms| terms.approval = Approval::Always)];
        let writes = [grant(1, &["a.test"], |terms| terms.approval = Approval::Writes)];
        assert_eq!(code(&always, "a.test", "GET", "/"), Err(Code::ApprovalUnavailable));
        assert_eq!(code(&writes, "a.test", "GET", "/"), Ok(1));
        assert_eq!(code(&writes, "a.test", "POST", "/"), Err(Code::ApprovalUnavailable));
    }

    #[test]
    fn v5_v6_a_path_that_makes_or_shows_credentials_has_to_be_named() {
        let own_host = |change: fn(&mut Terms)| {
            let mut grant = grant(2, &["search.ten.test"], change);
            grant.provider = Some("meilisearch".into());
            [grant]
        };
        let github = [grant(1, &["api.github.com"], |_| ())];
        for path in ["/user/keys", "/USER/keys", "/user/keys;x", "/repos/o/r/keys/", "/user/keys%3fx"] {
            for method in ["GET", "POST"] {
                assert_eq!(
                    code(&github, "api.github.com", method, path),
                    Err(Code::CredentialPath),
                    "{path}"
                );
            }
        }
        assert_eq!(code(&github, "api.github.com", "POST", "/repos/o/r/issues"), Ok(1));
        assert_eq!(code(&own_host(|_| ()), "search.ten.test", "GET", "/keys"), Err(Code::CredentialPath));
        let named =
            own_host(|terms| terms.paths = Some(vec!["/*".parse().unwrap(), "/keys".parse().unwrap()]));
        assert_eq!(code(&named, "search.ten.test", "GET", "/keys"), Ok(2));
        assert_eq!(code(&named, "search.ten.test", "GET", "/keys/x"), Err(Code::CredentialPath));
    }
}
