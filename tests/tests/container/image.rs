//! The Dockerfile, built for real without an engine, its image run in a room, and `compose.yaml` read by docker-compose.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keyward_tests::machine::run;
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, World, new_robot};
use serde_json::Value;
use tempfile::TempDir;

use crate::release::Unpacked;
use crate::room::{NOBODY, Room, on_path};

/// buildah with a store of its own, that holds one base image made of busybox.
struct Builder {
    store: TempDir,
}

impl Builder {
    fn new(base: &str) -> Self {
        let store = tempfile::Builder::new().prefix("keyward-test.").tempdir().unwrap();
        let builder = Self { store };
        let root = Room::without_keyward();
        let id = text(&builder.ok(&["from", "scratch"]));
        builder.ok(&["add", "--quiet", &id, root.path("").to_str().unwrap(), "/"]);
        builder.ok(&["commit", "--quiet", &id, base]);
        builder.ok(&["rm", &id]);
        builder
    }

    /// `docker build`, as the Dockerfile's head says it.
    fn build(&self, context: &Path, options: &[&str]) -> Output {
        let mut words = vec!["bud", "--isolation", "chroot", "--pull-never", "--format", "docker"];
        words.extend(["-f", "examples/container/Dockerfile"]);
        words.extend(options);
        words.extend(["-t", "app", "."]);
        self.command(&words).current_dir(context).output().unwrap()
    }

    fn ok(&self, words: &[&str]) -> Output {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "buildah {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("buildah");
        let path = |name: &str| self.store.path().join(name);
        command.arg("--root").arg(path("root")).arg("--runroot").arg(path("run"));
        command.args(["--storage-driver", "vfs"]).args(words);
        command
    }

    /// Whether a text is in any layer or description of any image.
    fn holds(&self, text: &str) -> bool {
        let status =
            Command::new("grep").args(["-rqaF", "-e", text]).arg(self.store.path()).status().unwrap();
        assert_ne!(status.code(), Some(2), "grep failed");
        status.success()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap().trim().to_owned()
}

/// The image that the Dockerfile is based on, as it names it.
fn base() -> String {
    let dockerfile = fs::read_to_string(example("Dockerfile")).unwrap();
    dockerfile.lines().find_map(|line| line.strip_prefix("ARG BASE=")).unwrap().to_owned()
}

fn example(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/container")).join(name)
}

#[test]
fn the_image_is_built_with_keys_that_are_not_in_it_and_runs_with_its_own() {
    let world = World::new(Engine::Sqlite);
    // A deployment for the build, and one who may read that and nothing else.
    world.owner.ok(&["deployment", "create", "build"]);
    world.owner.ok(&["deployment", "map", "build", &format!("{}=BUILD_TOKEN", BETA.0)]);
    world.owner.ok(&["group", "create", "builders"]);
    world.owner.ok(&["group", "assign", "builders", "build"]);
    let build_token = new_robot(&world.owner, "builder", &["builders"]);

    let context = Unpacked::new();
    // The build shows that it was given its key, without showing it.
    let build = context.path("examples/container/app/build.sh");
    let script = fs::read_to_string(&build).unwrap();
    let proof = "printf 'length %s\\n' \"${#BUILD_TOKEN}\" >&2\nenv | grep -c '^KEYWARD_' >&2 || :\n";
    fs::write(&build, format!("{script}{proof}")).unwrap();
    let token = world.owner.write("build-token.txt", &build_token);
    let secret = format!("id=keyward_token,src={}", token.display());
    let url = format!("KEYWARD_URL={}", world.server.url());
    let builder = Builder::new(&base());

    let refused = builder.build(&context.path(""), &["--build-arg", &url]);
    assert!(!refused.status.success(), "built without a token");

    let built = builder.build(&context.path(""), &["--build-arg", &url, "--secret", &secret]);
    let said = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(built.status.success(), "{said}");
    assert!(format!("{}{said}", text(&built)).contains(&format!("length {}\n0\n", BETA.1.len())), "{said}");

    for secret in [build_token.as_str(), BETA.1] {
        assert!(!builder.holds(secret), "a secret of the build is in a layer");
    }
    assert!(builder.holds("65532:65532"), "the search sees what is there");

    let config: Value =
        serde_json::from_slice(&builder.ok(&["inspect", "--type", "image", "app"]).stdout).unwrap();
    let config = &config["Docker"]["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/local/bin/entrypoint.sh"]));
    assert_eq!(config["Cmd"], serde_json::json!(["/app/server"]));
    assert_eq!(config["Healthcheck"]["Test"], serde_json::json!(["CMD", "test", "-e", "/tmp/ready"]));
    let id = text(&builder.ok(&["from", "app"]));
    let root = PathBuf::from(text(&builder.ok(&["mount", &id])));
    starts(&world, &root, config);
}

