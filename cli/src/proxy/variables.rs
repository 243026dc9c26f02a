//! The variables by which programs find a gateway and trust it.

use keyward_wire::rule::Authority;
use zeroize::Zeroizing;

/// The place of the gateway, as the program sees it.
pub struct GatewayAddress<'a> {
    /// `127.0.0.1:8421`
    pub at: &'a Authority,
    /// The agent's name: a user name, which the gateway does not look at.
    pub agent: &'a str,
    /// The agent's credential.
    pub credential: &'a str,
    /// A file with the system's authorities and the gateway's.
    pub bundle: &'a str,
    /// The path of the key store for Java.
    pub java: Option<&'a str>,
    /// Hosts that are reached without it, beside this machine.
    pub direct: &'a [String],
}

/// Name and value of each.
pub fn variables(place: &GatewayAddress<'_>) -> Vec<(&'static str, Zeroizing<String>)> {
    let GatewayAddress { at, agent, credential, bundle, java, direct } = place;
    let user: String = agent.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let proxy = Zeroizing::new(format!("http://{user}:{credential}@{at}"));
    // The gateway itself, which is spoken to as a server in base-URL mode.
    let (host, port) = (at.host.to_string(), at.port.to_string());
    let host = host.trim_matches(['[', ']']);
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
        all.push((JAVA, Zeroizing::new(java_options(store, host, &port, &none))));
    }
    all
}

/// Java reads neither of the other variables, and takes no credential in one: every Java prints this one when it starts.
fn java_options(store: &str, host: &str, port: &str, direct: &[&str]) -> String {
    let direct =
        direct.iter().map(|host| if host.contains(':') { format!("[{host}]") } else { (*host).to_owned() });
    let direct = direct.collect::<Vec<_>>().join("|");
    let option = |name: &str, value: &str| format!("-D{name}={}", java_word(value));
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

/// A word as Java splits them: between quotes of either kind everything stands for itself, and pieces that touch are one word.
fn java_word(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/:[]=@%+,".contains(&byte)) {
        return text.to_owned();
    }
    let quoted =
        text.split('\'').map(|piece| if piece.is_empty() { String::new() } else { format!("'{piece}'") });
    quoted.collect::<Vec<_>>().join("\"'\"")
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
    "HTTPLIB2_CA_CERTS",
    "NIX_SSL_CERT_FILE",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn told(at: &str, java: Option<&str>, name: &str) -> Option<String> {
        let direct = ["db.internal".to_owned(), "localhost".to_owned()];
        let place = GatewayAddress {
            at: &Authority::parse(at, 0).unwrap(),
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

    /// What HotSpot does with `JAVA_TOOL_OPTIONS`: blanks part words, quotes of either kind hold them together.
    fn words(options: &str) -> Vec<String> {
        let (mut words, mut within, mut quote) = (Vec::<String>::new(), false, None);
        for c in options.chars() {
            if quote == Some(c) {
                quote = None;
            } else if quote.is_none() && c.is_ascii_whitespace() {
                within = false;
            } else {
                if !within {
                    words.push(String::new());
                    within = true;
                }
                match (quote, c) {
                    (None, '\'' | '"') => quote = Some(c),
                    _ => words.last_mut().unwrap().push(c),
                }
            }
        }
        assert_eq!(quote, None, "{options}");
        words
    }

    #[test]
    fn java_reads_every_path_as_it_is() {
        for path in [
            "/ca.jks",
            "/a b/ca.jks",
            "/a\tb",
            "/a\nb",
            "/it's",
            "/'",
            "''",
            "/\"x\"",
            "/\"it's\" me",
            "/ä|$HOME",
        ] {
            let options = told("127.0.0.1:8421", Some(path), JAVA).unwrap();
            let words = words(&options);
            assert_eq!(words[0], format!("-Djavax.net.ssl.trustStore={path}"), "{options}");
            assert_eq!(words[1], "-Djavax.net.ssl.trustStoreType=JKS", "{options}");
            assert_eq!(words.len(), 8, "{options}");
        }
    }
}
