//! Files: who may read them, and what works without any.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keyward_tests::machine::{Machine, run};
use keyward_tests::server::{Engine, program};
use keyward_tests::world::{ALPHA, DEPLOYMENT, ENV_FILE, GROUP, PASSWORD, World, env_file, expected, read};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn everything_in(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything_in(&path));
        }
        found.push(path);
    }
    found
}

#[test]
fn what_the_client_keeps_is_for_its_user_alone() {
    let world = World::new(Engine::Sqlite);
    let robot = world.remembering_robot();
    env_file(&robot).ok(ENV_FILE);
    for folder in [world.owner.path(".keyward"), robot.path("memory")] {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for path in everything_in(&folder) {
            let wanted = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode(&path), wanted, "{}", path.display());
        }
    }
    assert_eq!(mode(&world.owner.path("recovery-kit.txt")), 0o600);
    // Whatever the umask, and whatever stood there before.
    world.owner.write("old.env", "OLD=1\n");
    fs::set_permissions(world.owner.path("old.env"), PermissionsExt::from_mode(0o666)).unwrap();
    let script = format!(
        "umask 000; keyward deployment env-file {DEPLOYMENT} new.env && keyward deployment env-file {DEPLOYMENT} old.env"
    );
    assert_eq!(world.owner.shell(&["sh"], &script).code, 0);
    for file in ["new.env", "old.env"] {
        assert_eq!(mode(&world.owner.path(file)), 0o600, "{file}");
        assert!(fs::read_to_string(world.owner.path(file)).unwrap().contains(ALPHA.0));
    }
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let world = World::new(Engine::Sqlite);
    let folder = world.owner.path(".keyward");
    let config = folder.join("config.toml");
    for (path, loose, tight, command) in [
        (&config, 0o640, 0o600, "chmod 600"),
        (&config, 0o604, 0o600, "chmod 600"),
        (&folder, 0o755, 0o700, "chmod 700"),
    ] {
        fs::set_permissions(path, PermissionsExt::from_mode(loose)).unwrap();
        let ended = world.owner.keyward(&["key", "list"]);
        assert_ne!(ended.code, 0, "{} {loose:o}", path.display());
        assert!(ended.stderr.contains(command) && ended.stdout.is_empty(), "{}", ended.said());
        fs::set_permissions(path, PermissionsExt::from_mode(tight)).unwrap();
        assert_eq!(world.owner.keyward(&["key", "list"]).code, 0);
    }
}

#[test]
fn what_is_not_keywards_alone_is_not_to_be_changed() {
    let world = World::new(Engine::Sqlite);
    let server = world.server.url();
    for (place, what) in [("/dev/null", "/dev/null is not a folder"), ("/proc/1", "/proc/1")] {
        let machine = Machine::new(&server).with("KEYWARD_HOME", place);
        for words in [&["whoami"][..], ENV_FILE, &["doctor"], &["proxy", "ca", "--state", place]] {
            let ended = machine.keyward(words);
            assert_ne!(ended.code, 0, "{place} {words:?}: {}", ended.said());
            assert!(ended.said().contains(what), "{place} {words:?}: {}", ended.said());
            assert!(!ended.said().contains("chmod"), "{place} {words:?}: {}", ended.said());
        }
    }
}

#[test]
fn a_failure_leaves_the_file_of_before() {
    let mut world = World::new(Engine::Sqlite);
    world.owner.write("out.env", "GOOD=1\n");
    let words = ["deployment", "env-file", "nowhere", "out.env"];
    assert_eq!(world.owner.keyward(&words).code, 4);
    world.server.stop();
    assert_eq!(world.owner.keyward(&["deployment", "env-file", DEPLOYMENT, "out.env"]).code, 5);
    assert_eq!(fs::read_to_string(world.owner.path("out.env")).unwrap(), "GOOD=1\n");
    let left: Vec<_> = fs::read_dir(world.owner.home()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".keyward-")), "{left:?}");
}

