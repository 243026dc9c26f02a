//! The README's five minutes, as one `sh -eu` script in an empty home.
//!
//! It runs as it is written, but for this: a password is piped into `keyward init`, the server takes a free port in place
//! of 8420 and is waited for, and what the shell then has in its environment is written down.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use keyward_tests::machine::variables;
use keyward_tests::server::{program, wait_until};

use crate::markdown;

#[test]
fn the_readme_does_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let (home, notes) = (dir.path().join("home"), dir.path().join("notes"));
    fs::create_dir(&home).unwrap();
    fs::create_dir(&notes).unwrap();
    fs::write(home.join(".env"), DOTENV).unwrap();
    fs::write(notes.join("password"), PASSWORD).unwrap();

    let mut script = Script::start(&script(&markdown::read("README.md")), &home, &notes);
    let status = wait_until("the end of the README", || script.ended());
    let noted = |name: &str| fs::read_to_string(notes.join(name)).unwrap_or_default();
    let said = noted("said");
    assert!(status.success() && notes.join("done").exists(), "{status}\n{said}\n{}", noted("complaints"));

    // The commands that read a log-in without a token printed what the README promises.
    assert!(said.contains(&format!("connected to {}\n", VALUES[0].1)), "{said}");
    drop(script);

    let shell = variables(&fs::read(notes.join("variables")).unwrap());
    for (name, value) in VALUES {
        assert_eq!(shell.get(name).map(Vec::as_slice), Some(value.as_bytes()), "{name}");
    }
    assert!(!shell.contains_key(EXCLUDED.0), "{} is in the shell", EXCLUDED.0);

    let token = fs::read_to_string(home.join("token.txt")).unwrap();
    assert!(token.starts_with("kwt1_"), "no token was issued");
    let log = noted("server.log");
    assert!(log.contains("/v1/me/bundle"), "the log does not tell of requests:\n{log}");
    for secret in VALUES.iter().flat_map(|(name, value)| [*name, *value]).chain([
        EXCLUDED.0,
        EXCLUDED.1,
        PASSWORD.trim(),
        token.trim(),
    ]) {
        assert!(!log.contains(secret), "the server's log holds {secret}");
    }
}

/// The blocks of the README that are to be run, in their order.
fn script(readme: &str) -> String {
    let mut script = String::new();
    let mut changed = BTreeMap::new();
    for line in markdown::lines(readme).iter().filter(|line| line.fence == Some("sh")) {
        let (what, lines) = match line.text {
            "keyward-server &" => ("server", SERVER.to_owned()),
            text if text.starts_with("keyward init ") => {
                ("init", format!("{text} --password-stdin <\"$NOTES/password\""))
            }
            text if text.contains(ADDRESS) => ("address", text.replace(ADDRESS, "$KEYWARD_URL")),
            text if text.starts_with("eval ") => ("eval", format!("{text}\nenv -0 >\"$NOTES/variables\"")),
            text => ("", text.to_owned()),
        };
        *changed.entry(what).or_insert(0) += 1;
        script += &(lines + "\n");
    }
    for once in ["server", "init", "address", "eval"] {
        assert_eq!(changed.get(once), Some(&1), "the README has another form: {changed:?}");
    }
    assert!(script.lines().count() > 15, "{script}");
    script + "touch \"$NOTES/done\"\n"
}

/// A shell, and everything that it started.
struct Script(Child);

impl Script {
    fn start(script: &str, home: &Path, notes: &Path) -> Self {
        let beside = program("keyward").parent().unwrap().to_owned();
        program("keyward-server");
        let note = |name: &str| File::create(notes.join(name)).unwrap();
        let child = Command::new("sh")
            .args(["-eu", "-c", script])
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", beside.display()))
            .env("HOME", home)
            .env("NOTES", notes)
            .env("KEYWARD_SERVER_LISTEN", "127.0.0.1:0")
            .env("KEYWARD_SERVER_LOG", "trace")
            .current_dir(home)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(note("said"))
            .stderr(note("complaints"))
            .spawn()
            .unwrap();
        Self(child)
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Its group: the server outlives the shell.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

/// `keyward-server &`, waited for.
const SERVER: &str = r#"keyward-server >"$NOTES/ready" 2>"$NOTES/server.log" &
until grep -q '://' "$NOTES/ready"; do kill -0 $!; sleep 0.05; done
export KEYWARD_URL="http://$(sed 's|.*://||' "$NOTES/ready")""#;

/// The address that the README's server listens at.
const ADDRESS: &str = "http://127.0.0.1:8420";

const PASSWORD: &str = "gravel-tulip-canary-mosaic-lantern-orbit\n";

/// The variables that the shell must get.
const VALUES: [(&str, &str); 4] = [
    ("DATABASE_URL", "postgres://app:it's $(a) \"secret\"@db.example/app"),
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    ("MAIL_TEXT", "two\nlines"),
];

/// The variable that the shell must not get.
const EXCLUDED: (&str, &str) = ("STRIPE_SECRET_KEY", "sk_live_51HexampleExampleExample");

const DOTENV: &str = r#"# a usual file
DATABASE_URL="postgres://app:it's \$(a) \"secret\"@db.example/app"
STRIPE_SECRET_KEY=sk_live_51HexampleExampleExample
export AWS_ACCESS_KEY_ID=AKIAEXAMPLEEXAMPLE00
AWS_SECRET_ACCESS_KEY='wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
MAIL_TEXT="two\nlines"
"#;
