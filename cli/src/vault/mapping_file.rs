//! `.keyward-deployment`: which deployment a name means in this folder and below.
//!
//! `{"environment_mappings": {"production": "482bd7d9-38e0-4568-99be-6ae3a44d48a2"}}`, in the working directory or a
//! parent.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use keyward_crypto::state::view::View;
use keyward_wire::DeploymentId;
use keyward_wire::json::check_depth;
use keyward_wire::name::Name;
use rustix::fs::OFlags;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::ctx::Ctx;
use crate::fault::{Code, Fault, printable, typed};
use crate::session::files;
use crate::text::quoted;

/// File name.
pub const NAME: &str = ".keyward-deployment";

/// Largest file that is read, in bytes.
const LIMIT: u64 = 64 * 1024;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingFile {
    #[serde(deserialize_with = "each_once")]
    environment_mappings: BTreeMap<String, DeploymentId>,
}

/// The id that the nearest file gives to `name`. `None` if there is no file, or it does not have the name. An id always means
/// itself.
///
/// # Errors
/// If the nearest file cannot be read or understood, or others could have written it: then the name might mean something else.
pub fn find(name: &str) -> anyhow::Result<Option<DeploymentId>> {
    if name.parse::<DeploymentId>().is_ok() {
        return Ok(None);
    }
    // A deleted working directory has no parents to search.
    let Ok(here) = std::env::current_dir() else { return Ok(None) };
    Ok(nearest(&here)?.and_then(|ids| ids.get(name).copied()))
}

/// Warns if `name`, which a file gives to the deployment `id`, is the exact name of another one. The file goes first; it may have
/// come with whatever was cloned.
pub fn warn_if_hidden(ctx: &Ctx, view: &View, name: &str, id: DeploymentId) {
    let Some(named) = name.parse::<Name>().ok().and_then(|name| view.deployment_named(&name)) else { return };
    if let Some(mapped) = view.deployment(id).filter(|mapped| mapped.id != named.id) {
        ctx.out.warn(&format!(
            "{} means {} here, as .keyward-deployment says, and not the deployment of that name",
            named.name, mapped.name
        ));
    }
}

/// The path of the nearest file and the names in it. `None` if there is no file.
///
/// # Errors
/// As [`find`].
pub fn nearest_here() -> anyhow::Result<Option<(PathBuf, BTreeMap<String, DeploymentId>)>> {
    let Ok(here) = std::env::current_dir() else { return Ok(None) };
    locate(&here)
}

/// Makes `name` mean `id` in this folder and below: in the nearest file, since that file decides, else in a new one here. Returns
/// the file's path.
///
/// # Errors
/// If the file cannot be written, or others could replace it.
pub fn save(name: &str, id: DeploymentId) -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("there is no working directory")?;
    save_from(&here, name, id)
}

fn save_from(here: &Path, name: &str, id: DeploymentId) -> anyhow::Result<PathBuf> {
    let (path, mut ids) = locate(here)?.unwrap_or_else(|| (here.join(NAME), BTreeMap::new()));
    let folder = path.parent().unwrap_or(here);
    let facts = folder.metadata().with_context(|| format!("cannot use {}", shown(folder)))?;
    check_folder(folder, facts.uid(), facts.mode(), rustix::process::geteuid().as_raw())?;
    ids.insert(name.to_owned(), id);
    let mut text = serde_json::to_vec_pretty(&MappingFile { environment_mappings: ids })?;
    text.push(b'\n');
    // The file holds no secret: whoever works in the project may read it, and a repository may hold it.
    files::write_public(&path, &text)?;
    Ok(path)
}

fn nearest(from: &Path) -> anyhow::Result<Option<BTreeMap<String, DeploymentId>>> {
    Ok(locate(from)?.map(|(_, ids)| ids))
}

fn locate(from: &Path) -> anyhow::Result<Option<(PathBuf, BTreeMap<String, DeploymentId>)>> {
    for folder in from.ancestors() {
        let path = folder.join(NAME);
        if let Some((file, facts)) = open(&path)? {
            check_own(&path, facts.uid(), facts.mode(), rustix::process::geteuid().as_raw())?;
            let ids = read(&path, &file)?;
            return Ok(Some((path, ids)));
        }
    }
    Ok(None)
}

/// Opens the file, if there is one, and returns the metadata of the very file that was opened.
fn open(path: &Path) -> anyhow::Result<Option<(File, Metadata)>> {
    // A pipe that somebody put there must not make keyward wait, and a link must not choose among the user's files.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(_) if path.is_symlink() => {
            let fault = Fault::new(Code::Policy, format!("{} is a symbolic link", shown(path)));
            return Err(fault.next(format!("put a regular file in its place; {BY_ID}")).into());
        }
        Err(error) if path.is_file() => {
            return Err(error).with_context(|| format!("cannot read {}", shown(path)));
        }
        Err(_) => return Ok(None),
    };
    let facts = file.metadata().with_context(|| format!("cannot read {}", shown(path)))?;
    Ok(facts.is_file().then_some((file, facts)))
}

