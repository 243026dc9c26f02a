//! The file that `KEYWARD_TOKEN_FILE` names: who else can use it. Commands take it as it is, since the secrets that container
//! engines mount are 0444 and root's.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::check::Check;
use crate::fault::typed;
use crate::text::quoted;

/// Looks at the token file. `None` if there is no such file: the line about the credential says that.
pub(super) fn look(file: Option<&Path>) -> Option<Check> {
    let file = file?;
    let facts = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let shown = typed(&file.to_string_lossy(), 200);
    let who = |group: u32, others: u32| match (facts.mode() & others != 0, facts.mode() & group != 0) {
        (true, _) => Some("every user of this machine"),
        (false, true) => Some("its group"),
        (false, false) => None,
    };
    Some(match (who(0o020, 0o002), who(0o040, 0o004)) {
        (Some(who), _) => Check::warn(
            NAME,
            format!("{who} can change {shown}, and with it whose keys this machine's programs get"),
            format!("run: chmod go-w {}", quoted(&shown)),
        ),
        (None, Some(who)) => Check::ok(
            NAME,
            format!(
                "{who} can read {shown}, and what its token reads: usual for what is mounted in a container of one \
                 program; elsewhere run: chmod 600 {}",
                quoted(&shown)
            ),
        ),
        (None, None) => Check::ok(NAME, format!("{shown}: nobody else may read it")),
    })
}

const NAME: &str = "token file";
