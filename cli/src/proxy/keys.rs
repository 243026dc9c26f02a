//! Variables that hold something in the place of a key: what programs look for before they make a request.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use keyward_wire::name::EnvName;
use keyward_wire::provider::{self, Provider};
use keyward_wire::rule::Authority;
use zeroize::Zeroizing;

/// A key that an agent may use.
pub struct UsableKey {
    /// The key's name.
    pub name: String,
    /// The provider whose service the key is for, as the key's owner says.
    pub provider: Option<String>,
    /// The host that base-URL mode leads to with this key, if it is a single one.
    pub host: Option<Authority>,
    /// The placeholder that stands for the key's value.
    pub placeholder: Zeroizing<String>,
    /// The variables that the key is mapped to. If there are none, the one of its own name.
    pub mapped: Vec<EnvName>,
}

/// What programs need to call the gateway as if it were the service.
pub struct Base<'a> {
    /// The gateway's address, as programs see it.
    pub at: &'a str,
    /// The agent's credential, which stands in the place of the service's key.
    pub credential: &'a str,
}

/// Each variable with its value: those that the keys are mapped to or named as, and those that their providers' own clients read.
/// If several keys could be meant by a variable, and none is named as it, the variable is left out: a client would use the wrong
/// key.
///
/// With `base`, the variables by which clients are pointed at another address, too, where a provider has one.
pub fn variables(keys: &[UsableKey], base: Option<&Base<'_>>) -> BTreeMap<EnvName, Zeroizing<String>> {
    let providers: Vec<Option<Provider>> = keys.iter().map(provider_of).collect();
    let mut named: BTreeMap<EnvName, usize> = BTreeMap::new();
    for (at, key) in keys.iter().enumerate() {
        for name in own(key) {
            named.entry(name).or_insert(at);
        }
    }
    let mut looked_for: BTreeMap<EnvName, Vec<usize>> = BTreeMap::new();
    for (at, provider) in providers.iter().enumerate() {
        for name in
            provider.iter().flat_map(|provider| provider.variables()).filter_map(|name| name.parse().ok())
        {
            looked_for.entry(name).or_default().push(at);
        }
    }
    for (name, claims) in looked_for {
        if let [only] = claims.as_slice() {
            named.entry(name).or_insert(*only);
        }
    }
    let mut addresses: BTreeMap<EnvName, (usize, Zeroizing<String>)> = BTreeMap::new();
    for (at, (key, provider)) in keys.iter().zip(&providers).enumerate() {
        let Some((base, provider)) = base.zip(*provider).filter(|_| key.host.is_some()) else { continue };
        let Some((variable, path)) = provider.base_url() else { continue };
        // The one that the provider's clients would take.
        let first = provider.variables().next().and_then(|name| name.parse::<EnvName>().ok());
        let is_taken = first.and_then(|first| named.get(&first)).is_some_and(|taken| *taken == at);
        if let Some(variable) = variable.parse().ok().filter(|_| is_taken) {
            addresses.insert(variable, (at, Zeroizing::new(address(base.at, &key.name, path))));
        }
    }
    let mut all = BTreeMap::new();
    for (name, at) in named {
        let Some(key) = keys.get(at) else { continue };
        // At the gateway's own address it proves who asks; under the service's, it is written over like any placeholder.
        let by_address = addresses.values().any(|(of, _)| *of == at);
        let value = match base.filter(|_| by_address) {
            Some(base) => Zeroizing::new(base.credential.to_owned()),
            None => key.placeholder.clone(),
        };
        all.insert(name, value);
    }
    all.extend(addresses.into_iter().map(|(name, (_, address))| (name, address)));
    all
}

/// The variables that are the key's own.
fn own(key: &UsableKey) -> Vec<EnvName> {
    let all = if key.mapped.is_empty() { key.name.parse().into_iter().collect() } else { key.mapped.clone() };
    all.into_iter().filter(|name: &EnvName| !name.steers_programs()).collect()
}

/// The key's provider as its owner says, or else by the hosts that its rule names.
fn provider_of(key: &UsableKey) -> Option<Provider> {
    let named = key.provider.as_deref().and_then(provider::find);
    named.or_else(|| key.host.as_ref().and_then(|host| provider::of_host(host).next()))
}