#[test]
fn a_url_and_a_token_are_enough_and_nothing_is_written() {
    let world = World::new(Engine::Sqlite);
    assert_eq!(read(&world.robot), expected());
    assert!(everything_in(world.robot.home()).is_empty());
    // With a home, too: nothing is kept unless a folder was named for it.
    let homely = Machine::new(&world.server.url()).with("KEYWARD_TOKEN", &world.token);
    assert_eq!(read(&homely), expected());
    assert!(everything_in(homely.home()).is_empty());
    // Nor is it tried: where no file may grow, nothing is said.
    let mut command = world.robot.command("sh".into());
    command.arg("-c").arg("ulimit -f 0; exec \"$0\" \"$@\"").arg(program("keyward")).args(ENV_FILE);
    let ended = run(command, b"");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.said());
    // A folder that cannot be made is worth a warning.
    let machine = world.remembering_robot().with("KEYWARD_HOME", "/proc/keyward");
    let ended = env_file(&machine);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(ended.stderr.contains("remember"), "{}", ended.stderr);
}

#[test]
fn a_file_without_an_end_is_not_read_to_it() {
    let world = World::new(Engine::Sqlite);
    let url = world.server.url();
    let token = Machine::new(&url).with("KEYWARD_TOKEN_FILE", "/dev/zero");
    let ended = env_file(&token);
    ended.refused(3, "a token");
    assert!(ended.stderr.contains("more than 65536 bytes"), "{}", ended.stderr);
    let ca = Machine::new(&url).with("KEYWARD_TOKEN", &world.token).with("KEYWARD_CA_FILE", "/dev/zero");
    let ended = env_file(&ca);
    ended.refused(1, "authorities");
    assert!(ended.stderr.contains("more than 1048576 bytes"), "{}", ended.stderr);
}

#[test]
fn a_token_file_is_read_before_the_variable_and_may_be_mounted() {
    let world = World::new(Engine::Sqlite);
    let machine = Machine::new(&world.server.url()).without("HOME");
    let file = machine.write("token", format!("{}\n", world.token));
    fs::set_permissions(&file, PermissionsExt::from_mode(0o444)).unwrap();
    let machine = machine.with("KEYWARD_TOKEN_FILE", &file).with("KEYWARD_TOKEN", "kwt1_nonsense");
    assert_eq!(read(&machine), expected());
    let machine = machine.with("KEYWARD_TOKEN_FILE", "/nowhere/token");
    let ended = env_file(&machine);
    ended.refused(3, "a token file that is not there");
    assert!(ended.stderr.contains("/nowhere/token"), "{}", ended.stderr);
    // Whoever takes it for the variable of the token.
    let machine = machine.with("KEYWARD_TOKEN_FILE", "kwt1_canary");
    for words in [ENV_FILE, &["doctor"]] {
        let ended = machine.keyward(words);
        assert_eq!(ended.code, 3, "{words:?}: {}", ended.said());
        assert!(ended.said().contains("a token, not shown"), "{words:?}: {}", ended.said());
        assert!(!ended.said().contains("canary"), "{words:?}: {}", ended.said());
    }
    let machine = machine.with("KEYWARD_TOKEN_FILE", "/dev/null");
    env_file(&machine).refused(3, "an empty token file");
}

#[test]
fn a_machine_that_was_signed_in_with_a_token_keeps_its_halves_and_not_the_token() {
    let world = World::new(Engine::Sqlite);
    let machine = Machine::new(&world.server.url());
    let words = ["auth", "api-user", "--token-stdin"];
    machine.keyward_with(&words, format!("{}\n", world.token).as_bytes()).ok(&words);
    let kept = fs::read_to_string(machine.path(".keyward/config.toml")).unwrap();
    assert!(kept.contains("kwh1_") && !kept.contains(&world.token));
    // It works without the URL and the token from then on.
    let machine = machine.without("KEYWARD_URL");
    assert_eq!(read(&machine), expected());
    let answers = || fs::read_dir(machine.path(".keyward/cache")).unwrap().count();
    assert_ne!(answers(), 0, "an answer is kept");
    machine.ok(&["auth", "logout"]);
    assert_eq!(answers(), 0, "what was kept goes with the login");
    assert_eq!(machine.keyward(ENV_FILE).code, 3);
    assert!(!fs::read_to_string(machine.path(".keyward/config.toml")).unwrap().contains("kwh1_"));
    assert_eq!(read(&world.robot), expected(), "the token itself stays good");
}

