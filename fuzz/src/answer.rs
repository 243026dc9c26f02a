//! The guard before the parser of answers: one plain form goes on.

use httparse::{Response, Status};
use keyward_gateway::fuzz::answer;

/// All that an upstream sends over one connection.
pub fn holds(bytes: &[u8]) {
    let whole = answer(bytes, usize::MAX);
    for size in [1, 7] {
        let parts = answer(bytes, size);
        assert_eq!(parts.refused, whole.refused, "it depends on how the bytes arrive");
        assert!(whole.refused || parts.bytes == whole.bytes, "it depends on how the bytes arrive");
    }
    assert!(bytes.starts_with(&whole.bytes), "something was changed on the way");
    let mut rest = whole.bytes.as_slice();
    while !rest.is_empty() {
        let mut fields = vec![httparse::EMPTY_HEADER; 4096];
        let mut response = Response::new(&mut fields);
        let parsed = response.parse(rest).expect("what goes on is an answer");
        let Status::Complete(head) = parsed else { panic!("what goes on is a whole head") };
        let count = |name: &str| {
            response.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).count()
        };
        assert!(count("content-length") + count("transfer-encoding") <= 1, "it can be read in two ways");
        match response.code {
            // Another head follows.
            Some(code) if code < 200 && code != 101 => rest = &rest[head..],
            _ => return,
        }
    }
}
