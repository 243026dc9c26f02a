//! Percent-encoding, as queries and forms have it.

use zeroize::Zeroizing;

/// Percent-encodes every byte that is not a letter, a digit or one of `kept`.
pub(super) fn percent(text: &[u8], kept: &[u8]) -> Zeroizing<Vec<u8>> {
    let stays = |byte: &u8| byte.is_ascii_alphanumeric() || kept.contains(byte);
    let length = text.iter().map(|byte| if stays(byte) { 1 } else { 3 }).sum();
    let mut encoded = Zeroizing::new(Vec::with_capacity(length));
    for byte in text {
        if stays(byte) {
            encoded.push(*byte);
        } else {
            let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
            encoded.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

/// Decodes percent-encoding; `+` is a blank, as in forms and queries. Bytes that encode nothing stay.
pub(super) fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let escape = (*byte == b'%').then(|| digit(0).zip(digit(1))).flatten();
        let (byte, after) = match escape.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(byte) => (byte, after.get(2..).unwrap_or_default()),
            None if *byte == b'+' => (b' ', after),
            None => (*byte, after),
        };
        decoded.push(byte);
        rest = after;
    }
    decoded
}

/// The characters beside letters and digits that are never encoded (RFC 3986).
pub(super) const UNRESERVED: &[u8] = b"-._~";
const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