#[test]
fn a_login_that_was_damaged_says_to_sign_in_again() {
    let world = World::new(Engine::Sqlite);
    let config = world.owner.path(".keyward/config.toml");
    let damaged = fs::read_to_string(&config).unwrap().replace("kwh1_", "kwh1_x");
    fs::write(&config, damaged).unwrap();
    let ended = env_file(&world.owner);
    ended.refused(3, "a damaged login");
    assert!(ended.stderr.contains("login that is kept on this device is damaged"), "{}", ended.stderr);
    assert!(ended.stderr.contains("keyward login"), "{}", ended.stderr);
}

#[test]
fn the_refusal_of_another_server_ends_nothing_of_a_login_and_says_whose_it_is() {
    let (world, other) = (World::new(Engine::Sqlite), World::new(Engine::Sqlite));
    let mut machine = Machine::new(&world.server.url());
    let words = ["auth", "api-user", "--token-stdin"];
    machine.keyward_with(&words, format!("{}\n", world.token).as_bytes()).ok(&words);
    assert_eq!(read(&machine), expected());
    // Both ways to show a credential: with the request, and to get a session.
    for words in [ENV_FILE, &["whoami"], &["org", "show"]] {
        machine.redirect(&other.server.url());
        let ended = machine.keyward(words);
        assert_eq!(ended.code, 3, "{words:?}: {}", ended.said());
        assert!(ended.stderr.contains("KEYWARD_URL names another server"), "{}", ended.stderr);
        assert!(ended.stderr.contains(&world.server.url()), "{}", ended.stderr);
        machine.redirect("http://127.0.0.1:1");
        let offline = machine.keyward(&[ENV_FILE, &["--offline"]].concat());
        assert_eq!(offline.code, 0, "{words:?}: what was kept is there: {}", offline.said());
    }
    machine.redirect(&other.server.url());
    let named = machine.keyward(&["doctor"]).said();
    assert!(named.contains(&format!("and the login is for {}", world.server.url())), "{named}");
    // The same address in other words is no other server: its refusal counts.
    let url = world.server.url();
    for spelling in [format!("{url}/"), url.replace("127.0.0.1", "LocalHost"), url.replace("http", "HTTP")] {
        machine.redirect(&spelling);
        let same = machine.keyward(&["doctor"]).said();
        assert!(!same.contains("and the login is for"), "{spelling}: {same}");
    }
    world.owner.ok(&["api-user", "revoke", keyward_tests::world::ROBOT]);
    let ended = env_file(&machine);
    ended.refused(3, "revoked");
    assert!(!ended.stderr.contains("another server"), "{}", ended.stderr);
    let offline = machine.keyward(&[ENV_FILE, &["--offline"]].concat());
    offline.refused(5, "what was kept went with the refusal");
}

#[test]
fn a_dash_is_no_file_to_write() {
    let world = World::new(Engine::Sqlite);
    for words in [
        &["deployment", "env-file", DEPLOYMENT, "-"][..],
        &["key", "export", "--out", "-"],
        &["audit", "export", "-"],
        &["init", "--org", "x", "--email", "x@canary.example", "--password-stdin", "--recovery-kit", "-"],
    ] {
        let ended = world.owner.keyward(words);
        assert_eq!(ended.code, 2, "{words:?}: {}", ended.said());
        assert!(!world.owner.path("-").exists());
    }
    world.owner.ok(&["deployment", "env-file", DEPLOYMENT, "./-"]);
    assert!(world.owner.path("-").exists());
}

#[test]
fn a_token_that_nobody_reads_is_an_error_that_says_so() {
    let world = World::new(Engine::Sqlite);
    let script = format!("keyward api-user create late --group {GROUP} | :; exit ${{PIPESTATUS[0]}}");
    let ended = world.owner.shell(&["bash"], &script);
    assert_eq!(ended.code, 1, "{}", ended.said());
    assert!(ended.stderr.contains("nobody has the token of late"), "{}", ended.stderr);
    assert!(ended.stderr.contains("keyward api-user rotate late"), "{}", ended.stderr);
}

#[test]
fn a_login_that_a_token_hides_says_so() {
    let world = World::new(Engine::Sqlite);
    let words = ["login", "--password-stdin", "--email", keyward_tests::world::EMAIL];
    let machine = Machine::new(&world.server.url()).with("KEYWARD_TOKEN", &world.token);
    let ended = machine.keyward_with(&words, PASSWORD.as_bytes());
    assert!(ended.code == 0 && ended.stderr.contains("KEYWARD_TOKEN is set"), "{}", ended.said());
    let machine = machine.without("KEYWARD_TOKEN");
    let ended = machine.keyward_with(&words, PASSWORD.as_bytes());
    assert!(ended.code == 0 && !ended.stderr.contains("warning"), "{}", ended.said());
}