/// Refuses a file that somebody other than the user `own` and root can write: it could make a script read other keys.
fn check_own(path: &Path, owner: u32, mode: u32, own: u32) -> Result<(), Fault> {
    if owner != own && owner != 0 {
        return Err(Fault::new(Code::Policy, format!("{} belongs to another user", shown(path)))
            .next(format!("if it is to be trusted, run: sudo chown {own} {}; {BY_ID}", to_type(path))));
    }
    if mode & 0o022 != 0 {
        return Err(Fault::new(Code::Policy, format!("others may write {}", shown(path)))
            .next(format!("run: chmod go-w {}; {BY_ID}", to_type(path))));
    }
    Ok(())
}

/// Refuses a folder in which somebody else could replace the file.
fn check_folder(path: &Path, owner: u32, mode: u32, own: u32) -> Result<(), Fault> {
    let shared = mode & 0o022 != 0 && mode & 0o1000 == 0;
    if shared || (owner != own && owner != 0) {
        let what = format!("others could replace a file in {}", shown(path));
        return Err(
            Fault::new(Code::Policy, what).next(format!("run: chmod go-w {}; {BY_ID}", to_type(path)))
        );
    }
    Ok(())
}

/// A path as it is shown: it comes with whatever was cloned.
pub fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), 4096)
}

/// A path as it is typed in a shell.
fn to_type(path: &Path) -> String {
    quoted(&shown(path))
}

fn read(path: &Path, file: &File) -> anyhow::Result<BTreeMap<String, DeploymentId>> {
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", shown(path)))?;
    let form = |why: &str| {
        Fault::usage(format!("{} cannot be understood: {why}", shown(path)))
            .next(r#"write it as {"environment_mappings": {"production": "<deployment id>"}}"#)
    };
    if bytes.len() as u64 > LIMIT {
        return Err(form(&format!("it has more than {LIMIT} bytes")).into());
    }
    Ok(parse(&bytes).map_err(|why| form(&why))?)
}

/// The names in a file, with or without a byte order mark.
///
/// # Errors
/// The reason, if the file is not of the one valid form.
pub fn parse(bytes: &[u8]) -> Result<BTreeMap<String, DeploymentId>, String> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if !bytes.trim_ascii_start().starts_with(b"{") {
        // serde would read a list as the fields, too.
        return Err("it is no JSON object".to_owned());
    }
    check_depth(bytes).map_err(|error| error.to_string())?;
    let file: MappingFile = serde_json::from_slice(bytes).map_err(|error| typed(&error.to_string(), 200))?;
    Ok(file.environment_mappings)
}

