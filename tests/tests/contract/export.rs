//! `keyward audit export`: the log for other programs, verified or marked, and inert wherever it is opened.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keyward_tests::engines;
use keyward_tests::http::Request;
use keyward_tests::insider::Insider;
use keyward_tests::liar::Reply;
use keyward_tests::machine::Machine;
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, ROBOT, World, founded, read};
use keyward_wire::api::audit::{AuditRecord, genesis, link};
use keyward_wire::name::is_unprintable;
use serde_json::Value;

const AUDIT: &str = "GET /v1/audit";

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n') || text.is_empty());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn seqs(path: &Path) -> Vec<u64> {
    lines(path).iter().map(|line| line["seq"].as_u64().unwrap()).collect()
}

engines! {
    fn an_export_is_the_log_entry_by_entry_and_says_whether_it_was_verified(engine) {
        let world = World::new(engine);
        read(&world.robot);
        let owner = &world.owner;
        let org = world.insider();
        let said = owner.keyward(&["audit", "export", "all.jsonl"]);
        assert_eq!(said.code, 0, "{}", said.said());
        assert!(said.stderr.contains("unbroken"), "{}", said.stderr);
        let file = owner.path("all.jsonl");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let all = lines(&file);
        let mut hash = genesis(org.org.org);
        for (seq, line) in (1_u64..).zip(&all) {
            hash = link(hash, line["entry"].as_str().unwrap());
            assert_eq!((line["seq"].as_u64(), line["hash"].as_str()), (Some(seq), Some(&*hash.to_string())));
            assert_eq!(line["verified"], true);
            let record: AuditRecord = serde_json::from_str(line["entry"].as_str().unwrap()).unwrap();
            assert_eq!(line["action"], record.action);
        }
        let named = |line: &Value| line["actor"]["name"] == ROBOT && line["action"] == "bundle.read";
        assert!(all.iter().any(named), "names stand beside ids");
        let value = &all[0]["time"];
        owner.ok(&["audit", "export", "--until", value.as_str().unwrap(), "none.jsonl"]);
        assert_eq!(seqs(&owner.path("none.jsonl")), [] as [u64; 0]);
        owner.ok(&["audit", "export", "--since", "2020-01-01", "--until", "2099-01-01", "range.jsonl"]);
        assert!(seqs(&owner.path("range.jsonl")).starts_with(&seqs(&file)));
        owner.ok(&["audit", "export", "--since", "2099-01-01", "later.jsonl"]);
        assert!(lines(&owner.path("later.jsonl")).is_empty());

        owner.ok(&["audit", "export", "--identity", ROBOT, "robot.jsonl"]);
        let robot = org.identity(ROBOT).id.to_string();
        let theirs = lines(&owner.path("robot.jsonl"));
        assert!(theirs.len() > 3 && theirs.iter().all(|line| line.to_string().contains(&robot)));
        assert!(theirs.iter().all(|line| line["verified"] == true));
        let said = owner.keyward(&["audit", "export", "--key", ALPHA.0, "key.jsonl"]);
        assert!(said.stderr.contains("NOT verified"), "{}", said.said());
        let about = lines(&owner.path("key.jsonl"));
        assert!(about.iter().any(|line| line["action"] == "bundle.read"), "a read through a view is about its keys");
        assert!(about.iter().all(|line| line["verified"] == false));

        let printed = owner.ok(&["audit", "export", "--until", "2099-01-01"]);
        assert!(printed.starts_with(&std::fs::read_to_string(&file).unwrap()), "a file and stdout hold the same");
        let csv = owner.ok(&["audit", "export", "--format", "csv"]);
        assert!(csv.starts_with("seq,time,actor_id,") && csv.matches("\r\n").count() > all.len());
    }
}

/// An owner whose server's audit passes a liar.
fn lied_to() -> (World, keyward_tests::liar::Liar, Machine) {
    let world = World::new(Engine::Sqlite);
    let liar = world.liar();
    let owner = Machine::new(&liar.url());
    std::fs::create_dir(owner.path(".keyward")).unwrap();
    std::fs::set_permissions(owner.path(".keyward"), PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::copy(world.owner.path(".keyward/config.toml"), owner.path(".keyward/config.toml")).unwrap();
    let config = owner.path(".keyward/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    // The memory of the other machine did not come along.
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("pinned")).collect();
    std::fs::write(&config, text.join("\n")).unwrap();
    (world, liar, owner)
}

#[test]
fn a_log_that_does_not_verify_is_not_exported_unless_it_says_so_in_every_line() {
    let (_world, liar, owner) = lied_to();
    owner.write("kept.jsonl", "of before");
    liar.change(AUDIT, |answer| {
        answer.edit(|page| {
            let Some(entry) = page["entries"].get_mut(2) else { return };
            let changed = entry["entry"].as_str().unwrap().replace("127.0.0.1", "10.0.0.66");
            entry["entry"] = changed.into();
        });
    });
    let ended = owner.keyward(&["audit", "export", "--force", "kept.jsonl"]);
    assert_eq!(ended.code, 7, "{}", ended.said());
    assert_eq!(std::fs::read_to_string(owner.path("kept.jsonl")).unwrap(), "of before");
    let ended = owner.keyward(&["audit", "export"]);
    assert_eq!((ended.code, ended.stdout.len()), (7, 0), "{}", ended.said());
    let words = ["audit", "export", "--unverified", "--force", "kept.jsonl"];
    owner.ok(&words);
    let all = lines(&owner.path("kept.jsonl"));
    assert!(all.len() > 10 && all.iter().all(|line| line["verified"] == false));
    std::os::unix::fs::symlink("kept.jsonl", owner.path("link.jsonl")).unwrap();
    assert_eq!(owner.keyward(&["audit", "export", "link.jsonl"]).code, 9);
    let left: Vec<_> =
        std::fs::read_dir(owner.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".keyward-")), "{left:?}");
}

