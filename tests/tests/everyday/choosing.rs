//! A deployment's name that means nothing here.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use keyward_tests::machine::{Machine, run};
use keyward_tests::server::{Engine, program};
use keyward_tests::terminal::Terminal;
use keyward_tests::world::{ALPHA, DEPLOYMENT, EXCLUDED, World};

const FILE: &str = ".keyward-deployment";

#[test]
fn at_a_terminal_somebody_chooses_once_and_it_is_kept() {
    let world = World::new(Engine::Sqlite);
    let robot = on_terminals(&world);
    let keyward = program("keyward").display().to_string();
    // stdout is the shell's, the person is at the other two.
    let line = format!("sh -c 'eval $({keyward} deployment env-file prod --stdout); echo got ${}'", ALPHA.0);
    let mut terminal = Terminal::run(&robot, &line);
    terminal.shows(&format!("1  {DEPLOYMENT}"));
    terminal.asked("Number", "1");
    terminal.shows(&format!("got {}", ALPHA.1));
    assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
    let kept = std::fs::read_to_string(robot.path(FILE)).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept, serde_json::json!({ "environment_mappings": { "prod": world.deployment_id() } }));
    assert_eq!(std::fs::metadata(robot.path(FILE)).unwrap().mode() & 0o777, 0o644);
    // From now on nobody is asked, here and below.
    std::fs::create_dir(robot.path("below")).unwrap();
    let mut command = robot.command(program("keyward"));
    command.args(["run", "prod", "--", "true"]).current_dir(robot.path("below"));
    assert_eq!(run(command, b"").code, 0);
}

#[test]
fn a_file_that_gives_a_deployment_s_name_to_another_is_heard_when_reading_and_refused_when_changing() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    owner.ok(&["deployment", "create", "staging"]);
    let mapping =
        format!(r#"{{"environment_mappings": {{"staging": "{}", "prod": "{0}"}}}}"#, world.deployment_id());
    owner.write(FILE, mapping);
    let read = owner.keyward(&["deployment", "env-file", "staging", "--stdout", "--format", "json"]);
    assert!(read.code == 0 && read.said().contains(EXCLUDED.0), "{}", read.said());
    assert!(read.stderr.contains(&format!("staging means {DEPLOYMENT} here")), "{}", read.stderr);
    let read = owner.keyward(&["deployment", "env-file", "prod", "--stdout", "--format", "json"]);
    assert!(read.code == 0 && !read.stderr.contains("means"), "{}", read.stderr);
    for words in [
        &["deployment", "delete", "staging", "--yes"][..],
        &["deployment", "map", "staging", ALPHA.0],
        &["group", "create", "interns"],
        &["group", "assign", "interns", "staging"],
    ] {
        let ended = owner.keyward(words);
        assert_eq!(ended.code, if words[1] == "create" { 0 } else { 9 }, "{words:?}: {}", ended.said());
    }
    owner.ok(&["deployment", "show", DEPLOYMENT]);
    owner.ok(&["deployment", "map", "prod", EXCLUDED.0]);
}

#[test]
fn nothing_chosen_is_nothing_done() {
    let world = World::new(Engine::Sqlite);
    let robot = on_terminals(&world);
    for answer in ["", "0", "2", "x", "-1"] {
        let mut terminal = Terminal::open(&robot, "deployment env-file prod --stdout");
        terminal.asked("Number", answer);
        assert_eq!(terminal.ends(), 4, "{answer}: {}", terminal.seen());
        assert!(terminal.seen().ends_with("false\r\n"), "a shell goes on: {}", terminal.seen());
        assert!(!terminal.seen().contains(EXCLUDED.0));
    }
    assert!(!robot.path(FILE).exists());
    // Somebody who is asked can leave.
    let mut terminal = Terminal::open(&robot, "deployment env-file prod --stdout");
    terminal.shows("none of them): ");
    terminal.types("\u{3}");
    assert_eq!(terminal.ends(), 130, "{}", terminal.seen());
}

#[test]
fn without_a_terminal_it_is_an_error_that_lists_what_is_there() {
    let world = World::new(Engine::Sqlite);
    for words in [
        &["deployment", "env-file", "zzz", "--stdout"][..],
        &["run", "zzz", "--", "true"],
        &["deployment", "show", "zzz"],
    ] {
        let ended = world.robot.keyward(words);
        assert_eq!(ended.code, 4, "{}", ended.said());
        assert!(ended.stderr.contains(&format!("there is: {DEPLOYMENT}")), "{}", ended.stderr);
    }
    // Nor where a script said that it wants no talk.
    for line in ["deployment show zzz --json", "run zzz --quiet -- true"] {
        let mut terminal = Terminal::open(&on_terminals(&world), line);
        assert_eq!(terminal.ends(), 4, "{}", terminal.seen());
    }
}

