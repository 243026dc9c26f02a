//! `~/.config/gh`: signed in to github.com. Both forms of the file, before gh 2.40 and since, and the version that tells gh not
//! to ask GitHub who this is.

use super::file::{File, MANAGED};

pub(super) fn files() -> Vec<File> {
    let hosts = format!(
        "github.com:\n    git_protocol: https\n    users:\n        keyward:\n            oauth_token: {MANAGED}\n    \
         user: keyward\n    oauth_token: {MANAGED}\n"
    );
    vec![
        File::new(".config/gh/hosts.yml", hosts),
        File::new(".config/gh/config.yml", "version: \"1\"\n".to_owned()),
    ]
}
