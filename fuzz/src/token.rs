//! Credentials as text: what is read is written back letter for letter, so there is one spelling of each.

use keyward_crypto::{Halves, Token};
use keyward_wire::name::{Email, EnvName, Name};
use keyward_wire::{AuthHalf, DeploymentId, SessionToken};

/// Tokens, halves, `Authorization` headers, ids and names.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(token) = Token::parse(text) {
        assert!(*token.encode() == *text);
        assert_eq!(text.len(), 91);
    }
    if let Ok(halves) = Halves::parse(text) {
        assert!(*halves.encode() == *text);
    }
    if let Ok((credential, auth)) = AuthHalf::from_authorization(text) {
        assert!(*auth.authorization(credential) == *text);
    }
    if let Ok(session) = SessionToken::from_authorization(text) {
        assert!(*session.authorization() == *text);
    }
    if let Ok(id) = text.parse::<DeploymentId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(name) = text.parse::<EnvName>() {
        assert_eq!(name.as_str(), text);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    }
    // These two are normalised: once is enough.
    if let Ok(name) = text.parse::<Name>() {
        assert_eq!(name.as_str().parse::<Name>().expect("a name is a name").as_str(), name.as_str());
    }
    if let Ok(email) = text.parse::<Email>() {
        assert_eq!(email.as_str().parse::<Email>().expect("an address is one").as_str(), email.as_str());
    }
}
