//! `install.sh`: what it installs was checked, or nothing is installed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use keyward_tests::machine::{Ended, run};
use tempfile::TempDir;

use crate::release;
use crate::room::{Room, on_path};

/// Shells that may be `sh`.
const SHELLS: [&[&str]; 3] = [&["dash"], &["busybox", "sh"], &["bash"]];

/// A machine to install on: an empty home, and a copy of the release to spoil.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("keyward-test.").tempdir().unwrap();
        let bench = Self { dir };
        for folder in ["home", "release", "empty"] {
            fs::create_dir(bench.path(folder)).unwrap();
        }
        for entry in fs::read_dir(release::folder()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), bench.path("release").join(entry.file_name())).unwrap();
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn release(&self) -> String {
        self.path("release").to_str().unwrap().to_owned()
    }

    fn installed(&self, name: &str) -> PathBuf {
        self.path("home/.local").join(name)
    }

    /// `SHELL install.sh WORD…` with an environment of nothing but HOME and PATH.
    fn install(&self, shell: &[&str], words: &[&str]) -> Ended {
        self.install_with("/usr/local/bin:/usr/bin:/bin", shell, words)
    }

    fn install_with(&self, path: &str, shell: &[&str], words: &[&str]) -> Ended {
        let mut command = Command::new(on_path(shell[0]));
        command.args(&shell[1..]).arg(self.path("release/install.sh")).args(words);
        run(self.alone(command, path), b"")
    }

    fn alone(&self, mut command: Command, path: &str) -> Command {
        command.env_clear().env("HOME", self.path("home")).env("PATH", path);
        command.current_dir(self.path("empty"));
        command
    }

    /// Checks that nothing is installed, and nothing is left behind.
    fn is_untouched(&self, what: &str) {
        assert!(!self.installed("bin/keyward").exists(), "{what}");
        let left: Vec<PathBuf> = files(&self.path("home"));
        assert!(left.is_empty(), "{what}: {left:?}");
    }

    fn is_installed(&self) {
        for program in ["keyward", "keyward-server"] {
            let path = self.installed(&format!("bin/{program}"));
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o755);
            let mut version = Command::new(path);
            version.arg("--version").env_clear();
            assert!(run(version, b"").ok(&[program]).starts_with(program));
        }
        for file in files(&self.path("home")) {
            assert!(!file.to_str().unwrap().contains(".new."), "{} lies about", file.display());
        }
        assert!(self.installed("share/doc/keyward/examples/container/entrypoint.sh").is_file());
        for file in [
            "doc/keyward/LICENSE-MIT",
            "man/man1/keyward.1",
            "bash-completion/completions/keyward",
            "zsh/site-functions/_keyward",
            "fish/vendor_completions.d/keyward.fish",
        ] {
            assert!(self.installed("share").join(file).is_file(), "{file}");
        }
    }

    /// A folder with these programs of this machine, and no others.
    fn tools(&self, names: &[&str]) -> String {
        let folder = tempfile::Builder::new().prefix("tools.").tempdir_in(self.dir.path()).unwrap().keep();
        for name in names {
            symlink(on_path(name), folder.join(name)).unwrap();
        }
        folder.to_str().unwrap().to_owned()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// A web server over a folder.
struct Web {
    process: Child,
    address: String,
}

impl Web {
    fn serve(folder: &Path) -> Self {
        let mut process = Command::new("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.split(" port ").nth(1).unwrap().split(' ').next().unwrap();
        Self { process, address: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const TOOLS: [&str; 18] = [
    "awk",
    "cat",
    "chmod",
    "cp",
    "curl",
    "grep",
    "gzip",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sh",
    "sha256sum",
    "tar",
    "tr",
    "uname",
    "sleep",
    "id",
];

#[test]
fn every_sh_installs_from_a_folder_an_archive_and_an_address() {
    for shell in SHELLS {
        let bench = Bench::new();
        let archive = format!("{}/{}", bench.release(), release::archive());
        let web = Web::serve(&bench.path("release"));
        for from in
            [bench.release(), archive, web.address.clone(), format!("{}/{}", web.address, release::archive())]
        {
            let ended = bench.install(shell, &["--from", &from]);
            assert_eq!(ended.code, 0, "{shell:?} {from}: {}", ended.said());
            assert!(ended.stdout.is_empty(), "{}", ended.said());
            bench.is_installed();
            fs::remove_dir_all(bench.path("home/.local")).unwrap();
        }
    }
}

#[test]
fn busybox_is_enough() {
    let room = Room::without_keyward().by(65532).keeps("home");
    room.folder("release", 0o755);
    for entry in fs::read_dir(release::folder()).unwrap() {
        let entry = entry.unwrap();
        room.copy(&entry.path(), &format!("release/{}", entry.file_name().to_str().unwrap()));
    }
    let env = [("PATH", "/bin"), ("HOME", "/home")];
    let ended = room.run(&env, &["/bin/sh", "/release/install.sh", "--from", "/release"], b"");
    assert_eq!(ended.code, 0, "{}", ended.said());
    let web = Web::serve(&release::folder());
    let ended = room.run(&env, &["/bin/sh", "/release/install.sh", "--from", &web.address], b"");
    assert_eq!(ended.code, 0, "{}", ended.said());
    let ended = room.run(&env, &["/home/.local/bin/keyward", "--version"], b"");
    assert_eq!(ended.code, 0, "{}", ended.said());
    // Its wget would believe anybody.
    let ended =
        room.run(&env, &["/bin/sh", "/release/install.sh", "--from", "https://127.0.0.1:1/release"], b"");
    assert_eq!(ended.code, 8, "{}", ended.said());
    assert!(ended.stderr.contains("does not check certificates"), "{}", ended.stderr);
}

#[test]
fn a_script_that_arrived_in_part_does_nothing() {
    let bench = Bench::new();
    let script = fs::read(bench.path("release/install.sh")).unwrap();
    let release = bench.release();
    let end = script.len();
    // Everywhere, in steps; and at each of the last bytes. The final newline is not needed.
    let cuts = (0..end).step_by(149).chain(end - 60..end - 1);
    for cut in cuts {
        for shell in SHELLS {
            let mut command = Command::new(on_path(shell[0]));
            command.args(&shell[1..]).args(["-s", "--", "--from", &release]);
            let ended = run(bench.alone(command, "/usr/local/bin:/usr/bin:/bin"), &script[..cut]);
            assert_eq!(ended.stdout, b"", "{shell:?}, {cut} bytes");
            assert_eq!(files(&bench.path("home")), Vec::<PathBuf>::new(), "{shell:?}, {cut} bytes");
        }
    }
    // As a whole it works that way, too.
    for shell in SHELLS {
        let mut command = Command::new(on_path(shell[0]));
        command.args(&shell[1..]).args(["-s", "--", "--from", &release]);
        let ended = run(bench.alone(command, "/usr/local/bin:/usr/bin:/bin"), &script);
        assert_eq!(ended.code, 0, "{shell:?}: {}", ended.said());
        bench.is_installed();
        fs::remove_dir_all(bench.path("home/.local")).unwrap();
    }
}

#[test]
fn what_is_not_what_it_should_be_is_not_installed() {
    let archive = release::archive();
    let good = fs::read(release::folder().join(&archive)).unwrap();
    let sums = fs::read_to_string(release::folder().join("SHA256SUMS")).unwrap();
    let mut tampered = good.clone();
    tampered[good.len() / 2] ^= 1;
    let line = sums.lines().find(|line| line.ends_with(&archive)).unwrap();
    let other = format!("{}  {archive}", "0".repeat(64));
    let cases: Vec<(&str, &[u8], String, i32)> = vec![
        ("one bit", &tampered, sums.clone(), 6),
        ("cut off", &good[..good.len() - 1], sums.clone(), 6),
        ("nothing", b"", sums.clone(), 6),
        ("another sum", &good, sums.replace(line, &other), 6),
        ("two sums", &good, format!("{sums}{other}\n"), 6),
        ("no sum", &good, sums.replace(line, &format!("  {archive}")), 8),
        ("a short sum", &good, sums.replace(line, &line[1..]), 6),
        ("no line", &good, sums.replace(line, ""), 8),
        ("no sums", &good, String::new(), 8),
    ];
    for (what, bytes, sums, code) in cases {
        let bench = Bench::new();
        fs::write(bench.path("release").join(&archive), bytes).unwrap();
        fs::write(bench.path("release/SHA256SUMS"), sums).unwrap();
        let web = Web::serve(&bench.path("release"));
        for shell in SHELLS {
            for from in [bench.release(), web.address.clone()] {
                let ended = bench.install(shell, &["--from", &from]);
                // "Two sums" names two archives, which is a question before it is a lie.
                let code = if what == "two sums" { 2 } else { code };
                assert_eq!(ended.code, code, "{what}: {}", ended.said());
                bench.is_untouched(what);
            }
        }
        let named = format!("{}/{archive}", bench.release());
        let ended = bench.install(&["dash"], &["--from", &named]);
        assert_eq!(ended.code, 6, "{what}, by name: {}", ended.said());
        bench.is_untouched(what);
    }
}

#[test]
fn a_sum_from_elsewhere_wins_over_the_one_beside_the_archive() {
    let bench = Bench::new();
    let archive = release::archive();
    let sum = release_sum(&archive);
    let named = format!("{}/{archive}", bench.release());
    let wrong = "0".repeat(64);
    for sum in [wrong.as_str(), "", "00", &sum[1..], &format!("{sum}0")] {
        let ended = bench.install(&["dash"], &["--from", &named, "--sha256", sum]);
        assert_eq!(ended.code, if sum.is_empty() { 2 } else { 6 }, "{}", ended.said());
        bench.is_untouched("a wrong sum");
    }
    // Then nothing else need be there.
    fs::remove_file(bench.path("release/SHA256SUMS")).unwrap();
    assert_eq!(bench.install(&["dash"], &["--from", &named]).code, 8);
    let ended = bench.install(&["dash"], &["--from", &named, "--sha256", &sum.to_uppercase()]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    bench.is_installed();
}

fn release_sum(archive: &str) -> String {
    let sums = fs::read_to_string(release::folder().join("SHA256SUMS")).unwrap();
    let line = sums.lines().find(|line| line.ends_with(archive)).unwrap();
    line.split(' ').next().unwrap().to_owned()
}

#[test]
fn without_the_tools_to_check_or_fetch_it_refuses() {
    let bench = Bench::new();
    let web = Web::serve(&bench.path("release"));
    let without = |names: &[&str]| {
        let kept: Vec<&str> = TOOLS.into_iter().filter(|tool| !names.contains(tool)).collect();
        bench.tools(&kept)
    };
    for (tools, from, said) in [
        (without(&["sha256sum"]), bench.release(), "neither sha256sum nor shasum"),
        (without(&["tar"]), bench.release(), "no tar"),
        (without(&["curl"]), web.address.clone(), "neither curl nor wget"),
    ] {
        let ended = bench.install_with(&tools, &["dash"], &["--from", &from]);
        assert_eq!(ended.code, 8, "{}", ended.said());
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        bench.is_untouched(said);
    }
    // With all of them it works: the folders are right.
    let ended = bench.install_with(&without(&[]), &["dash"], &["--from", &web.address]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    bench.is_installed();
}

#[test]
fn wget_and_shasum_do_as_well() {
    let bench = Bench::new();
    let web = Web::serve(&bench.path("release"));
    let mut names: Vec<&str> =
        TOOLS.into_iter().filter(|tool| !["curl", "sha256sum"].contains(tool)).collect();
    names.extend(["wget", "shasum"]);
    let ended = bench.install_with(&bench.tools(&names), &["dash"], &["--from", &web.address]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    bench.is_installed();
}

#[test]
fn an_address_that_others_can_change_is_not_used() {
    let bench = Bench::new();
    for (from, code) in [
        ("http://keyward.example/release", 9),
        ("http://127.0.0.1.keyward.example/release", 9),
        ("http://localhost@keyward.example/release", 2),
        ("https://user:word@keyward.example/release", 2),
        ("ftp://keyward.example/release", 9),
        ("file:///release", 9),
        ("http://127.0.0.1:1/release", 5),
    ] {
        let ended = bench.install(&["dash"], &["--from", from]);
        assert_eq!(ended.code, code, "{from}: {}", ended.said());
        bench.is_untouched(from);
    }
}

#[test]
fn an_installed_program_is_replaced_in_one_step_even_while_it_runs() {
    let bench = Bench::new();
    let release = bench.release();
    assert_eq!(bench.install(&["dash"], &["--from", &release]).code, 0);
    let path = bench.installed("bin/keyward");
    let server = bench.installed("bin/keyward-server");
    let before = [&path, &server].map(|path| fs::metadata(path).unwrap().ino());
    // A program that runs cannot be written to: only replaced.
    let data = bench.path("data");
    let mut running = Command::new(&server)
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ended = bench.install(&["dash"], &["--from", &release]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(running.try_wait().unwrap().is_none(), "the server was stopped");
    running.kill().unwrap();
    running.wait().unwrap();
    let after = [&path, &server].map(|path| fs::metadata(path).unwrap().ino());
    assert!(before[0] != after[0] && before[1] != after[1], "written in place");
    bench.is_installed();
}

#[test]
fn a_failure_leaves_an_installed_program_as_it_was() {
    let bench = Bench::new();
    let bin = bench.installed("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("keyward"), "the former").unwrap();
    // The second program cannot be put in place.
    fs::create_dir(bin.join("keyward-server")).unwrap();
    let ended = bench.install(&["dash"], &["--from", &bench.release()]);
    assert_eq!(ended.code, 9, "{}", ended.said());
    assert_eq!(fs::read(bin.join("keyward")).unwrap(), b"the former");
    assert_eq!(files(&bench.path("home")), [bin.join("keyward")]);
    // A link is replaced, and what it leads to is left alone.
    fs::remove_dir(bin.join("keyward-server")).unwrap();
    fs::write(bench.path("elsewhere"), "precious").unwrap();
    fs::remove_file(bin.join("keyward")).unwrap();
    symlink(bench.path("elsewhere"), bin.join("keyward")).unwrap();
    assert_eq!(bench.install(&["dash"], &["--from", &bench.release()]).code, 0);
    assert_eq!(fs::read(bench.path("elsewhere")).unwrap(), b"precious");
    bench.is_installed();
}

#[test]
fn an_archive_that_there_is_no_room_for_is_not_said_to_be_missing() {
    let bench = Bench::new();
    // The sums are small enough, the archive is not.
    let script = "trap '' XFSZ; ulimit -f 8; exec sh \"$0\" --from \"$1\"";
    let mut command = Command::new(on_path("dash"));
    command.args(["-c", script]).arg(bench.path("release/install.sh")).arg(bench.release());
    let ended = run(bench.alone(command, "/usr/local/bin:/usr/bin:/bin"), b"");
    assert_eq!(ended.code, 1, "{}", ended.said());
    assert!(ended.stderr.contains("could not be copied"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("there is no"), "{}", ended.stderr);
    bench.is_untouched("no room");
}

#[test]
fn a_version_is_chosen_among_several_and_a_prefix_is_kept_to() {
    let bench = Bench::new();
    let archive = release::archive();
    let sums = fs::read_to_string(bench.path("release/SHA256SUMS")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let newer = archive.replacen(version, "99.0.0", 1);
    fs::write(bench.path("release/SHA256SUMS"), format!("{sums}{}  {newer}\n", "0".repeat(64))).unwrap();
    let release = bench.release();
    let ended = bench.install(&["dash"], &["--from", &release]);
    assert_eq!(ended.code, 2, "{}", ended.said());
    assert!(ended.stderr.contains("--version"), "{}", ended.stderr);
    assert_eq!(bench.install(&["dash"], &["--from", &release, "--version", "98.0.0"]).code, 8);
    bench.is_untouched("no such version");
    let prefix = bench.path("a prefix with spaces");
    let words = ["--from", &release, "--version", version, "--prefix", prefix.to_str().unwrap()];
    let ended = bench.install(&["dash"], &words);
    assert_eq!(ended.code, 0, "{}", ended.said());
    bench.is_untouched("a prefix was given");
    assert!(prefix.join("bin/keyward").is_file());
    assert_eq!(fs::metadata(prefix.join("bin/keyward")).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn what_it_cannot_make_sense_of_is_a_usage_error() {
    let bench = Bench::new();
    for words in
        [&[][..], &["--from"], &["--from", ""], &["/release"], &["--force", "x"], &["--prefix", "/x"]]
    {
        let ended = bench.install(&["dash"], words);
        assert_eq!(ended.code, 2, "{words:?}: {}", ended.said());
        bench.is_untouched("usage");
    }
    let ended = bench.install(&["dash"], &["--help"]);
    assert_eq!(ended.code, 0);
    assert!(String::from_utf8_lossy(&ended.stdout).starts_with("usage: install.sh"));
    let mut homeless = Command::new(on_path("dash"));
    homeless.arg(bench.path("release/install.sh")).args(["--from", &bench.release()]);
    let mut homeless = bench.alone(homeless, "/usr/bin:/bin");
    homeless.env_remove("HOME");
    assert_eq!(run(homeless, b"").code, 2);
}
