//! The frames of a chunked body: the plain form, or the connection ends.

/// What follows the head of a request with a chunked body.
pub fn holds(bytes: &[u8]) {
    let head = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    super::request::holds(&[head, bytes].concat());
}
