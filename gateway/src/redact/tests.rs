//! The claims of the scrubber, and the attackers' rows that it answers (R of ATTACKS.md).

use bytes::Bytes;
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

use super::*;

mod any;
mod encodings;
mod work;

#[path = "../../attacks/src/forms.rs"]
#[expect(
    unreachable_pub,
    dead_code,
    reason = "a file of the attacks': what must be covered, found another way"
)]
mod forms;

type Encode = fn(&[u8]) -> Vec<u8>;

/// 44 random letters and digits, as many in its placeholder.
const SECRET: &[u8] = b"sk-test-9fQ2vT7bLx0ZcR4mWk8JpY3hNd6GsA1eUoXi";
const PLACEHOLDER: &str = "sk-test-kwph0123456789abcdefghijABCDEFGHIJKL";
/// Of another key, with characters that encoders escape, and no placeholder of its length.
const OTHER: &[u8] = b"p/Zq+7w=\"4Kd'8<Yt>2";

fn scrubber() -> Scrubber {
    let held = [Held::new(SECRET, Some(PLACEHOLDER)).unwrap(), Held::new(OTHER, None).unwrap()];
    Scrubber::new(&held, 0x1234_5678_9abc_def1)
}

fn scrub(text: &[u8]) -> Vec<u8> {
    scrubber().text(text).map_or_else(|| text.to_vec(), |(text, _)| text)
}

/// Through a stream, in pieces of these sizes, over and over.
fn stream(text: &[u8], sizes: &[usize]) -> Vec<u8> {
    let (mut stream, scrubber) = (Stream::new(), scrubber());
    let mut out = Vec::new();
    let mut rest = text;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*size).clamp(1, rest.len()));
        out.extend_from_slice(&stream.push(&scrubber, Bytes::copy_from_slice(piece)));
        rest = after;
    }
    out.extend_from_slice(&stream.finish(&scrubber));
    out
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn r1_an_echo_has_the_placeholder_where_the_value_was() {
    let echo = format!("{{\"authorization\":\"Bearer {}\"}}", text(SECRET));
    assert_eq!(text(&scrub(echo.as_bytes())), echo.replace(text(SECRET), PLACEHOLDER));
}

#[test]
fn r2_basic_is_covered_in_full_and_reads_as_the_placeholder() {
    for user in ["", "u", "us", "user", "x-access-token"] {
        let form = |password: &str| format!("{user}:{password}");
        let (secret, safe) = (form(text(SECRET)), form(PLACEHOLDER));
        for encoding in [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD] {
            let echo = format!("Basic {} and {secret}", encoding.encode(secret.as_bytes()));
            let wanted = format!("Basic {} and {safe}", encoding.encode(safe.as_bytes()));
            assert_eq!(text(&scrub(echo.as_bytes())), wanted);
        }
    }
}

#[test]
fn r7_a_value_is_covered_wherever_it_is_cut() {
    let echo = [b"{\"a\":\"", SECRET, b"\",\"b\":\"", BASE64.encode(SECRET).as_bytes(), b"\"}"].concat();
    let whole = scrub(&echo);
    assert!(!whole.windows(SECRET.len()).any(|part| part == SECRET));
    for cut in 1..echo.len() {
        assert_eq!(stream(&echo, &[cut, echo.len()]), whole, "cut at {cut}");
    }
    for size in 1..60 {
        assert_eq!(stream(&echo, &[size]), whole, "in pieces of {size}");
    }
}

#[test]
fn r6_what_is_at_the_very_end_is_covered() {
    let mut body = vec![b'.'; 70_000];
    body.extend_from_slice(SECRET);
    let scrubbed = stream(&body, &[16_384]);
    assert_eq!(scrubbed.len(), body.len());
    assert!(scrubbed.ends_with(PLACEHOLDER.as_bytes()));
}

#[test]
fn r7_nothing_of_a_value_goes_before_it_is_known_in_full() {
    // Far more than is held back, then the beginning of a value: what comes next may take for ever to come.
    for cut in 1..SECRET.len() {
        let (mut stream, scrubber) = (Stream::new(), scrubber());
        let (first, rest) = SECRET.split_at(cut);
        let begun = [&[b'.'; 5000], b"\nkey ".as_slice(), first].concat();
        let out = stream.push(&scrubber, Bytes::from(begun));
        assert!(!out.is_empty() && out.iter().all(|byte| b".\n".contains(byte)), "cut at {cut}");
        let last = [stream.push(&scrubber, Bytes::copy_from_slice(rest)), stream.finish(&scrubber)].concat();
        assert_eq!(last, [b"key ", PLACEHOLDER.as_bytes()].concat(), "cut at {cut}");
    }
}

