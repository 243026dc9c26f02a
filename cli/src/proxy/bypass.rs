//! Variables that lead programs around the gateway, or have them trust whoever answers: they are taken away from what runs behind
//! it.

use std::ffi::OsStr;

use super::variables::JAVA;

/// Whether a variable leads programs around the gateway. Letters may be of either case: npm takes both, and tools differ.
pub fn bypasses_gateway(name: &OsStr, value: &OsStr) -> bool {
    let (Some(name), value) = (name.to_str(), value.to_string_lossy()) else { return false };
    let is_named = VARIABLES.iter().any(|own| own.eq_ignore_ascii_case(name));
    // The gateway's own options of Java come after those in JAVA_TOOL_OPTIONS, and before those in the other variables.
    let is_java_option = name != JAVA && JAVA_OPTIONS.contains(&name);
    is_named || (is_java_option && JAVA_STEERING.iter().any(|option| value.contains(option)))
}

/// The names of these variables as they are written, for a shell that unsets them.
pub fn variable_spellings() -> impl Iterator<Item = String> {
    VARIABLES.iter().flat_map(|name| [(*name).to_owned(), name.to_ascii_uppercase()])
}

const VARIABLES: &[&str] = &[
    // Proxies for some schemes or all: a program would use one of them in the place of HTTPS_PROXY.
    "all_proxy",
    "auto_proxy",
    "cgi_http_proxy",
    "ftp_proxy",
    "rsync_proxy",
    "socks_proxy",
    "socks_server",
    "socks5_server",
    "ws_proxy",
    "wss_proxy",
    "grpc_proxy",
    "no_grpc_proxy",
    // Variables of single programs, and the certificates that they verify with.
    "bundle_ssl_ca_cert",
    "bundle_ssl_verify_mode",
    "cargo_http_proxy",
    "cloudsdk_auth_disable_ssl_validation",
    "cloudsdk_core_custom_ca_certs_file",
    "cloudsdk_proxy_address",
    "cloudsdk_proxy_port",
    "cloudsdk_proxy_type",
    "conda_proxy_servers",
    "conda_ssl_verify",
    "git_proxy_command",
    "git_ssl_no_verify",
    "global_agent_http_proxy",
    "global_agent_https_proxy",
    "global_agent_no_proxy",
    "node_tls_reject_unauthorized",
    "npm_config_ca",
    "npm_config_cafile",
    "npm_config_http_proxy",
    "npm_config_https_proxy",
    "npm_config_noproxy",
    "npm_config_no_proxy",
    "npm_config_proxy",
    "npm_config_strict_ssl",
    "perl_lwp_ssl_verify_hostname",
    "pip_proxy",
    "pip_trusted_host",
    "pythonhttpsverify",
    "uv_insecure_host",
    "vault_http_proxy",
    "vault_proxy_addr",
    "vault_skip_verify",
    "yarn_enable_strict_ssl",
    "yarn_http_proxy",
    "yarn_https_ca_file_path",
    "yarn_https_proxy",
    // The address of a service, in the place of which the gateway sets none.
    "google_gemini_base_url",
];

/// Options of Java, which may say anything else as well.
const JAVA_OPTIONS: &[&str] =
    &["_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS", "MAVEN_OPTS", "GRADLE_OPTS", "SBT_OPTS"];

const JAVA_STEERING: &[&str] =
    &["-Dhttp.proxy", "-Dhttps.proxy", "-Dhttp.nonProxyHosts", "-DsocksProxy", "-Djavax.net.ssl.trustStore"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_around_is_known_in_letters_of_either_case_and_by_what_it_says() {
        let leads = |name: &str, value: &str| bypasses_gateway(OsStr::new(name), OsStr::new(value));
        for name in ["ALL_PROXY", "all_proxy", "NPM_CONFIG_PROXY", "npm_config_Proxy", "GIT_SSL_NO_VERIFY"] {
            assert!(leads(name, "x"), "{name}");
        }
        assert!(leads("_JAVA_OPTIONS", "-Xmx1g -Dhttps.proxyHost=evil.test"));
        assert!(leads("MAVEN_OPTS", "-Djavax.net.ssl.trustStore=/x"));
        for (name, value) in [
            ("_JAVA_OPTIONS", "-Xmx1g"),
            ("JAVA_TOOL_OPTIONS", "-Dhttps.proxyHost=x"),
            ("EDITOR", "-Dhttps.proxyHost=x"),
            ("PATH", "x"),
            ("MY_PROXY", "x"),
        ] {
            assert!(!leads(name, value), "{name}");
        }
        assert!(VARIABLES.iter().all(|name| *name == name.to_ascii_lowercase()));
    }

    /// A shell unsets before it sets: what is set must not be among what a program would then be left with.
    #[test]
    fn what_a_shell_unsets_is_spelled_as_programs_read_it() {
        let all: Vec<String> = variable_spellings().collect();
        for name in ["ALL_PROXY", "all_proxy", "npm_config_https_proxy", "NODE_TLS_REJECT_UNAUTHORIZED"] {
            assert!(all.iter().any(|own| own == name), "{name}");
        }
    }
}
