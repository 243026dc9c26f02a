//! The systemd unit that is shipped: systemd understands every line of it, and finds the service well closed in.

use std::path::Path;
use std::process::{Command, Output};

#[test]
fn systemd_understands_the_unit_and_finds_it_closed_in() {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("examples/systemd/keyward-server.service")).unwrap();
    // Where the program is on this machine: systemd looks whether it is there.
    let program = keyward_tests::server::program("keyward-server");
    assert!(text.contains("/usr/local/bin/keyward-server "));
    let unit = dir.path().join("keyward-server.service");
    std::fs::write(&unit, text.replace("/usr/local/bin/keyward-server", program.to_str().unwrap())).unwrap();
    let said = analyze(&["verify", "--man=no", unit.to_str().unwrap()]);
    assert_eq!((said.status.code(), said.stderr.as_slice()), (Some(0), &b""[..]), "{}", text_of(&said));
    let said = analyze(&["security", "--offline=true", "--threshold=20", unit.to_str().unwrap()]);
    assert!(said.status.success(), "{}", text_of(&said));
}

fn analyze(words: &[&str]) -> Output {
    Command::new("systemd-analyze")
        .args(words)
        .output()
        .expect("systemd-analyze is installed (Debian: systemd)")
}

fn text_of(output: &Output) -> String {
    let all = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&all).into_owned()
}
