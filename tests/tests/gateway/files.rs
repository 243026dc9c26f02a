//! The files of a gateway, and who finds them: programs that start elsewhere, other users, and nobody if it did not start.

use crate::behind::start;
use crate::{Scene, private};

#[test]
fn what_a_program_is_told_leads_there_from_every_folder() {
    let scene = Scene::new();
    private(&scene.gateway.write("bot.txt", &scene.credential));
    let env = "proxy env --agent bot --credential-file bot.txt --no-keys";
    for (before, words) in [("", "--state state"), ("export KEYWARD_HOME=folder;", "")] {
        let script = format!(
            "{before} keyward proxy ca {words} >ca.pem && eval \"$(keyward {env} {words})\" && cd / && test -s \"$SSL_CERT_FILE\" \
             && printf '%s' \"$JAVA_TOOL_OPTIONS\""
        );
        let ended = scene.gateway.shell(&["sh"], &script);
        let out = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(ended.code, 0, "{script}: {}", ended.said());
        assert!(out.starts_with("-Djavax.net.ssl.trustStore=/"), "{out}");
    }
    let ended =
        start(&scene, &["proxy", "--agent", "bot"], "cd / && test -s \"$SSL_CERT_FILE\" && echo there");
    assert_eq!(ended.stdout, b"there\n", "{}", ended.said());
    // In which folder the program will be, nobody knows here.
    for more in [&["--bundle", "ca.pem"][..], &["--bundle", "/ca.pem", "--java-bundle", "ca.jks"]] {
        let words = [&env.split(' ').collect::<Vec<_>>()[..], more].concat();
        let ended = scene.gateway.keyward(&words);
        assert!(ended.code == 2 && ended.stderr.contains("from / on"), "{}", ended.said());
    }
}
