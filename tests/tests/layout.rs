//! What the house rests on, and nothing about style (docs/ARCHITECTURE.md): who can reach whom, and which names stand in
//! which files only.

#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test: what fails is the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[test]
fn the_server_has_no_path_to_what_opens_an_envelope() {
    let packages = Packages::read();
    let reached = packages.reached_from("keyward-server");
    for unwanted in ["keyward-crypto", "aes-gcm", "aes", "pbkdf2", "keyward", "chacha20poly1305"] {
        assert!(!reached.contains(unwanted), "keyward-server reaches {unwanted}");
    }
    // The walk itself sees what is there.
    for wanted in ["keyward-wire", "sqlx", "sqlx-core", "sha2"] {
        assert!(reached.contains(wanted), "keyward-server does not reach {wanted}");
    }
}

#[test]
fn the_wire_is_types_and_nothing_else() {
    let packages = Packages::read();
    let reached = packages.reached_from("keyward-wire");
    let ours = packages.members.iter().filter(|name| *name != "keyward-wire").map(String::as_str);
    let others =
        ["sqlx", "axum", "hyper", "reqwest", "tokio", "rustls", "aes", "aes-gcm", "hkdf", "pbkdf2", "hmac"];
    for unwanted in ours.chain(others) {
        assert!(!reached.contains(unwanted), "keyward-wire reaches {unwanted}");
    }
}

#[test]
fn the_crypto_does_no_input_and_output() {
    let reached = Packages::read().reached_from("keyward-crypto");
    for unwanted in
        ["tokio", "mio", "socket2", "reqwest", "hyper", "sqlx", "keyward", "keyward-server", "clap"]
    {
        assert!(!reached.contains(unwanted), "keyward-crypto reaches {unwanted}");
    }
    assert!(reached.contains("aes-gcm") && reached.contains("keyward-wire"));
}

#[test]
fn the_gateway_cannot_decrypt() {
    let packages = Packages::read();
    let reached = packages.reached_from("keyward-gateway");
    for unwanted in
        ["keyward-crypto", "aes-gcm", "pbkdf2", "keyward", "keyward-server", "clap", "reqwest", "sqlx"]
    {
        assert!(!reached.contains(unwanted), "keyward-gateway reaches {unwanted}");
    }
    for wanted in ["keyward-wire", "hyper", "rustls", "rcgen"] {
        assert!(reached.contains(wanted), "keyward-gateway does not reach {wanted}");
    }
}

#[test]
fn client_and_server_meet_on_the_wire_only() {
    let packages = Packages::read();
    for unwanted in ["keyward-server", "sqlx", "axum"] {
        assert!(!packages.reached_from("keyward").contains(unwanted), "keyward reaches {unwanted}");
    }
    for member in packages.members.iter().filter(|name| *name != "keyward-tests") {
        assert!(!packages.reached_from(member).contains("keyward-tests"), "{member} reaches the tests");
    }
}

#[test]
fn what_is_dangerous_is_named_in_one_place() {
    let places: &[(&[&str], &str)] = &[
        (&["sqlx"], "server/src/store/"),
        (&["aes_gcm", "hkdf", "pbkdf2"], "shared/crypto/src/hazmat.rs"),
        (&["reqwest"], "cli/src/api/"),
        (&["SysRng", "OsRng"], "shared/crypto/src/random.rs server/src/random.rs gateway/src/random.rs"),
        (&["std::io::stdout().lock", "std::io::stderr().lock"], "cli/src/out.rs cli/src/prompt/mod.rs"),
        (&["println!", "eprintln!", "print!", "eprint!"], ""),
    ];
    let files = sources();
    for (words, place) in places {
        let mut seen = false;
        for (path, text) in &files {
            let inside = place.split(' ').any(|place| !place.is_empty() && path.starts_with(place));
            for word in words.iter().filter(|word| names(text, word)) {
                assert!(inside, "{path} names {word}; its place is {place:?}");
                seen = true;
            }
        }
        assert!(seen || place.is_empty(), "nothing names {words:?}: the test is blind");
    }
}

