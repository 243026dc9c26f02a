//! How much an answer can make the scrubber do: counted, not timed.

use super::super::find::READ;
use super::*;

/// Bytes that were read around escapes to look through this text, for each byte of it.
fn read_again(scrubber: &Scrubber, body: &[u8]) -> usize {
    let before = READ.get();
    let _ = scrubber.text(body);
    (READ.get() - before) / body.len()
}

#[test]
fn h5_an_answer_full_of_parts_of_a_value_after_escapes_is_read_once() {
    let scrubber = Scrubber::new(&[Held::new(SECRET, None).unwrap()], 7);
    // Whatever eight bytes are looked for, these have them, as far after what may begin the value.
    for (sign, within) in [("\\\\", "u0041"), ("\\\\", "x41"), ("%25", "41"), ("%2525", "41")] {
        let part = &SECRET[within.len()..SECRET.len() - 1];
        let body = [sign.as_bytes(), within.as_bytes(), part, b"!"].concat().repeat(2_000);
        assert!(scrubber.text(&body).is_none());
        assert_eq!(read_again(&scrubber, &body), 1, "{sign}{within}");
    }
}

#[test]
fn h5_an_answer_full_of_values_in_escapes_is_read_a_few_times() {
    for (value, form) in [
        ("n4/9fQ2vT7bLx0ZcR4mWk8", "\\\\n4\\/9fQ2vT7bLx0ZcR4mWk8"),
        ("4f/9fQ2vT7bLx0ZcR4mWk8", "%254f%2F9fQ2vT7bLx0ZcR4mWk8"),
    ] {
        let scrubber = Scrubber::new(&[Held::new(value.as_bytes(), None).unwrap()], 7);
        let times: Vec<usize> =
            [200, 2_000].iter().map(|count| read_again(&scrubber, form.repeat(*count).as_bytes())).collect();
        // Each is read as far as the longest form may go, and no further.
        assert!(times[1] <= times[0] + 1 && times[1] < 50, "{form}: {times:?}");
    }
}

#[test]
fn what_may_begin_a_value_is_no_part_of_one_far_behind_it() {
    let value = "n4/9fQ2vT7bLx0ZcR4mWk8";
    let scrubber = Scrubber::new(&[Held::new(value.as_bytes(), None).unwrap()], 7);
    // A line end that is passed over; then, far away, all of the value but its first character, behind an escape.
    for far in [0, 10, 1_000, 10_000] {
        let body = format!("\\\\n{}4\\/9fQ2vT7bLx0ZcR4mWk8 {}", ".".repeat(far), "\\/".repeat(3));
        assert_eq!(scrubber.text(body.as_bytes()).is_some(), far == 0, "{far}");
    }
}