#[test]
fn a_server_that_names_a_later_beginning_hides_nothing() {
    let (_world, liar, owner) = lied_to();
    owner.ok(&["audit", "export", "--since", "2020-01-01", "honest.jsonl"]);
    liar.lie(AUDIT, |request, honest| {
        let mut answer = honest(request);
        if request.target.contains("since=") {
            let all = honest(&Request { target: "/v1/audit".into(), ..request.clone() }).json();
            let later = all["entries"].as_array().unwrap()[9].clone();
            answer.edit(|page| page["entries"] = Value::Array(vec![later]));
        }
        Reply::Whole(answer)
    });
    owner.ok(&["audit", "export", "--since", "2020-01-01", "lied.jsonl"]);
    let (honest, lied) = (seqs(&owner.path("honest.jsonl")), seqs(&owner.path("lied.jsonl")));
    assert!(honest[0] == 1 && lied.starts_with(&honest), "{lied:?}");
}

#[test]
fn what_the_server_wrote_is_no_formula_and_moves_no_cursor() {
    let (_world, liar, owner) = lied_to();
    let hostile = "=HYPERLINK(\"http://elsewhere\")\u{1b}[2J\u{9b}1m\u{202e}";
    liar.change(AUDIT, move |answer| {
        answer.edit(|page| {
            for entry in page["entries"].as_array_mut().unwrap() {
                let mut record: Value = serde_json::from_str(entry["entry"].as_str().unwrap()).unwrap();
                record["action"] = hostile.into();
                record["objects"] = serde_json::json!([format!("@{hostile}")]);
                record["ip"] = format!("+{hostile}").into();
                entry["entry"] = record.to_string().into();
            }
        });
    });
    for format in ["csv", "jsonl"] {
        let text = owner.ok(&["audit", "export", "--unverified", "--format", format]);
        let bad = |c: char| is_unprintable(c) && c != '\n' && c != '\r';
        assert!(text.contains("HYPERLINK") && !text.contains(bad), "{format}");
        if format == "csv" {
            assert!(text.contains(",\"'=HYPERLINK"), "{text}");
            // Within a cell every quote is doubled: a comma with a single one begins a cell.
            for start in ["=", "@", "+", "-", "\t"] {
                assert!(!text.contains(&format!(",\"{start}")), "a cell begins with {start:?}");
            }
        }
    }
}

#[test]
fn a_file_says_by_its_ending_how_it_is_written_and_is_not_replaced_unasked() {
    let (_server, owner) = founded(Engine::Sqlite);
    let begins = |file: &str, with: &str| {
        let text = std::fs::read_to_string(owner.path(file)).unwrap();
        assert!(text.starts_with(with), "{file}: {text}");
    };
    for (words, file, with) in [
        (&["a.csv"][..], "a.csv", "seq,time,"),
        (&["a.CSV"], "a.CSV", "seq,time,"),
        (&["a.jsonl"], "a.jsonl", "{"),
        (&["b.csv", "--format", "jsonl"], "b.csv", "{"),
        (&["b.log", "--format", "csv"], "b.log", "seq,time,"),
    ] {
        owner.ok(&[&["audit", "export"], words].concat());
        begins(file, with);
    }
    let before = std::fs::read(owner.path("a.csv")).unwrap();
    let ended = owner.keyward(&["audit", "export", "a.csv"]);
    assert!(ended.code == 10 && ended.stderr.contains("--force"), "{}", ended.said());
    assert_eq!(std::fs::read(owner.path("a.csv")).unwrap(), before);
    owner.ok(&["audit", "export", "a.csv", "--force", "--format", "jsonl"]);
    begins("a.csv", "{");
}

#[test]
fn a_log_of_many_pages_is_exported_whole() {
    let (server, owner) = founded(Engine::Sqlite);
    let insider = Insider::open(&server, &owner);
    for _ in 0..1_050 {
        let answer = server.send(&Request::get("/v1/identities").by(&insider.authorization));
        assert_eq!(answer.status, 200);
    }
    owner.ok(&["audit", "export", "all.jsonl"]);
    let all = seqs(&owner.path("all.jsonl"));
    assert!(all.len() > 1_050 && all.iter().copied().eq(1..=all.len() as u64));
}