#[test]
fn r8_events_are_let_go_with_their_line_and_covered() {
    let (mut stream, scrubber) = (Stream::new(), scrubber());
    for field in ["data: ", "event: ", "id: ", ": ", "data:"] {
        let event = format!("{field}{}\n\n", text(SECRET));
        // Cut anywhere: what is no whole line waits, a whole line does not.
        for cut in 1..event.len() - 2 {
            let (first, rest) = event.split_at(cut);
            assert!(stream.push(&scrubber, Bytes::copy_from_slice(first.as_bytes())).is_empty());
            let out = stream.push(&scrubber, Bytes::copy_from_slice(rest.as_bytes()));
            assert_eq!(text(&out), event.replace(text(SECRET), PLACEHOLDER), "cut at {cut}");
            assert_eq!(stream.kept_bytes(), 0, "nothing before a line is needed after it");
        }
    }
}

#[test]
fn r8_with_a_value_of_several_lines_events_are_let_go_with_their_blank_line() {
    let value = b"-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIE\n-----END KEY-----\n";
    let (mut stream, scrubber) = (Stream::new(), Scrubber::new(&[Held::new(value, None).unwrap()], 7));
    assert!(stream.push(&scrubber, Bytes::from_static(b"data: one\n")).is_empty());
    assert_eq!(stream.push(&scrubber, Bytes::from_static(b"\n")), "data: one\n\n");
    for cut in 1..value.len() {
        let (first, rest) = value.split_at(cut);
        let out = [first, rest, b"\n"].map(|part| stream.push(&scrubber, Bytes::copy_from_slice(part)));
        assert!(out[0].is_empty() && out[1].is_empty(), "cut at {cut}");
        assert_eq!(out[2], [vec![b'*'; value.len()], b"\n".to_vec()].concat(), "cut at {cut}");
    }
}

#[test]
fn r8_a_value_with_a_blank_line_in_it_waits_for_the_end() {
    let value = b"one secret line\n\nanother secret line";
    let (mut stream, scrubber) = (Stream::new(), Scrubber::new(&[Held::new(value, None).unwrap()], 7));
    let (first, rest) = value.split_at(17);
    assert!(stream.push(&scrubber, Bytes::from_static(first)).is_empty());
    let out = [stream.push(&scrubber, Bytes::from_static(rest)), stream.finish(&scrubber)].concat();
    assert!(out.iter().all(|byte| *byte == b'*') && out.len() == value.len());
}

#[test]
fn r24_a_value_that_is_opened_while_a_stream_is_open_is_covered_from_then_on() {
    let mut stream = Stream::new();
    let (before, after) = (Scrubber::new(&[Held::new(OTHER, None).unwrap()], 3), scrubber());
    assert_eq!(stream.push(&before, Bytes::from_static(b"hello\n")), "hello\n");
    // Its beginning came already.
    assert!(stream.push(&before, Bytes::copy_from_slice(&SECRET[..20])).is_empty());
    let out = stream.push(&after, Bytes::from([&SECRET[20..], b"\n"].concat()));
    assert_eq!(out, [PLACEHOLDER.as_bytes(), b"\n"].concat());
}

#[test]
fn r9_header_values_and_names_are_covered() {
    let scrubber = scrubber();
    let (value, hits) = scrubber.text(&[b"https://a.test/?token=", SECRET].concat()).unwrap();
    assert_eq!(value, [b"https://a.test/?token=", PLACEHOLDER.as_bytes()].concat());
    assert_eq!(hits, 1);
    assert!(scrubber.text(b"text/html; charset=utf-8").is_none());
    assert!(scrubber.in_name(format!("x-{}", text(SECRET).to_lowercase()).as_bytes()));
    let percent = SECRET.iter().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let twice = percent.replace('%', "%25");
    for name in [percent.clone(), twice, percent.to_uppercase(), percent.replacen("%73", "s", 1)] {
        assert!(scrubber.in_name(format!("x-{name}").as_bytes()), "{name}");
    }
    for other in ["content-security-policy-report-only", "x-%73%6b", "x-%", "100%-sure"] {
        assert!(!scrubber.in_name(other.as_bytes()), "{other}");
    }
}

#[test]
fn r17_what_is_held_back_is_the_same_for_true_and_false_beginnings() {
    for known in 0..SECRET.len() {
        let observed = |guess: &[u8]| {
            let (mut stream, scrubber) = (Stream::new(), scrubber());
            let echo = [&[b'.'; 3000], b"\ndata: ".as_slice(), guess].concat();
            let parts =
                [Bytes::from(echo), Bytes::from_static(b"!"), Bytes::from_static(b" more\n and more")];
            let lengths = parts.map(|part| stream.push(&scrubber, part).len());
            (lengths, stream.release(&scrubber, 3).len())
        };
        let mut wrong = SECRET[..known].to_vec();
        wrong.push(b'!');
        assert_eq!(observed(&SECRET[..=known]), observed(&wrong), "{known}");
    }
}