/// A name that is there twice has no one meaning.
fn each_once<'de, D: Deserializer<'de>>(reader: D) -> Result<BTreeMap<String, DeploymentId>, D::Error> {
    struct Names;

    impl<'de> Visitor<'de> for Names {
        type Value = BTreeMap<String, DeploymentId>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("names with the ids of deployments")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut names = BTreeMap::new();
            while let Some((name, id)) = map.next_entry::<String, DeploymentId>()? {
                if name.parse::<Name>().is_err() {
                    return Err(A::Error::custom("a name in it is no name of a deployment"));
                }
                if names.contains_key(&name) {
                    return Err(A::Error::custom(format!("{name} is there twice")));
                }
                names.insert(name, id);
            }
            Ok(names)
        }
    }

    reader.deserialize_map(Names)
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The advice if the file does not help.
const BY_ID: &str = "or name the deployment by its id";

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::fault::code_of;
    use crate::session::files::create;

    const ID: &str = "482bd7d9-38e0-4568-99be-6ae3a44d48a2";

    fn text() -> String {
        format!(r#"{{"environment_mappings": {{"production": "{ID}"}}}}"#)
    }

    #[test]
    fn the_nearest_file_decides_and_a_broken_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        create(&folder.path().join(NAME), text().as_bytes()).unwrap();
        assert_eq!(nearest(&deep).unwrap().unwrap()["production"].to_string(), ID);
        std::fs::create_dir(folder.path().join("a").join(NAME)).unwrap();
        assert_eq!(nearest(&deep).unwrap().unwrap().len(), 1, "a folder is no file");
        create(&deep.join(NAME), br#"{"environment_mappings": {"production": "not-an-id"}}"#).unwrap();
        assert_eq!(code_of(&nearest(&deep).unwrap_err()), Code::Usage);
    }

    #[test]
    fn what_came_with_a_clone_is_shown_and_typed_inertly() {
        let path = Path::new("/x'$(touch y)'\u{1b}[2J");
        let advice = check_own(path, 7, 0o666, 7).unwrap_err().to_string();
        assert!(advice.contains(r"chmod go-w '/x'\''$(touch y)'\''"), "{advice}");
        assert!(!advice.contains('\u{1b}'), "{advice}");
        let named = format!(r#"{{"environment_mappings": {{"a\u001b[31m": "{ID}"}}}}"#);
        let why = parse(named.as_bytes()).unwrap_err();
        assert!(why.contains("no name of a deployment") && !why.contains("31m"), "{why}");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named_and_a_byte_order_mark_is_not_wrong() {
        let marked = [BYTE_ORDER_MARK, text().as_bytes()].concat();
        assert_eq!(parse(&marked).unwrap().len(), 1);
        let twice = format!(r#"{{"environment_mappings": {{"production": "{ID}", "production": "{ID}"}}}}"#);
        let extra = format!(r#"{{"environment_mappings": {{"production": "{ID}"}}, "organisation": "x"}}"#);
        for (text, why) in [
            (twice.as_str(), "production is there twice"),
            (extra.as_str(), "`organisation`"),
            ("[{}]", "no JSON object"),
            ("{}", "environment_mappings"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_that_others_may_write_is_refused_with_the_command_that_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        create(&path, text().as_bytes()).unwrap();
        for mode in [0o620, 0o602, 0o664, 0o666] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = nearest(folder.path()).unwrap_err();
            assert_eq!(code_of(&error), Code::Policy, "{mode:o}");
            assert!(error.to_string().contains("chmod go-w"), "{error}");
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(nearest(folder.path()).unwrap().is_some());
    }

    #[test]
    fn a_file_of_another_user_is_refused_but_not_one_of_root() {
        let check = |owner, own| check_own(Path::new(NAME), owner, 0o100_644, own);
        let error = check(1001, 1000).unwrap_err();
        assert_eq!(error.code, Code::Policy);
        assert!(error.to_string().contains("sudo chown 1000"), "{error}");
        assert!(check(1001, 0).is_err(), "root does not trust everybody");
        assert!(check(1000, 1000).is_ok() && check(0, 1000).is_ok());
    }

    #[test]
    fn neither_a_link_nor_a_pipe_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        create(&other, text().as_bytes()).unwrap();
        symlink(&other, folder.path().join(NAME)).unwrap();
        assert_eq!(code_of(&nearest(folder.path()).unwrap_err()), Code::Policy);
        let deep = folder.path().join("deep");
        std::fs::create_dir(&deep).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(deep.join(NAME)).status().unwrap();
        assert!(pipe.success());
        assert!(open(&deep.join(NAME)).unwrap().is_none());
    }

    #[test]
    fn a_choice_is_saved_in_the_file_that_decides_and_leaves_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let other: DeploymentId = "00000000-0000-4000-8000-000000000001".parse().unwrap();
        let path = save_from(&deep, "production", ID.parse().unwrap()).unwrap();
        assert_eq!(path, deep.join(NAME), "there was none");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        std::fs::rename(&path, folder.path().join(NAME)).unwrap();
        let path = save_from(&deep, "staging", other).unwrap();
        assert_eq!(path, folder.path().join(NAME), "a nearer one would hide what this one says");
        let ids = nearest(&deep).unwrap().unwrap();
        assert_eq!(ids["production"].to_string(), ID);
        assert_eq!(ids["staging"], other);
    }

    #[test]
    fn nothing_is_saved_where_others_could_replace_it() {
        let folder = tempfile::tempdir().unwrap();
        let save = || save_from(folder.path(), "production", ID.parse().unwrap());
        for (mode, good) in [(0o777, false), (0o770, false), (0o1777, true), (0o755, true)] {
            std::fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(save().is_ok(), good, "{mode:o}");
        }
        let check = |owner, own| check_folder(Path::new("x"), owner, 0o40_755, own);
        assert!(check(1001, 1000).is_err() && check(1000, 1000).is_ok() && check(0, 1000).is_ok());
        std::fs::set_permissions(folder.path().join(NAME), Permissions::from_mode(0o666)).unwrap();
        assert_eq!(
            code_of(&save().unwrap_err()),
            Code::Policy,
            "a file that others can write is not mended silently"
        );
    }

    #[test]
    fn an_id_means_itself_whatever_a_file_says() {
        assert_eq!(find(ID).unwrap(), None);
    }
}
