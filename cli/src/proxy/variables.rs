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
    /// The same for Java.
    pub java: Option<&'a str>,
    /// Hosts that are reached without it, beside this machine.
    pub direct: &'a [String],
}

/// Name and value of each.
pub fn variables(place: &Place<'_>) -> Vec<(&'static str, Zeroizing<String>)> {
    let Place { at, agent, credential, bundle, java, direct } = place;
    let user: String = agent.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let proxy = Zeroizing::new(format!("http://{user}:{credential}@{at}"));
    // The gateway itself, which is spoken to as a server in base-URL mode.
    let (host, port) = host_and_port(at);
    let mut none = vec!["localhost", "127.0.0.1", "::1"];
    for host in direct.iter().map(String::as_str).chain([host]) {
        if !none.contains(&host) {
            none.push(host);
        }
    }
    let mut all = Vec::new();
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        all.push((name, proxy.clone()));
    }
    for name in ["NO_PROXY", "no_proxy"] {
        all.push((name, Zeroizing::new(none.join(","))));
    }
    for name in BUNDLES {
        all.push((name, Zeroizing::new((*bundle).to_owned())));
    }
    for (name, value) in [("NODE_USE_ENV_PROXY", "1"), ("GIT_TERMINAL_PROMPT", "0")] {
        all.push((name, Zeroizing::new(value.to_owned())));
    }
    if let Some(store) = java {
        all.push((JAVA, Zeroizing::new(java_options(store, host, port, &none))));
    }
    all
}

/// Java reads neither of the other variables, and takes no credential in one: every Java prints this one when it starts.
fn java_options(store: &str, host: &str, port: &str, direct: &[&str]) -> String {
    let direct =
        direct.iter().map(|host| if host.contains(':') { format!("[{host}]") } else { (*host).to_owned() });
    let direct = direct.collect::<Vec<_>>().join("|");
    let option = |name: &str, value: &str| {
        // What has a blank is one word within quotes; a quote cannot be written.
        let quote = if value.contains([' ', '|']) { "'" } else { "" };
        format!("-D{name}={quote}{value}{quote}")
    };
    let mut options =
        vec![option("javax.net.ssl.trustStore", store), option("javax.net.ssl.trustStoreType", "JKS")];
    for scheme in ["https", "http"] {
        options.push(option(&format!("{scheme}.proxyHost"), host));
        options.push(option(&format!("{scheme}.proxyPort"), port));
    }
    options.push(option("http.nonProxyHosts", &direct));
    // Otherwise an Authenticator is not asked for a CONNECT.
    options.push(option("jdk.http.auth.tunneling.disabledSchemes", ""));
    options.join(" ")
}

fn host_and_port(at: &str) -> (&str, &str) {
    let (host, port) = at.rsplit_once(':').unwrap_or((at, "80"));
    (host.trim_matches(['[', ']']), port)
}

/// Options that every Java takes. Those that are there already are to stay: they add up.
pub const JAVA: &str = "JAVA_TOOL_OPTIONS";

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
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
];

/// Those that lead programs around the gateway, or have them trust whoever answers: they are taken away.
pub const AROUND: &[&str] = &[
    "ALL_PROXY",
    "all_proxy",
    "grpc_proxy",
    "no_grpc_proxy",
    "npm_config_proxy",
    "npm_config_http_proxy",
    "npm_config_https_proxy",
    "npm_config_noproxy",
    "npm_config_strict_ssl",
    "NPM_CONFIG_PROXY",
    "NPM_CONFIG_HTTP_PROXY",
    "NPM_CONFIG_HTTPS_PROXY",
    "NPM_CONFIG_NOPROXY",
    "NPM_CONFIG_STRICT_SSL",
    "CARGO_HTTP_PROXY",
    "PIP_PROXY",
    "PIP_TRUSTED_HOST",
    "GIT_SSL_NO_VERIFY",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "PYTHONHTTPSVERIFY",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn told(at: &str, java: Option<&str>, name: &str) -> Option<String> {
        let direct = ["db.internal".to_owned(), "localhost".to_owned()];
        let place = Place {
            at,
            agent: "my agent@x",
            credential: "kwp1_abc",
            bundle: "/run/ca.pem",
            java,
            direct: &direct,
        };
        let all = variables(&place);
        all.iter().find(|(own, _)| *own == name).map(|(_, value)| value.to_string())
    }

    #[test]
    fn a_program_is_told_the_proxy_in_both_cases_and_one_bundle() {
        let value = |name: &str| told("127.0.0.1:8421", None, name);
        assert_eq!(value("HTTPS_PROXY").unwrap(), "http://my-agent-x:kwp1_abc@127.0.0.1:8421");
        assert_eq!(value("HTTPS_PROXY"), value("https_proxy"));
        assert_eq!(value("no_proxy").unwrap(), "localhost,127.0.0.1,::1,db.internal");
        assert_eq!(value("SSL_CERT_FILE").unwrap(), "/run/ca.pem");
        assert_eq!(value("NODE_USE_ENV_PROXY").unwrap(), "1");
        assert_eq!(value("JAVA_TOOL_OPTIONS"), None);
        let elsewhere = told("gateway:8421", None, "NO_PROXY").unwrap();
        assert_eq!(elsewhere, "localhost,127.0.0.1,::1,db.internal,gateway");
    }

    #[test]
    fn java_is_told_its_store_and_the_proxy_and_never_the_credential() {
        let options = told("[::1]:8421", Some("/a b/ca.jks"), "JAVA_TOOL_OPTIONS").unwrap();
        assert!(options.starts_with("-Djavax.net.ssl.trustStore='/a b/ca.jks' "), "{options}");
        assert!(options.contains(" -Dhttps.proxyHost=::1 -Dhttps.proxyPort=8421 "), "{options}");
        assert!(
            options.contains(" -Dhttp.nonProxyHosts='localhost|127.0.0.1|[::1]|db.internal' "),
            "{options}"
        );
        assert!(!options.contains("kwp1"), "{options}");
    }
}