#[test]
fn what_went_with_its_message_is_not_covered_but_its_rest_is() {
    let (mut stream, scrubber) = (Stream::new(), scrubber());
    let mut out = stream.push(&scrubber, Bytes::copy_from_slice(&SECRET[..10])).to_vec();
    out.extend_from_slice(&stream.release(&scrubber, 0));
    assert_eq!(out, SECRET[..10]);
    out.extend_from_slice(&stream.push(&scrubber, Bytes::copy_from_slice(&SECRET[10..])));
    out.extend_from_slice(&stream.finish(&scrubber));
    assert_eq!(out[10..], PLACEHOLDER.as_bytes()[10..]);
    assert_eq!(stream.hits(), 1);
}

#[test]
fn r18_a_value_that_can_be_guessed_is_refused() {
    assert_eq!(Held::new(b"1234567", None).err(), Some(Unscrubbable::TooShort));
    assert!(Held::new(b"12345678", None).is_ok());
    assert!(Held::new(&vec![b'x'; SENT_VALUE_MAX_BYTES], None).is_ok());
    assert_eq!(Held::new(&vec![b'x'; SENT_VALUE_MAX_BYTES + 1], None).err(), Some(Unscrubbable::TooLong));
}

#[test]
fn r20_a_paging_url_keeps_its_form() {
    let body = format!("{{\"next\":\"https:\\/\\/a.test\\/?access_token={}&page=2\"}}", text(SECRET));
    assert_eq!(text(&scrub(body.as_bytes())), body.replace(text(SECRET), PLACEHOLDER));
}

#[test]
fn r21_a_part_of_a_value_comes_through() {
    let shown = [b"Incorrect key: ", &SECRET[..8], b"****", &SECRET[40..]].concat();
    assert_eq!(scrub(&shown), shown);
}

#[test]
fn r24_every_held_value_is_covered_and_counted() {
    let body = [OTHER, b" ", SECRET, b" ", SECRET].concat();
    let (_, hits) = scrubber().text(&body).unwrap();
    assert_eq!(hits, 3);
}

#[test]
fn r25_guesses_that_share_a_beginning_or_an_end_are_told_apart_by_nothing() {
    for known in 1..SECRET.len() {
        let starts = [&SECRET[..known], b"!"].concat();
        let ends = [b"!", &SECRET[SECRET.len() - known..]].concat();
        for guess in [starts, ends] {
            for body in
                [guess.repeat(50), BASE64.encode(&guess).into_bytes(), HEXLOWER.encode(&guess).into_bytes()]
            {
                assert_eq!(scrub(&body), body, "{known}");
            }
        }
    }
}

#[test]
fn h5_a_body_full_of_values_stays_as_long_as_it_is() {
    let body = SECRET.repeat(2_000);
    let scrubbed = stream(&body, &[16_384]);
    assert_eq!(scrubbed, PLACEHOLDER.as_bytes().repeat(2_000));
}

#[test]
fn overlapping_values_leave_nothing_of_either() {
    let held = [
        Held::new(b"abcdefghijkl", None).unwrap(),
        Held::new(b"ghijklmnopqr", Some("kwph01234567")).unwrap(),
    ];
    let scrubber = Scrubber::new(&held, 7);
    assert_eq!(scrubber.text(b"-abcdefghijklmnopqr-").unwrap().0, b"-******************-");
    assert_eq!(scrubber.text(b"-ghijklmnopqr-").unwrap().0, b"-kwph01234567-");
}

#[test]
fn without_values_bytes_pass_as_they_are() {
    let (mut stream, scrubber) = (Stream::new(), Scrubber::new(&[], 7));
    let chunk = Bytes::from_static(b"anything");
    assert_eq!(stream.push(&scrubber, chunk.clone()).as_ptr(), chunk.as_ptr());
    assert!(stream.finish(&scrubber).is_empty());
}

#[test]
fn memory_does_not_grow_with_the_body() {
    let (mut stream, scrubber) = (Stream::new(), scrubber());
    let chunk = Bytes::from([SECRET, b"\\u0041%41&amp;"].concat().repeat(200));
    for size in [chunk.len(), 1] {
        for _ in 0..50 * chunk.len() / size / 50 {
            stream.push(&scrubber, chunk.slice(..size));
            assert!(stream.kept_bytes() <= 4 * scrubber.reach() && stream.found_forms() <= 60);
        }
    }
}
