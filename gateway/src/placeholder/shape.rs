//! The shapes of providers' keys: what programs check before they use a key.

use super::{RANDOM, SIGN};

/// A prefix and a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) prefix: &'static str,
    /// The key's length in bytes.
    length: usize,
}

impl Shape {
    /// The shape of this provider's keys. Unknown providers' keys are letters and digits.
    pub(super) fn of(provider: Option<&str>) -> Self {
        let known = SHAPES.iter().find(|(name, _, _)| provider == Some(*name));
        let (_, prefix, length) = known.copied().unwrap_or(("", "", 40));
        Self { prefix, length }
    }

    pub(super) fn with_length(self, length: usize) -> Self {
        let room = length >= self.prefix.len() + SIGN.len() + RANDOM;
        // The prefix is given up for the length: with the prefix of another provider a program would not be helped anyway.
        if room { Self { length, ..self } } else { Self { prefix: "", length } }
    }

    /// How many random characters follow prefix and sign: always enough of them, whatever the length is.
    pub(super) fn random(self) -> usize {
        self.length.saturating_sub(self.prefix.len() + SIGN.len()).max(RANDOM)
    }
}

/// Provider, prefix, length in bytes.
const SHAPES: &[(&str, &str, usize)] = &[
    ("airtable", "pat", 82),
    ("anthropic", "sk-ant-api03-", 108),
    ("anthropic-oauth", "sk-ant-oat01-", 108),
    ("cerebras", "csk-", 52),
    ("cohere", "", 40),
    ("deepseek", "sk-", 35),
    ("digitalocean", "dop_v1_", 71),
    ("fireworks", "fw_", 27),
    ("github", "ghp_", 40),
    ("github-git", "ghp_", 40),
    ("gitlab", "glpat-", 40),
    ("gitlab-git", "glpat-", 40),
    ("google-gemini", "AIza", 39),
    ("groq", "gsk_", 56),
    ("huggingface", "hf_", 37),
    ("linear", "lin_api_", 48),
    ("mistral", "", 32),
    ("notion", "ntn_", 50),
    ("npm", "npm_", 40),
    ("openai", "sk-proj-", 164),
    ("openrouter", "sk-or-v1-", 73),
    ("perplexity", "pplx-", 53),
    ("pypi-upload", "pypi-", 179),
    ("replicate", "r8_", 40),
    ("resend", "re_", 36),
    ("sendgrid", "SG.", 69),
    ("slack", "xoxb-", 57),
    ("stripe", "sk_test_", 107),
    ("supabase", "sbp_", 44),
    ("tavily", "tvly-", 41),
    ("xai", "xai-", 84),
];
