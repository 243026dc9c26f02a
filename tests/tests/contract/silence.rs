//! No value, password, token or recovery code in anything that a program says or that the server keeps, whatever goes
//! wrong, but where it was asked for.

use keyward_tests::engines;
use keyward_tests::leak::{Secret, absent};
use keyward_tests::machine::Machine;
use keyward_tests::server::Server;
use keyward_tests::world::PASSWORD;

engines! {
    fn nothing_that_is_said_or_kept_holds_a_secret(engine) {
        let mut server = Server::start(engine);
        let machine = Machine::new(&server.url()).with("RUST_LOG", "trace").with("RUST_BACKTRACE", "full");
        machine.write("value", VALUE);
        machine.write("good.env", format!("IMPORTED={VALUE}\n"));
        machine.write("bad.env", format!("GOOD=1\nBAD LINE {VALUE}\n"));
        machine.write("twice.env", format!("A={VALUE}\nA={VALUE}\n"));
        machine.write("open.env", format!("A=\"{VALUE}\n"));
        let mut said = Vec::new();
        let mut say = |machine: &Machine, line: &str, input: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let ended = machine.keyward_with(&words, input.as_bytes());
            said.extend(ended.said().into_bytes());
            ended
        };
        for (line, input, code) in STORY {
            let ended = say(&machine, line, input);
            assert_eq!(ended.code, *code, "{line}: {}", ended.said());
        }
        // A token is shown once, alone on stdout, when it is made.
        let made = machine.keyward(&["api-user", "create", "robot", "--group", "agents"]);
        let token = String::from_utf8(made.stdout).unwrap().trim_end().to_owned();
        assert!(token.starts_with("kwt1_") && !made.stderr.contains(&token), "{}", made.stderr);

        let robot = Machine::new(&server.url()).with("KEYWARD_TOKEN", &token).with("RUST_BACKTRACE", "full");
        for line in ROBOT {
            say(&robot, line, "");
        }
        let cut = token.strip_suffix(|_: char| true).unwrap();
        for line in [format!("auth api-user --token {token}"), format!("auth api-user --token {cut}")] {
            say(&robot, &line, "");
        }
        say(&robot, "auth api-user --token-stdin", cut);
        // Words that stand where a name, a deployment or a file should.
        for line in [format!("deployment env-file {token} --stdout"), format!("key get {token}"), token.clone()] {
            assert_ne!(say(&robot, &line, "").code, 0, "{line}");
        }
        let kit = std::fs::read_to_string(machine.path("kit")).unwrap();
        let recovery = kit.split_whitespace().find(|word| word.starts_with("kwr1_")).unwrap().to_owned();
        let config = std::fs::read_to_string(machine.path(".keyward/config.toml")).unwrap();
        let halves = config.split('"').find(|word| word.starts_with("kwh1_")).unwrap().to_owned();
        server.stop();
        say(&robot, "key list", "");

        let middle = |text: &str| text.split('_').nth(2).unwrap().to_owned();
        let secrets = [
            Secret::new("the password", PASSWORD),
            Secret::new("a value", VALUE),
            Secret::new("the token's secret", middle(&token)),
            Secret::new("the recovery code's secret", middle(&recovery)),
            Secret::new("what proves the device", middle(&halves)),
        ];
        absent(&secrets, &said, "what keyward said");
        absent(&secrets, server.log().as_bytes(), "the server's log");
        absent(&secrets, &server.everything(), "what the server keeps");
        // The search finds what is there.
        assert!(secrets[1].is_in(&std::fs::read(machine.path("good.env")).unwrap()));
    }
}

/// Each with its standard input and exit code.
const STORY: &[(&str, &str, i32)] = &[
    ("init --org Acme --email olga@canary.example --password-stdin --recovery-kit kit", PASSWORD, 0),
    ("init --org Acme --email olga@canary.example --password-stdin --recovery-kit kit", PASSWORD, 10),
    ("deployment create production", "", 0),
    ("key create BY_STDIN --value-stdin", VALUE, 0),
    ("key create BY_STDIN --value-stdin", VALUE, 10),
    ("key create BY_FILE --from-file value", "", 0),
    ("key set BY_FILE --value-stdin", VALUE, 0),
    ("key create SENT --value-stdin --host a.test --inject canary-value-9f31c2-of-a-key", VALUE, 4),
    ("key create SENT --value-stdin --host a.test --inject basic --field-file user=value", VALUE, 0),
    ("key set SENT --inject header:x-a=canary-value-9f31c2-of-a-key", "", 2),
    ("key show SENT", "", 0),
    ("key show SENT --json", "", 0),
    ("key import bad.env", "", 2),
    ("key import twice.env", "", 2),
    ("key import open.env", "", 2),
    ("key import good.env --map production --dry-run", "", 0),
    ("key import good.env --map production", "", 0),
    ("key import good.env", "", 10),
    ("key import good.env --on-conflict version --json", "", 0),
    ("deployment map production BY_STDIN BY_FILE", "", 0),
    ("group create agents", "", 0),
    ("group assign agents production --exclude BY_FILE", "", 0),
    ("key show BY_STDIN", "", 0),
    ("key list --json", "", 0),
    ("key history BY_FILE", "", 0),
    ("key rollback BY_FILE 1", "", 2),
    ("deployment env-file production out.env", "", 0),
    ("audit list", "", 0),
    ("org show", "", 0),
    ("logout", "", 0),
    ("login --email olga@canary.example --password-stdin", "canary-tulip-gravel-mosaic-lantern-orbiT", 3),
    ("login --email olga@canary.example --password-stdin", PASSWORD, 0),
];

const ROBOT: &[&str] = &[
    "whoami",
    "key list",
    "key create X --value-stdin",
    "deployment show production",
    "deployment env-file nowhere --stdout",
    "run production -- true",
    "run production -- no-such-program",
    "access robot",
];

const VALUE: &str = "canary-value-9f31c2-of-a-key";
