//! The MCP servers for Gmail and for Google Calendar: an OAuth client and a token, as Google's libraries keep them. The token
//! goes to googleapis.com as a bearer token; it ends in 2100, so no program asks Google for another.

use serde_json::{Value, json};

use super::file::{File, MANAGED, NEVER_MS};

pub(super) fn gmail() -> Vec<File> {
    let scopes =
        "https://www.googleapis.com/auth/gmail.modify https://www.googleapis.com/auth/gmail.settings.basic";
    vec![
        File::json(".gmail-mcp/gcp-oauth.keys.json", &client("http://localhost:3000/oauth2callback")),
        File::json(".gmail-mcp/credentials.json", &token(scopes)),
    ]
}

pub(super) fn calendar() -> Vec<File> {
    let scopes = "https://www.googleapis.com/auth/calendar";
    vec![
        File::json(
            ".config/google-calendar-mcp/gcp-oauth.keys.json",
            &client("http://localhost:3500/oauth2callback"),
        ),
        File::json(".config/google-calendar-mcp/tokens.json", &json!({ "normal": token(scopes) })),
    ]
}

fn client(redirect: &str) -> Value {
    json!({ "installed": {
        "client_id": MANAGED,
        "client_secret": MANAGED,
        "project_id": "keyward",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "redirect_uris": [redirect],
    } })
}

fn token(scope: &str) -> Value {
    json!({
        "access_token": MANAGED,
        "refresh_token": MANAGED,
        "scope": scope,
        "token_type": "Bearer",
        "expiry_date": NEVER_MS,
    })
}

pub(super) const CALENDAR_ADVICE: &str = "start the server with \
    GOOGLE_OAUTH_CREDENTIALS=~/.config/google-calendar-mcp/gcp-oauth.keys.json";