/// Runs the image as its configuration and compose.yaml say, until its own check finds it well.
fn starts(world: &World, root: &Path, config: &Value) {
    let room = Room::at(root);
    room.file("run/secrets/keyward_token", &world.token, 0o400);
    chown(room.path("run/secrets/keyward_token"), Some(NOBODY), None).unwrap();
    let words = |words: &Value| -> Vec<String> { serde_json::from_value(words.clone()).unwrap() };
    let url = world.server.url();
    let pairs = words(&config["Env"]);
    let mut env: Vec<(&str, &str)> = pairs.iter().map(|pair| pair.split_once('=').unwrap()).collect();
    assert!(env.contains(&("KEYWARD_DEPLOYMENT", "production")));
    // The last one counts.
    env.extend([("KEYWARD_URL", url.as_str()), ("KEYWARD_DEPLOYMENT", DEPLOYMENT)]);
    let check = words(&config["Healthcheck"]["Test"])[1..].join(" ");
    let script = format!(
        "\"$@\" & program=$!\nuntil {check}; do kill -0 \"$program\" || exit 1; done\n\
         kill -TERM \"$program\"; wait \"$program\""
    );
    let program = [words(&config["Entrypoint"]), words(&config["Cmd"])].concat();
    let mut all = vec!["/bin/sh", "-c", &script, "sh"];
    all.extend(program.iter().map(String::as_str));
    let ended = room.run(&env, &all, b"");
    assert_eq!(ended.code, 0, "{}", ended.said());
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(said.starts_with(&format!("variables: {} {} ", ALPHA.0, BETA.0)), "{said}");
    assert!(!said.contains("KEYWARD_"), "{said}");
}

#[test]
fn no_instruction_carries_a_token() {
    let dockerfile = fs::read_to_string(example("Dockerfile")).unwrap();
    let base = base();
    assert!(
        base.rsplit('/').next().unwrap().contains(':') && !base.ends_with(":latest"),
        "{base} is not pinned"
    );
    for line in dockerfile.lines().filter(|line| !line.starts_with('#')) {
        let names = line.split(['=', ' ']).filter(|word| word.starts_with("KEYWARD_TOKEN"));
        for name in names {
            assert_eq!(name, "KEYWARD_TOKEN_FILE", "{line}");
        }
    }
}

#[test]
fn compose_runs_it_with_as_little_as_it_needs() {
    on_path("docker-compose");
    let mut command = Command::new("docker-compose");
    command
        .arg("-f")
        .arg(example("compose.yaml"))
        .arg("config")
        .env("KEYWARD_URL", "https://keyward.example");
    let ended = run(command, b"");
    assert_eq!(ended.code, 0, "{}", ended.said());
    let config = String::from_utf8(ended.stdout).unwrap();
    let lines: Vec<&str> = config.lines().map(|line| line.trim().trim_start_matches("- ")).collect();
    for wanted in [
        "read_only: true",
        "no-new-privileges:true",
        "ALL",
        "KEYWARD_TOKEN_FILE: /run/secrets/keyward_token",
        "KEYWARD_URL: https://keyward.example",
        "/tmp:size=16m,mode=1777,noexec,nosuid,nodev",
    ] {
        assert!(lines.contains(&wanted), "{wanted}: {config}");
    }
    let at =
        |key: &str| lines.iter().position(|line| *line == key).unwrap_or_else(|| panic!("{key}: {config}"));
    assert_eq!(lines[at("cap_drop:") + 1], "ALL");
    assert_eq!(lines[at("security_opt:") + 1], "no-new-privileges:true");
    assert!(lines.iter().any(|line| line.replace('"', "") == "user: 65532:65532"), "{config}");
    assert!(
        !config.contains("kwt1_") && !lines.iter().any(|line| line.starts_with("KEYWARD_TOKEN:")),
        "{config}"
    );

    // Without an address it says so, and does nothing.
    let mut command = Command::new("docker-compose");
    command.arg("-f").arg(example("compose.yaml")).arg("config").env_remove("KEYWARD_URL");
    let ended = run(command, b"");
    assert_ne!(ended.code, 0);
    assert!(ended.stderr.contains("names no keyward server"), "{}", ended.stderr);
}
