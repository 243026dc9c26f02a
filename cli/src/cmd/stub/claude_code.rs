//! `~/.claude/.credentials.json`: signed in with a subscription. The token goes to api.anthropic.com as a bearer token; the
//! gateway's rule puts the key where it belongs, also one that goes into `x-api-key`.

use serde_json::json;

use super::file::{File, MANAGED, NEVER_MS};

pub(super) fn files() -> Vec<File> {
    let oauth = json!({
        "accessToken": MANAGED,
        "refreshToken": MANAGED,
        "expiresAt": NEVER_MS,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    });
    vec![File::json(".claude/.credentials.json", &json!({ "claudeAiOauth": oauth }))]
}