/// `http://127.0.0.1:8421/-/KEY/v1`
fn address(at: &str, key: &str, path: &str) -> String {
    let mut url = format!("http://{at}/-/");
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url.push_str(path.trim_end_matches('/'));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, provider: Option<&str>, host: Option<&str>, mapped: &[&str]) -> UsableKey {
        UsableKey {
            name: name.to_owned(),
            provider: provider.map(ToOwned::to_owned),
            host: host.map(|host| Authority::parse(host, 443).unwrap()),
            placeholder: Zeroizing::new(format!("placeholder of {name}")),
            mapped: mapped.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    fn told(keys: &[UsableKey], base: bool) -> BTreeMap<String, String> {
        let base = base.then_some(Base { at: "127.0.0.1:8421", credential: "kwp1_c" });
        let all = variables(keys, base.as_ref());
        all.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_key_is_found_under_its_own_name_and_where_its_providers_clients_look() {
        let all = told(&[key("my github key", Some("github"), Some("api.github.com"), &[])], false);
        assert_eq!(all.keys().collect::<Vec<_>>(), ["GH_TOKEN", "GITHUB_TOKEN"]);
        // Where nobody said whose it is, its host does.
        let all = told(&[key("WORK", None, Some("api.groq.com"), &[])], false);
        assert_eq!(all.keys().collect::<Vec<_>>(), ["GROQ_API_KEY", "WORK"]);
        assert!(all.values().all(|value| value == "placeholder of WORK"));
        let all = told(&[key("WIKI_TOKEN", None, Some("wiki.test"), &[])], true);
        assert_eq!(all.keys().collect::<Vec<_>>(), ["WIKI_TOKEN"]);
    }

    #[test]
    fn a_mapping_says_what_its_variable_is_called() {
        let all = told(&[key("work", Some("stripe"), Some("api.stripe.com"), &["PAY", "PAY_TOO"])], true);
        assert_eq!(all.keys().collect::<Vec<_>>(), ["PAY", "PAY_TOO"]);
    }

    #[test]
    fn of_two_keys_of_a_provider_the_one_that_is_called_so_is_taken_or_none() {
        let two =
            [key("A", Some("openai"), Some("api.openai.com"), &[]), key("B", Some("openai"), None, &[])];
        assert_eq!(told(&two, true).keys().collect::<Vec<_>>(), ["A", "B"]);
        let named = [
            key("A", Some("openai"), Some("api.openai.com"), &[]),
            key("OPENAI_API_KEY", Some("openai"), Some("api.openai.com"), &[]),
        ];
        let all = told(&named, true);
        assert_eq!((all["A"].as_str(), all["OPENAI_API_KEY"].as_str()), ("placeholder of A", "kwp1_c"));
        assert_eq!(all["OPENAI_BASE_URL"], "http://127.0.0.1:8421/-/OPENAI_API_KEY/v1");
    }

    #[test]
    fn an_address_is_set_where_the_provider_has_one_and_the_key_leads_to_one_host() {
        let keys = [
            key("my ä", Some("anthropic"), Some("api.anthropic.com"), &[]),
            key("X", Some("groq"), None, &[]),
        ];
        let all = told(&keys, true);
        assert_eq!(all["ANTHROPIC_BASE_URL"], "http://127.0.0.1:8421/-/my%20%C3%A4");
        assert_eq!(all["ANTHROPIC_API_KEY"], "kwp1_c");
        assert_eq!(
            (all["X"].as_str(), all["GROQ_API_KEY"].as_str()),
            ("placeholder of X", "placeholder of X")
        );
        assert!(!all.contains_key("GROQ_BASE_URL"));
        assert!(!told(&keys, false).contains_key("ANTHROPIC_BASE_URL"));
    }

    #[test]
    fn no_key_sets_a_variable_that_steers_programs() {
        assert!(
            told(&[key("LD_PRELOAD", None, None, &[]), key("x", None, None, &["PATH"])], true).is_empty()
        );
    }
}
