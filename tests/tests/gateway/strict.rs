//! Verifiers that take no certificate which is not exactly as it should be.

use keyward_tests::machine::run;
use keyward_tests::tools::{npm, python};

use crate::{SECRET, Scene};

#[test]
fn python_in_its_strict_mode_believes_the_gateway() {
    let scene = Scene::new();
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at);
    let mut command = agent.command(python());
    command.args(["-c", PYTHON, &scene.url("/strict")]);
    let ended = run(command, b"");
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(scene.service.seen().contains("GET /strict ") && !ended.said().contains(SECRET));
}

#[test]
fn openssl_in_its_strict_mode_believes_the_gateway() {
    let scene = Scene::new();
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at).with("CREDENTIAL", &scene.credential).with("AT", &gateway.at);
    let script = format!(
        "exec openssl s_client -connect localhost:{} -proxy \"$AT\" -proxy_user any -proxy_pass env:CREDENTIAL \\
            -CAfile \"$SSL_CERT_FILE\" -x509_strict -verify_return_error -verify_hostname localhost </dev/null",
        scene.service.port
    );
    let ended = agent.shell(&["sh"], &script);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(ended.said().contains("Verify return code: 0 (ok)"), "{}", ended.said());
}

/// Node without the gateway's authority, and with it.
#[test]
fn node_believes_the_gateway_and_nobody_without_its_authority() {
    let scene = Scene::new();
    let gateway = scene.start();
    let code = |agent: keyward_tests::machine::Machine| {
        let mut command = agent.command("node".into());
        command.args(["-e", NODE, &scene.url("/node")]);
        run(command, b"").code
    };
    let agent = || scene.agent(&gateway.at).with("NODE_PATH", npm().join("node_modules"));
    assert_eq!((code(agent()), code(agent().without("NODE_EXTRA_CA_CERTS"))), (0, 9));
}

const PYTHON: &str = "
import os, ssl, sys, urllib.request
context = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])
context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
urllib.request.urlopen(sys.argv[1], context=context).read()
";
const NODE: &str = "
const { EnvHttpProxyAgent, request } = require('undici');
request(process.argv[1], { dispatcher: new EnvHttpProxyAgent() }).then(answer => answer.body.text())
    .catch(error => process.exit(/CERT|SIGN|ISSUER/.test(error.code) ? 9 : 1));
";
