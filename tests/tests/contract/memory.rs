//! What a client remembers: it saves a transfer, it is never believed by itself, and its loss is noticed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use keyward_tests::engines;
use keyward_tests::machine::{Machine, run};
use keyward_tests::server::{Server, program};
use keyward_tests::world::{
    ALPHA, BETA, DEPLOYMENT, EMAIL, ENV_FILE, GROUP, PASSWORD, World, env_file, expected, read,
};

engines! {
    fn an_unchanged_answer_is_not_sent_again(engine) {
        let world = World::new(engine);
        let robot = world.remembering_robot();
        assert_eq!(read(&robot), expected());
        let whole = statuses(&world.server);
        assert_eq!(whole.iter().filter(|status| *status == "304").count(), 0, "{whole:?}");
        for _ in 0..2 {
            assert_eq!(read(&robot), expected());
        }
        let after = statuses(&world.server);
        assert_eq!(&after[whole.len()..], ["304", "304"], "{after:?}");
        let actions = world.owner.ok(&["audit", "list"]);
        assert_eq!(actions.matches("bundle.not_modified").count(), 2, "a confirmed read is a read: {actions}");

        world.owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]);
        assert_eq!(read(&robot), [(BETA.0.to_owned(), BETA.1.to_owned())].into());
        assert_eq!(statuses(&world.server).last().unwrap(), "200");
    }

    fn a_damaged_copy_is_asked_for_again(engine) {
        let world = World::new(engine);
        let robot = world.remembering_robot();
        for damage in DAMAGES {
            assert_eq!(read(&robot), expected());
            let files = files(&robot, "cache");
            assert!(!files.is_empty(), "nothing is kept: the test is blind");
            for file in files {
                let bytes = damage(fs::read(&file).unwrap());
                fs::write(&file, bytes).unwrap();
            }
            assert_eq!(read(&robot), expected());
            assert_eq!(statuses(&world.server).last().unwrap(), "200", "a damaged copy was confirmed");
        }
    }

    fn an_older_copy_under_the_newest_tag_is_not_used(engine) {
        let world = World::new(engine);
        let robot = world.remembering_robot();
        assert_eq!(read(&robot), expected());
        let copy = || files(&robot, "cache").into_iter().find(|path| path.extension().unwrap() == "answer").unwrap();
        let older = fs::read_to_string(copy()).unwrap();
        let all = |folder| files(&robot, folder).into_iter().map(|path| (fs::read(&path).unwrap(), path));
        let (memory, cache): (Vec<_>, Vec<_>) = (all("state").collect(), all("cache").collect());
        world.owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]);
        assert_eq!(read(&robot), [(BETA.0.to_owned(), BETA.1.to_owned())].into());
        let newer = fs::read_to_string(copy()).unwrap();
        let ((tag, _), (_, body)) = (newer.split_once('\n').unwrap(), older.split_once('\n').unwrap());
        fs::write(copy(), format!("{tag}\n{body}")).unwrap();
        // So that nothing but the tag tells them apart.
        let put_back = |files: &[(Vec<u8>, PathBuf)]| files.iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
        put_back(&memory);
        let listed = robot.ok(&["key", "list"]);
        assert!(listed.contains(BETA.0) && !listed.contains(ALPHA.0), "{listed}");
        put_back(&memory);
        fs::write(copy(), format!("{tag}\n{body}")).unwrap();
        assert_eq!(read(&robot), [(BETA.0.to_owned(), BETA.1.to_owned())].into());
        let asked = statuses(&world.server);
        assert_eq!(&asked[asked.len() - 2..], ["304", "200"], "{asked:?}");
        assert_eq!(fs::read_to_string(copy()).unwrap(), newer, "the right one is kept again");

        // Nor if what is sealed beside it is as old.
        put_back(&memory);
        put_back(&cache);
        fs::write(copy(), format!("{tag}\n{body}")).unwrap();
        assert_eq!(read(&robot), [(BETA.0.to_owned(), BETA.1.to_owned())].into());
        let asked = statuses(&world.server);
        assert_eq!(&asked[asked.len() - 2..], ["304", "200"], "{asked:?}");
    }

    fn what_the_state_pins_need_not_have_the_hash_of_the_whole(engine) {
        let world = World::new(engine);
        let robot = world.remembering_robot();
        assert_eq!(read(&robot), expected());
        let copy = files(&robot, "cache").into_iter().find(|path| path.extension().unwrap() == "answer").unwrap();
        let mut bytes = fs::read(&copy).unwrap();
        bytes.push(b' ');
        fs::write(&copy, &bytes).unwrap();
        assert_eq!(read(&robot), expected());
        assert_eq!(statuses(&world.server).last().unwrap(), "304");
        // And it is as good without the server.
        robot.ok(&[ENV_FILE, &["--offline"]].concat());
        // Whoever has not opened all that he lists asks for the right one.
        let all = || files(&robot, "cache").into_iter().filter(|path| path.extension().unwrap() == "answer");
        robot.ok(&["key", "list"]);
        for path in all() {
            let mut bytes = fs::read(&path).unwrap();
            bytes.push(b' ');
            fs::write(&path, bytes).unwrap();
        }
        robot.ok(&["key", "list"]);
        let asked = statuses(&world.server);
        assert_eq!(&asked[asked.len() - 2..], ["304", "200"], "{asked:?}");
    }

    fn an_owner_s_answer_has_no_values_that_were_not_asked_for_by_id(engine) {
        let world = World::new(engine);
        let owner = &world.owner;
        let values = read(owner);
        let answer = |ending: &str| {
            let mut all = list(&owner.path(".keyward/cache")).into_iter();
            all.find(|path| path.to_string_lossy().ends_with(".all.answer") == (ending == "all") && path.extension().unwrap() == "answer")
                .unwrap()
        };
        let (whole, of_one) = (answer("all"), answer("one"));
        let [tagged, valued] = [&whole, &of_one].map(|path| fs::read_to_string(path).unwrap());
        let ((tag, _), (_, body)) = (tagged.split_once('\n').unwrap(), valued.split_once('\n').unwrap());
        fs::write(&whole, format!("{tag}\n{body}")).unwrap();
        let named = || owner.ok(&["audit", "list", "--json"]).matches("deployment:").count();
        let before = named();
        assert_eq!(read(owner), values);
        assert!(named() > before, "the audit does not tell of which deployment");
    }

    fn a_lost_memory_is_noticed_and_given_up_only_when_told_so(engine) {
        let world = World::new(engine);
        let robot = world.remembering_robot();
        for harm in [Harm::Delete, Harm::Damage] {
            assert_eq!(read(&robot), expected());
            harm.all(&files(&robot, "state"));
            for _ in 0..2 {
                let ended = env_file(&robot);
                ended.refused(7, "a lost memory");
                assert!(ended.stderr.contains(" pin --forget"), "{}", ended.stderr);
            }
            robot.ok(&["pin", "--forget", "--yes"]);
        }
        assert_eq!(read(&robot), expected());
    }

    fn an_administrator_s_lost_memory_is_noticed_too(engine) {
        let world = World::new(engine);
        world.owner.ok(&["key", "list"]);
        let files: Vec<PathBuf> = list(&world.owner.path(".keyward/state"));
        Harm::Delete.all(&files);
        for words in [&["key", "list"][..], &["group", "create", "more"], ENV_FILE, &["audit", "verify"]] {
            let ended = world.owner.keyward(words);
            assert_eq!(ended.code, 7, "{words:?}: {}", ended.said());
        }
        world.owner.ok(&["pin", "--forget", "--yes"]);
        world.owner.ok(&["key", "list"]);
    }

    fn a_memory_whose_key_is_lost_is_noticed_by_a_login_too(engine) {
        let world = World::new(engine);
        let owner = &world.owner;
        owner.ok(&["key", "list"]);
        fs::write(owner.path(".keyward/config.toml"), "nonsense").unwrap();
        let ended = owner.keyward(&["key", "list"]);
        assert!(ended.code == 1 && ended.stderr.contains("pin --forget"), "{}", ended.said());
        fs::remove_file(owner.path(".keyward/config.toml")).unwrap();
        let words = ["login", "--email", EMAIL, "--password-stdin"];
        let login = || owner.keyward_with(&words, PASSWORD.as_bytes());
        let ended = login();
        assert!(ended.code == 7 && ended.stderr.contains("pin --forget"), "{}", ended.said());
        // A token that is wrong is somebody's, and that is not known to be this one.
        let mut mistyped = owner.command(program("keyward"));
        mistyped.args(["pin", "--forget", "--yes"]).env("KEYWARD_TOKEN", "kwt1_mistyped");
        assert_eq!(run(mistyped, b"").code, 3);
        assert_eq!(login().code, 7, "and nothing was forgotten");
        // Nobody is signed in, so it is all of the folder.
        owner.ok(&["pin", "--forget", "--yes"]);
        login().ok(&words);
        owner.ok(&["key", "list"]);
    }

    fn a_memory_that_others_may_enter_is_not_a_lost_one(engine) {
        let world = World::new(engine);
        let robot = world.remembering_robot();
        assert_eq!(read(&robot), expected());
        for (folder, words) in [("state", &[][..]), ("cache", &["--offline"])] {
            let folder = robot.path("memory").join(folder);
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
            let ended = robot.keyward(&[ENV_FILE, words].concat());
            ended.refused(9, "a loose mode");
            assert!(ended.stderr.contains("chmod 700") && !ended.stderr.contains("forget"), "{}", ended.stderr);
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
            assert_eq!(robot.keyward(&[ENV_FILE, words].concat()).code, 0);
        }
    }
}

