//! The drill of docs/OPERATING.md, as it stands there.

use std::path::Path;
use std::process::Command;

use keyward_tests::server::{Engine, program};
use keyward_tests::world::World;

#[test]
fn the_drill_is_a_backup_that_is_restored_while_the_server_serves() {
    let (world, backups) = (World::new(Engine::Sqlite), tempfile::tempdir().unwrap());
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/OPERATING.md");
    let text = std::fs::read_to_string(docs).unwrap();
    let (_, section) = text.split_once("\n### A drill\n").unwrap();
    let (_, block) = section.split_once("\n```sh\n").unwrap();
    let (script, _) = block.split_once("\n```\n").unwrap();
    assert!(script.contains("keyward-server restore /backup/"), "{script}");
    let script = script
        .replace("/var/lib/keyward", world.server.data().to_str().unwrap())
        .replace("/backup/", &format!("{}/", backups.path().display()));
    let beside = program("keyward-server").parent().unwrap().to_owned();
    let output = Command::new("sh")
        .args(["-euc", &script])
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", beside.display()))
        .current_dir(backups.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout.is_empty(), "{said}");
    for word in [" rows are in ", " rows are restored. ", "Nothing is wrong: 1 organisations"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(backups.path().read_dir().unwrap().count(), 0);
}
