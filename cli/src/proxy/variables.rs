//! The variables by which programs find a gateway and trust it.

use zeroize::Zeroizing;

/// Where the gateway is, as the program sees it.
pub struct Place<'a> {
    /// `127.0.0.1:8421`
    pub at: &'a str,
    /// The agent's name: a user name, which the gateway does not look at.
    pub agent: &'a str,
    /// The agent's credential.
    pub credential: &'a str,
    /// A file with the system's authorities and the gateway's.
    pub bundle: &'a str,
    /// Hosts that are reached without it, beside this machine.
    pub direct: &'a [String],
}

/// Name and value of each.
pub fn variables(place: &Place<'_>) -> Vec<(&'static str, Zeroizing<String>)> {
    let Place { at, agent, credential, bundle, direct } = place;
    let user: String = agent.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let proxy = Zeroizing::new(format!("http://{user}:{credential}@{at}"));
    let mut none = vec!["localhost", "127.0.0.1", "::1"];
    none.extend(direct.iter().map(String::as_str));
    let none = Zeroizing::new(none.join(","));
    let mut all = Vec::new();
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        all.push((name, proxy.clone()));
    }
    for name in ["NO_PROXY", "no_proxy"] {
        all.push((name, none.clone()));
    }
    for name in BUNDLES {
        all.push((name, Zeroizing::new((*bundle).to_owned())));
    }
    for (name, value) in [("NODE_USE_ENV_PROXY", "1"), ("GIT_TERMINAL_PROMPT", "0")] {
        all.push((name, Zeroizing::new(value.to_owned())));
    }
    all
}

/// Each is the one that some runtime reads its authorities from.
const BUNDLES: &[&str] = &[
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "DENO_CERT",
    "NODE_EXTRA_CA_CERTS",
    "npm_config_cafile",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_told_the_proxy_in_both_cases_and_one_bundle() {
        let direct = ["db.internal".to_owned()];
        let place = Place {
            at: "127.0.0.1:8421",
            agent: "my agent@x",
            credential: "kwp1_abc",
            bundle: "/run/ca.pem",
            direct: &direct,
        };
        let all = variables(&place);
        let value = |name: &str| all.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
        assert_eq!(value("HTTPS_PROXY"), Some("http://my-agent-x:kwp1_abc@127.0.0.1:8421"));
        assert_eq!(value("HTTPS_PROXY"), value("https_proxy"));
        assert_eq!(value("no_proxy"), Some("localhost,127.0.0.1,::1,db.internal"));
        assert_eq!(value("SSL_CERT_FILE"), Some("/run/ca.pem"));
        assert_eq!(value("NODE_USE_ENV_PROXY"), Some("1"));
    }
}