#[test]
fn a_login_that_cannot_be_kept_leaves_no_device_on_the_server() {
    let world = World::new(Engine::Sqlite);
    let machine = Machine::new(&world.server.url());
    fs::create_dir_all(machine.path(".keyward/lock")).unwrap();
    for folder in [".keyward", ".keyward/lock"] {
        fs::set_permissions(machine.path(folder), PermissionsExt::from_mode(0o700)).unwrap();
    }
    let words = ["login", "--password-stdin", "--email", keyward_tests::world::EMAIL];
    let added = || world.owner.ok(&["audit", "list"]).matches("credential.added").count();
    let before = added();
    let ended = machine.keyward_with(&words, PASSWORD.as_bytes());
    assert_eq!(ended.code, 1, "{}", ended.said());
    assert_eq!(added(), before, "{}", ended.said());
}

#[test]
fn a_kept_file_that_is_larger_than_any_is_not_read() {
    let world = World::new(Engine::Sqlite);
    let robot = world.remembering_robot();
    assert_eq!(read(&robot), expected());
    let cache = fs::read_dir(robot.path("memory/cache")).unwrap();
    let answer = cache.map(|entry| entry.unwrap().path()).find(|path| path.extension().unwrap() == "answer");
    let file = fs::File::options().write(true).open(answer.unwrap()).unwrap();
    file.set_len(1 << 42).unwrap();
    assert_eq!(read(&robot), expected(), "it is asked for again");
}

#[test]
fn logging_out_ends_the_device_on_both_sides() {
    let world = World::new(Engine::Sqlite);
    let config = world.owner.path(".keyward/config.toml");
    let stolen = fs::read(&config).unwrap();
    world.owner.ok(&["logout"]);
    assert_eq!(world.owner.keyward(&["key", "list"]).code, 3);
    fs::write(&config, stolen).unwrap();
    assert_eq!(world.owner.keyward(&["key", "list"]).code, 3, "a copy of the login still works");
    let words = ["login", "--password-stdin", "--email", keyward_tests::world::EMAIL];
    world.owner.keyward_with(&words, PASSWORD.as_bytes()).ok(&words);
    world.owner.ok(&["key", "list"]);
}

#[test]
fn signing_in_again_ends_the_former_login_of_the_device() {
    let world = World::new(Engine::Sqlite);
    let config = world.owner.path(".keyward/config.toml");
    let words = ["login", "--password-stdin", "--email", keyward_tests::world::EMAIL];
    let log_in = || world.owner.keyward_with(&words, PASSWORD.as_bytes());
    for round in ["a sign-up's", "a login's"] {
        let former = fs::read(&config).unwrap();
        let ended = log_in();
        assert!(ended.code == 0 && !ended.stderr.contains("warning"), "{round}: {}", ended.said());
        let present = fs::read(&config).unwrap();
        world.owner.ok(&["key", "list"]);
        fs::write(&config, former).unwrap();
        assert_eq!(world.owner.keyward(&["key", "list"]).code, 3, "a copy of {round} device still works");
        fs::write(&config, present).unwrap();
    }
    let told = world.owner.ok(&["audit", "list"]);
    assert_eq!(told.matches("session.ended").count(), 2, "{told}");
    assert_eq!(told.matches("credential.removed").count(), 2, "{told}");
}

#[test]
fn a_mapping_file_in_a_parent_says_what_a_name_means() {
    let world = World::new(Engine::Sqlite);
    let id = world.deployment_id();
    world.robot.write(".keyward-deployment", format!(r#"{{"environment_mappings": {{"live": "{id}"}}}}"#));
    fs::create_dir_all(world.robot.path("a/b")).unwrap();
    let script = "cd a/b && keyward deployment env-file live --stdout --format json";
    let ended = world.robot.shell(&["sh"], script);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(String::from_utf8(ended.stdout).unwrap().contains(ALPHA.0));
    world.robot.write("a/.keyward-deployment", "{ nonsense");
    let ended = world.robot.shell(&["sh"], script);
    assert_eq!(ended.code, 2, "a broken file is not passed over: {}", ended.said());
}