#[test]
fn l7_a_gateway_calls_somebody_from_one_place_only() {
    let ways = [
        "TcpStream::connect",
        "TcpSocket",
        "UnixStream::connect",
        "UdpSocket",
        "to_socket_addrs",
        "lookup_host",
    ];
    let mut places = BTreeSet::new();
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("gateway/src/")) {
        places.extend(ways.iter().filter(|way| names(text, way)).map(|way| (path.clone(), *way)));
    }
    let expected =
        [("gateway/src/config.rs", "to_socket_addrs"), ("gateway/src/dial.rs", "TcpStream::connect")];
    assert_eq!(places, expected.map(|(path, way)| (path.to_owned(), way)).into());
}

/// The rows of `docs/ATTACKS.md`: each has a test with it in its name, as `r1_r3_what_is_claimed`, and no test has one that is not
/// there.
#[test]
fn every_row_of_the_attacks_on_a_gateway_has_a_test_of_its_name() {
    let is_row = |word: &&str| {
        let digits = word.trim_start_matches(|c: char| c.is_ascii_lowercase());
        word.len() == digits.len() + 1
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let document = std::fs::read_to_string(root().join("docs/ATTACKS.md")).unwrap();
    let first_cells = document.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    let rows: BTreeSet<String> =
        first_cells.map(|(row, _)| row.to_lowercase()).filter(|row| is_row(&row.as_str())).collect();
    assert!(rows.len() > 100, "{rows:?}");
    let (mut missing, mut unknown) = (rows.clone(), BTreeSet::new());
    let mut texts = Vec::new();
    for part in ["gateway/src", "gateway/attacks/src", "tests/tests", "cli/src", "shared/wire/src"] {
        with_tests(&root().join(part), &mut texts);
    }
    for text in &texts {
        let names = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for name in names.filter(|name| name.matches('_').count() > 2) {
            for row in name.split('_').take_while(is_row) {
                missing.remove(row);
                if !rows.contains(row) {
                    unknown.insert(name.to_owned());
                }
            }
        }
    }
    assert_eq!(missing, BTreeSet::new(), "rows that no test is named after");
    assert_eq!(unknown, BTreeSet::new(), "names of rows that the document does not have");
}

/// Every file as it is.
fn with_tests(folder: &Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            with_tests(&path, texts);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            texts.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn a_part_does_not_reach_back() {
    let directions: &[(&str, &[&str])] = &[
        (
            "server/src/access",
            &["crate::http", "crate::store", "crate::auth", "crate::audit", "async ", "tokio"],
        ),
        ("server/src/store", &["crate::http", "crate::auth", "crate::audit"]),
        ("server/src/audit", &["crate::http"]),
        ("server/src/auth", &["crate::http"]),
        ("cli/src/export", &["crate::api", "crate::cmd", "crate::session"]),
        ("cli/src/import", &["crate::api", "crate::cmd", "crate::session"]),
        ("cli/src/session", &["crate::api", "crate::cmd", "crate::vault"]),
        ("cli/src/api", &["crate::cmd", "crate::vault"]),
        ("cli/src/vault", &["crate::cmd", "crate::account", "crate::report"]),
        ("cli/src/proxy", &["crate::cmd"]),
        ("cli/src/args", &["crate::cmd", "crate::api"]),
        ("cli/src/prompt", &["crate::cmd", "crate::api", "crate::session", "crate::vault"]),
        ("cli/src/account", &["crate::cmd"]),
        ("cli/src/report", &["crate::cmd", "crate::api"]),
        ("shared", &["std::fs", "std::net", "std::env", "std::process", "async "]),
    ];
    let files = sources();
    for (part, unwanted) in directions {
        let mut seen = false;
        for (path, text) in files.iter().filter(|(path, _)| path.starts_with(part)) {
            seen = true;
            let word = unwanted.iter().find(|word| names(text, word));
            assert!(word.is_none(), "{path} names {word:?}");
        }
        assert!(seen, "there is no {part}");
    }
}

/// A command is a file of `cmd` that has options. What several of them share stands beside them in the folder of their group, or
/// outside `cmd`.
#[test]
fn no_command_imports_another() {
    let files: Vec<(String, String)> = sources()
        .into_iter()
        .filter_map(|(path, text)| Some((path.strip_prefix("cli/src/cmd/")?.to_owned(), text)))
        .collect();
    let module = |path: &str| {
        let path = path.strip_suffix(".rs").unwrap();
        path.strip_suffix("mod").map_or(path, |folder| folder.trim_end_matches('/')).to_owned()
    };
    let commands: BTreeSet<String> = files
        .iter()
        .filter(|(_, text)| text.contains("struct Options"))
        .map(|(path, _)| module(path))
        .collect();
    assert!(commands.contains("key/create") && commands.contains("run") && commands.len() > 60);
    let within = |module: &str, folder: &str| {
        module.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let group = |module: &str| module.split('/').next().unwrap().to_owned();
    for (path, text) in files.iter().filter(|(_, text)| !text.contains("derive(Subcommand)")) {
        let own = module(path);
        for named in modules_of_cmd(&own, text) {
            let is_module = named.starts_with(|first: char| first.is_ascii_lowercase());
            assert!(!is_module || group(&named) == group(&own), "{path} reaches into cmd/{named}");
            let other = commands.iter().find(|command| within(&named, command) && !within(&own, command));
            assert!(other.is_none(), "{path} imports the command cmd/{named}");
        }
    }
}

/// What `text`, the file of the module `own` of `cmd`, names in `cmd`, as `key/create/Options`.
fn modules_of_cmd(own: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let parent = own.rsplit_once('/').map_or("", |(parent, _)| parent);
    for (start, folder) in [("super::", parent), ("crate::cmd::", "")] {
        for (at, _) in text.match_indices(start) {
            let rest = &text[at + start.len()..];
            let listed =
                rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(listed, _)| listed);
            for one in listed.unwrap_or(rest).split(',').take(listed.map_or(1, |_| usize::MAX)) {
                let one = one.trim();
                let end = one.find(|c: char| !(c.is_alphanumeric() || "_:".contains(c))).unwrap_or(one.len());
                let mut path: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
                for part in one[..end].split("::") {
                    if part == "super" {
                        path.pop();
                    } else {
                        path.push(part);
                    }
                }
                found.push(path.join("/"));
            }
        }
    }
    found
}

#[test]
fn every_file_of_a_part_belongs_to_it() {
    let mut members = 0;
    for (path, _) in sources() {
        let (folder, file) = path.rsplit_once('/').unwrap();
        let stem = file.strip_suffix(".rs").unwrap();
        // Of a folder with `mod.rs`, its parent names it.
        let (folder, name) = if stem == "mod" { folder.rsplit_once('/').unwrap() } else { (folder, stem) };
        if matches!(stem, "lib" | "main") || folder.ends_with("/bin") {
            continue;
        }
        let parents = ["mod", "lib", "main"].map(|parent| format!("{folder}/{parent}.rs"));
        let parents = parents.into_iter().chain([format!("{folder}.rs")]);
        // Whole files: what only tests use is named where tests begin.
        let texts = parents.filter_map(|parent| std::fs::read_to_string(root().join(parent)).ok());
        let declares = |line: &str| line.ends_with(&format!("mod {name};"));
        let named = texts.into_iter().any(|text| text.lines().any(declares));
        assert!(named, "no part names {path}: it is not compiled, and nobody sees that");
        members += 1;
    }
    assert!(members > 300, "only {members} files were looked at");
}

#[test]
fn the_code_map_names_what_there_is() {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    for package in ["shared/wire", "shared/crypto", "server", "cli", "gateway"] {
        let (_, map) = text.split_once(&format!("\n### {package}\n")).expect(package);
        let (map, _) = map.split_once("\n### ").unwrap();
        let rows = map.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" |"));
        let words = rows.flat_map(|(first, _)| first.split('`').step_by(2).collect::<Vec<_>>());
        let named: BTreeSet<String> = words.map(|word| word.trim_end_matches('/').to_owned()).collect();
        let entries = std::fs::read_dir(root().join(package).join("src")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let there: BTreeSet<String> = names.map(|name| name.trim_end_matches(".rs").to_owned()).collect();
        for module in named.iter().filter(|name| !name.contains('/')) {
            assert!(
                there.contains(module),
                "ARCHITECTURE.md names {package}/src/{module}, which is not there"
            );
        }
        for module in there.iter().filter(|name| !["lib", "testing", "bin"].contains(&name.as_str())) {
            assert!(named.contains(module), "ARCHITECTURE.md does not name {package}/src/{module}");
        }
    }
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = |engine: &str| -> Vec<String> {
        let entries = std::fs::read_dir(root().join("migrations").join(engine)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    assert_eq!(sqlite, postgres);
    assert!(!sqlite.is_empty());
    for (number, name) in (1..).zip(&sqlite) {
        let stem = name.strip_suffix(".sql").unwrap_or_default();
        assert!(stem.starts_with(&format!("{number:04}_")), "{name}");
    }
}

/// The packages that a build of this workspace, with all features, is made of.
struct Packages {
    members: BTreeSet<String>,
    /// Normal and build dependencies.
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Packages {
    fn read() -> Self {
        let metadata = metadata();
        let list = |value: &Value| value.as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let names: BTreeMap<String, String> = list(&metadata["packages"])
            .iter()
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            // Several versions of one package count as one: that can only find more.
            let needs = needs.entry(names[&text(&node["id"])].clone()).or_default();
            for dependency in list(&node["deps"]) {
                if list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev") {
                    needs.insert(names[&text(&dependency["pkg"])].clone());
                }
            }
        }
        let members = list(&metadata["workspace_members"]);
        Self { members: members.iter().map(|id| names[&text(id)].clone()).collect(), needs }
    }

    fn reached_from(&self, package: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut next = vec![package.to_owned()];
        while let Some(name) = next.pop() {
            let needs = self.needs.get(&name).unwrap_or_else(|| panic!("no package {name}"));
            next.extend(needs.iter().filter(|need| reached.insert((*need).clone())).cloned());
        }
        reached
    }
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Packages for other systems are not looked at: they need not be on this machine.
    let host = Command::new("rustc").arg("-vV").current_dir(root()).output().unwrap().stdout;
    let host = String::from_utf8(host).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let words =
        ["metadata", "--locked", "--all-features", "--format-version", "1", "--filter-platform", host];
    let output = Command::new(cargo).args(words).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The code of the product, without its tests and comments: path from the root, text.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for package in [
        "shared/wire/src",
        "shared/crypto/src",
        "gateway/src",
        "gateway/attacks/src",
        "server/src",
        "cli/src",
    ] {
        gather(&root().join(package), &mut files);
    }
    assert!(files.len() > 100, "{}", files.len());
    files
}

fn gather(path: &Path, files: &mut Vec<(String, String)>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            gather(&entry.unwrap().path(), files);
        }
        return;
    }
    let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let is_test = name.contains("/tests/") || name.ends_with("/tests.rs") || name.ends_with("/testing.rs");
    if path.extension().is_some_and(|end| end == "rs") && !is_test {
        let text = std::fs::read_to_string(path).unwrap();
        // Unit tests stand at the foot of their file.
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        files.push((name, code.collect::<Vec<_>>().join("\n")));
    }
}

/// Whether `word` stands in `text` as a whole word.
fn names(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let ends = |c: char, beyond: Option<char>| !(part(c) && beyond.is_some_and(part));
        ends(word.chars().next().unwrap(), before) && ends(word.chars().next_back().unwrap(), after)
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
