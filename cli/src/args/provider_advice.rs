//! What to say of a provider that cannot be taken as it was named: which one may be meant, or why it is not supported.

use keyward_wire::provider::{self, Provider};

/// What to say to a word that no provider is called by, but that is part of the name of some, of a host or of a variable: `gemini`
/// of google-gemini, `claude` of the one with `CLAUDE_CODE_OAUTH_TOKEN`. It is repeated only if it is part of what everybody may
/// know.
pub(crate) fn similar_providers(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    if text.len() < SHORTEST {
        return None;
    }
    let of = |has: &dyn Fn(&Provider) -> bool| -> Vec<&str> {
        provider::all().filter(|provider| has(provider)).map(|provider| provider.name).collect()
    };
    let mut names = of(&|provider| provider.name.contains(&text));
    if names.is_empty() {
        names = of(&|provider| {
            provider.host_shapes().any(|shape| shape.as_str().contains(&text))
                || provider.variables().any(|name| name.to_lowercase().contains(&text))
        });
    }
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("did you mean {one}?")),
        [some @ .., last] if some.len() < FEW => Some(format!("did you mean {} or {last}?", some.join(", "))),
        _ => Some(format!("there are several: keyward provider list {text}")),
    }
}

/// Why a provider has no preset.
pub(crate) fn why_unsupported(name: &str, kind: &str) -> String {
    let why = match kind {
        "oauth2" => "its tokens live for an hour and are renewed by OAuth",
        "sigv4" => "it wants each request signed with the key",
        "minted" => "it wants a token that is made from the key for a while or for one request",
        _ => "the key has to be exchanged for a token first",
    };
    format!("{name} is not supported yet: {why}")
}

/// Letters of a word that tells something.
const SHORTEST: usize = 3;

/// The most providers that are named.
const FEW: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyday_names_lead_to_providers_and_a_value_is_not_repeated() {
        for (text, said) in [
            ("gemini", Some("did you mean google-gemini?")),
            ("Claude", Some("did you mean anthropic-oauth?")),
            ("google", Some("there are several: keyward provider list google")),
            ("gitea", Some("did you mean gitea-forgejo?")),
            ("sk-canary-hunter2", None),
            ("ai", None),
            ("", None),
        ] {
            assert_eq!(similar_providers(text).as_deref(), said, "{text}");
        }
    }
}