#[test]
fn what_changes_something_never_asks() {
    let world = World::new(Engine::Sqlite);
    for line in [
        "deployment delete canary-prod --yes",
        "deployment rename canary-prod x",
        "deployment map canary-prod CANARY_ALPHA=X",
    ] {
        let mut terminal = Terminal::open(&world.owner, line);
        assert_eq!(terminal.ends(), 4, "{}", terminal.seen());
        assert!(terminal.seen().contains(&format!("did you mean {DEPLOYMENT}?")), "{}", terminal.seen());
    }
    assert!(!world.owner.path(FILE).exists());
}

#[test]
fn where_others_could_replace_the_file_the_choice_is_used_and_not_kept() {
    let world = World::new(Engine::Sqlite);
    let robot = on_terminals(&world);
    let shared = robot.path("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o777)).unwrap();
    let line =
        format!("sh -c 'cd shared; {} run prod -- printenv {}'", program("keyward").display(), ALPHA.0);
    let mut terminal = Terminal::run(&robot, &line);
    terminal.asked("Number", DEPLOYMENT);
    assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
    assert!(
        terminal.seen().contains("chmod go-w") && terminal.seen().contains(ALPHA.1),
        "{}",
        terminal.seen()
    );
    assert!(!shared.join(FILE).exists());
}

#[test]
fn a_mistyped_name_of_anything_is_told_the_nearest() {
    let world = World::new(Engine::Sqlite);
    let near = |machine: &Machine, line: &str, meant: &str| {
        let ended = machine.keyward(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ended.code, 4, "{line}: {}", ended.said());
        assert!(ended.stderr.contains(&format!("did you mean {meant}?")), "{line}: {}", ended.stderr);
    };
    for (line, meant) in [
        ("deployment env-file canary-prodution --stdout", DEPLOYMENT),
        ("deployment show canary-prodution", DEPLOYMENT),
        ("key get CANARY_ALHPA", ALPHA.0),
        ("key show CANARY_ALHPA", ALPHA.0),
    ] {
        near(&world.robot, line, meant);
        near(&world.owner, line, meant);
    }
    for (line, meant) in [
        ("key set CANARY_ALHPA --from-file keys.env", ALPHA.0),
        ("key rename CANARY_ALHPA x", ALPHA.0),
        ("key rollback CANARY_ALHPA 1", ALPHA.0),
        ("key history CANARY_ALHPA", ALPHA.0),
        ("key delete CANARY_ALHPA --yes", ALPHA.0),
        ("key import keys.env --on-conflict skip --map canary-prodution", DEPLOYMENT),
        ("deployment map canary-production CANARY_ALHPA", ALPHA.0),
        ("deployment unmap canary-production CANARY_ALHPA", ALPHA.0),
        ("group show canary-agnets", "canary-agents"),
        ("group delete canary-agnets --yes", "canary-agents"),
        ("group assign canary-agnets canary-production", "canary-agents"),
        ("group exclude canary-agents canary-production CANARY_BTEA", "CANARY_BETA"),
        ("group include canary-agents canary-production CANARY_EXCLUDE", EXCLUDED.0),
        ("group add canary-agents canary-robto", "canary-robot"),
        ("group remove canary-agents canary-robto", "canary-robot"),
        ("api-user create new --group canary-agnets", "canary-agents"),
        ("api-user rotate canary-robto", "canary-robot"),
        ("api-user revoke canary-robto", "canary-robot"),
        ("access canary-robto", "canary-robot"),
        ("access olga@canary.exmaple", "olga@canary.example"),
        ("audit list --identity canary-robto", "canary-robot"),
        ("audit list --key CANARY_ALHPA", ALPHA.0),
        ("pin canary-robto", "canary-robot"),
    ] {
        near(&world.owner, line, meant);
    }
    // The nearest is one that the reader may see, or none.
    for line in ["key get CANARY_EXCLUDE", "key show CANARY_EXCLUDD"] {
        let ended = world.robot.keyward(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ended.code, 4);
        assert!(!ended.stderr.contains(&format!("{}?", EXCLUDED.0)), "{}", ended.stderr);
    }
}

/// A machine with the robot's token on which somebody sits.
fn on_terminals(world: &World) -> Machine {
    Machine::new(&world.server.url()).with("KEYWARD_TOKEN", &world.token)
}
