//! Programs that make requests, and how each can be told of a gateway: the ways in the order in which they are tried.

/// A program that may be on PATH.
pub(super) struct Program {
    /// The program's name in the report.
    pub(super) name: &'static str,
    /// The program's name on PATH.
    pub(super) runs: &'static str,
    /// The first that works is the one.
    pub(super) ways: &'static [Way],
    /// What the user can do if no way works.
    pub(super) next: &'static str,
}

/// A way of reaching the service.
pub(super) struct Way {
    /// What has to be done for it; empty: nothing but the variables.
    pub(super) how: &'static str,
    /// The text of the report if nothing has to be done.
    pub(super) found: &'static str,
    /// Whether the gateway is called by its own address, and not as a proxy.
    pub(super) by_address: bool,
    /// The program's arguments: `{url}` is the service's address, `{folder}` an empty folder, `$NAME` one of the variables.
    pub(super) words: &'static [&'static str],
    /// A file to be put there first.
    pub(super) file: Option<(&'static str, &'static str)>,
}

const fn plain(words: &'static [&'static str]) -> Way {
    Way { how: "", found: ALONE, by_address: false, words, file: None }
}

const fn with(how: &'static str, words: &'static [&'static str]) -> Way {
    Way { how, found: ALONE, by_address: false, words, file: None }
}

const fn by_address(how: &'static str, words: &'static [&'static str]) -> Way {
    Way { how, found: ALONE, by_address: true, words, file: None }
}

const ALONE: &str = "works by the variables alone";

/// A library that is not there is no finding: the program says so with this code.
pub(super) const NOT_THERE: i32 = 66;

const CONFIG: &str =
    "look for a proxy or certificate setting in its own configuration, which goes before the variables";

/// All that are looked for.
#[rustfmt::skip]
pub(super) const PROGRAMS: &[Program] = &[
    Program { name: "curl", runs: "curl", next: CONFIG, ways: &[plain(&["-sS", "--fail", "{url}"])] },
    Program { name: "wget", runs: "wget", next: CONFIG, ways: &[
        plain(&["-q", "-O-", "--tries=1", "{url}"]),
        with("--ca-certificate=\"$SSL_CERT_FILE\", for this one reads no variable (GnuTLS)",
            &["-q", "-O-", "--tries=1", "--ca-certificate=$SSL_CERT_FILE", "{url}"]),
    ] },
    Program { name: "git", runs: "git", next: CONFIG, ways: &[plain(&["ls-remote", "{url}"])] },
    Program { name: "python3", runs: "python3", next: "give its requests a context of SSL_CERT_FILE", ways: &[
        plain(&["-c", "import sys, urllib.request as r; r.urlopen(sys.argv[1]).read()", "{url}"]),
    ] },
    Program { name: "requests", runs: "python3", next: "look for trust_env, verify= or proxies= in the program", ways: &[
        plain(&["-c", "import sys\ntry: import requests\nexcept ImportError: sys.exit(66)\nrequests.get(sys.argv[1]).raise_for_status()", "{url}"]),
    ] },
    Program { name: "httpx", runs: "python3", next: "look for trust_env, verify= or proxy= in the program", ways: &[
        plain(&["-c", "import sys\ntry: import httpx\nexcept ImportError: sys.exit(66)\nhttpx.get(sys.argv[1]).raise_for_status()", "{url}"]),
    ] },
    Program { name: "aiohttp", runs: "python3", next: "use ClientSession(trust_env=True)", ways: &[
        with("ClientSession(trust_env=True)", &["-c", "import sys, asyncio\ntry: import aiohttp\nexcept ImportError: sys.exit(66)\nasync def main():\n async with aiohttp.ClientSession(trust_env=True) as s:\n  async with s.get(sys.argv[1]) as r: r.raise_for_status()\nasyncio.run(main())", "{url}"]),
    ] },
    // Its configuration may name other indexes, which would be asked as well; what builds a package would run what they send.
    Program { name: "pip", runs: "pip", next: CONFIG, ways: &[
        Way { found: "works by the variables alone; its configuration files were left aside", ..plain(&["download", "--only-binary=:all:", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--no-deps", "--retries=0",
            "--timeout=10", "--dest={folder}", "--index-url={url}", "keyward-doctor"]) },
    ] },
    Program { name: "node", runs: "node", next: "use undici's EnvHttpProxyAgent, or Node 24", ways: &[
        plain(&["-e", "fetch(process.argv[1]).then(r => r.text()).catch(e => { console.error(e.cause || e); process.exit(1) })", "{url}"]),
        by_address("the service's address at the gateway (OPENAI_BASE_URL and the like), for it reads no HTTPS_PROXY before 22.21 and 24",
            &["-e", "fetch(process.argv[1], { headers: { authorization: 'Bearer ' + process.env.KEYWARD_TRIAL } }).then(r => r.text()).catch(e => { console.error(e.cause || e); process.exit(1) })", "{url}"]),
    ] },
    Program { name: "npm", runs: "npm", next: CONFIG, ways: &[
        plain(&["view", "keyward-doctor", "--registry={url}", "--fetch-retries=0", "--cache={folder}", "--no-update-notifier"]),
    ] },
    Program { name: "cargo", runs: "cargo", next: CONFIG, ways: &[
        plain(&["search", "keyward-doctor", "--index=sparse+{url}/"]),
    ] },
    Program { name: "go", runs: "go", next: "Go takes its proxy from HTTPS_PROXY and its authorities from SSL_CERT_FILE; macOS needs the keychain", ways: &[
        plain(&["list", "-m", "service.keyward.invalid/doctor@latest"]),
    ] },
    Program { name: "java", runs: "java", next: "give it an Authenticator with the credential; or use the gateway as the service's address", ways: &[
        Way { how: "an Authenticator with the credential; the rest is in JAVA_TOOL_OPTIONS", found: ALONE, by_address: false,
            words: &["{folder}/Trial.java", "{url}"], file: Some(("Trial.java", JAVA)) },
    ] },
];

const JAVA: &str = r#"import java.net.*;
import java.net.http.*;

public class Trial {
    public static void main(String[] words) throws Exception {
        URI proxy = URI.create(System.getenv("HTTPS_PROXY"));
        String[] who = proxy.getUserInfo().split(":", 2);
        HttpClient client = HttpClient.newBuilder().proxy(ProxySelector.getDefault()).authenticator(new Authenticator() {
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(who[0], who[1].toCharArray());
            }
        }).build();
        HttpRequest request = HttpRequest.newBuilder(URI.create(words[0])).build();
        System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}
"#;
