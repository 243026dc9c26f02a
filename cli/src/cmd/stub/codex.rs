//! `~/.codex/auth.json`: signed in with an API key, which goes to api.openai.com as a bearer token.

use serde_json::json;

use super::file::{File, MANAGED};

pub(super) fn files() -> Vec<File> {
    vec![File::json(".codex/auth.json", &json!({ "auth_mode": "apikey", "OPENAI_API_KEY": MANAGED }))]
}