const DAMAGES: [fn(Vec<u8>) -> Vec<u8>; 4] = [
    |_| Vec::new(),
    |_| b"{}".to_vec(),
    |bytes| bytes[..bytes.len() / 2].to_vec(),
    |mut bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] = if bytes[middle] == b'A' { b'B' } else { b'A' };
        bytes
    },
];

enum Harm {
    Delete,
    Damage,
}

impl Harm {
    fn all(&self, files: &[PathBuf]) {
        assert!(!files.is_empty(), "nothing is remembered: the test is blind");
        for file in files {
            match self {
                Self::Delete => fs::remove_file(file).unwrap(),
                Self::Damage => {
                    let bytes = fs::read(file).unwrap().into_iter().rev().collect::<Vec<_>>();
                    fs::write(file, bytes).unwrap();
                }
            }
        }
    }
}

fn files(robot: &Machine, folder: &str) -> Vec<PathBuf> {
    list(&robot.path("memory").join(folder))
}

fn list(folder: &std::path::Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The statuses of all reads of a bundle so far, by the server's log.
fn statuses(server: &Server) -> Vec<String> {
    let log = server.log();
    let reads = log.lines().filter(|line| line.contains("/v1/me/bundle"));
    reads.map(|line| line.split("status=").nth(1).unwrap().split(' ').next().unwrap().to_owned()).collect()
}
