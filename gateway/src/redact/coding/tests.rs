//! Bodies as real encoders write them (`fixtures`), and as liars do.

use super::decode::{PIECE, SMALL};
use super::*;

/// What all fixtures say.
fn body() -> Vec<u8> {
    let line = |number: u32| format!("line {number} of the body, {}\n", number.wrapping_mul(2_654_435_761));
    (0..300).map(line).collect::<String>().repeat(60).into_bytes()
}

const FIXTURES: &[(&str, Coding, &[u8])] = &[
    ("gzip", Coding::Gzip, include_bytes!("fixtures/body.gz")),
    ("zlib", Coding::Deflate, include_bytes!("fixtures/body.zlib")),
    ("deflate", Coding::Deflate, include_bytes!("fixtures/body.deflate")),
    ("br", Coding::Brotli, include_bytes!("fixtures/body.br")),
    ("zstd", Coding::Zstd, include_bytes!("fixtures/body.zst")),
    ("identity", Coding::Identity, b"as it is"),
];

/// Reads a whole body that comes in pieces of `size`.
fn read(coding: Coding, coded: &[u8], size: usize) -> Result<Vec<u8>, Unreadable> {
    let mut decoder = Decoder::new(coding);
    let mut whole = Vec::new();
    for mut piece in coded.chunks(size) {
        loop {
            let given = decoder.read(&mut piece)?;
            assert!(given.len() <= 3 * PIECE, "too much at once: {}", given.len());
            whole.extend_from_slice(&given);
            if piece.is_empty() && given.is_empty() {
                break;
            }
        }
    }
    loop {
        let given = decoder.finish()?;
        whole.extend_from_slice(&given);
        if given.is_empty() {
            return Ok(whole);
        }
    }
}

fn said(coding: Coding) -> Vec<u8> {
    if coding == Coding::Identity { b"as it is".to_vec() } else { body() }
}

#[test]
fn r4_every_coding_is_read_however_it_is_cut() {
    for (name, coding, coded) in FIXTURES {
        for size in [1, 7, 1000, usize::MAX] {
            assert!(read(*coding, coded, size) == Ok(said(*coding)), "{name} in pieces of {size}");
        }
    }
}

#[test]
fn r4_members_and_frames_may_follow_one_another() {
    for (name, coding, coded) in FIXTURES {
        let twice = read(*coding, &coded.repeat(2), 1000);
        match coding {
            Coding::Gzip | Coding::Zstd | Coding::Identity => {
                assert!(twice == Ok(said(*coding).repeat(2)), "{name}");
            }
            Coding::Deflate | Coding::Brotli => assert_eq!(twice.err(), Some(Unreadable::Damaged), "{name}"),
        }
    }
    let skippable =
        [b"\x50\x2a\x4d\x18\x05\x00\x00\x00.....", include_bytes!("fixtures/body.zst").as_slice()].concat();
    assert!(read(Coding::Zstd, &skippable, 3) == Ok(body()));
}

#[test]
fn r4_what_was_flushed_is_there_at_once() {
    // Each fixture is one flushed event and the beginning of the next.
    for (coding, coded) in [
        (Coding::Gzip, include_bytes!("fixtures/flushed.gz").as_slice()),
        (Coding::Deflate, include_bytes!("fixtures/flushed.zlib")),
        (Coding::Brotli, include_bytes!("fixtures/flushed.br")),
    ] {
        let mut decoder = Decoder::new(coding);
        let (mut input, mut given) = (coded, Vec::new());
        while !input.is_empty() {
            given.extend(decoder.read(&mut input).unwrap());
        }
        assert_eq!(given, b"data: one\n\n", "{coding:?}");
    }
}

#[test]
fn r5_what_cannot_be_read_in_one_step_is_refused() {
    let of = |headers: &[&str]| Coding::of(headers.iter().map(|header| header.as_bytes()));
    assert_eq!(of(&[]), Ok(Coding::Identity));
    assert_eq!(of(&["identity", ""]), Ok(Coding::Identity));
    assert_eq!(of(&["X-GZip"]), Ok(Coding::Gzip));
    assert_eq!(of(&["identity, br"]), Ok(Coding::Brotli));
    for headers in
        [&["exi"][..], &["gzip,gzip"], &["gzip", "br"], &["compress"], &["aws-chunked"], &["gzip;q=1"]]
    {
        assert_eq!(of(headers), Err(Unreadable::Coding), "{headers:?}");
    }
}

#[test]
fn r5_a_lie_about_the_coding_is_found() {
    for (_, coding, _) in FIXTURES.iter().filter(|(_, coding, _)| *coding != Coding::Identity) {
        for lie in ["{\"plain\": \"json\", \"of\": \"some length, as an answer has\"}", "\u{1f}\u{8}"] {
            assert!(read(*coding, lie.as_bytes(), 5).is_err(), "{coding:?}: {lie}");
        }
    }
}

#[test]
fn r5_damage_cuts_and_what_follows_are_found() {
    for (name, coding, coded) in FIXTURES.iter().filter(|(_, coding, _)| *coding != Coding::Identity) {
        for cut in [1, 5, coded.len() / 2, coded.len() - 1] {
            assert!(read(*coding, &coded[..cut], 100).is_err(), "{name} cut at {cut}");
        }
        assert!(read(*coding, &[coded, b"more".as_slice()].concat(), 100).is_err(), "{name} goes on");
        if !matches!(*name, "deflate" | "br") {
            let mut damaged = coded.to_vec();
            damaged[coded.len() - 6] ^= 1;
            assert!(read(*coding, &damaged, 100).is_err(), "{name} damaged");
        }
    }
}

#[test]
fn r5_nothing_is_read_after_a_failure() {
    let mut decoder = Decoder::new(Coding::Gzip);
    assert!(decoder.read(&mut b"not gzip at all".as_slice()).is_err());
    assert!(decoder.read(&mut include_bytes!("fixtures/body.gz").as_slice()).is_err());
    assert!(decoder.finish().is_err());
}

#[test]
fn p16_a_bomb_is_defused_and_never_fills_the_memory() {
    // Each is 1 GiB of zeros, or says so.
    for (coding, coded) in [
        (Coding::Brotli, include_bytes!("fixtures/bomb.br").as_slice()),
        (Coding::Zstd, include_bytes!("fixtures/bomb.zst")),
    ] {
        let mut decoder = Decoder::new(coding);
        let (mut input, mut given) = (coded, 0);
        let error = loop {
            match decoder.read(&mut input) {
                Ok(piece) => {
                    assert!(piece.len() <= 3 * PIECE);
                    given += piece.len() as u64;
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error, Unreadable::Bomb, "{coding:?}");
        assert!(given < 3 * SMALL);
    }
}

#[test]
fn no_body_needs_no_coding_only_where_there_is_none() {
    assert_eq!(read(Coding::Deflate, b"", 1), Ok(Vec::new()));
    assert_eq!(read(Coding::Zstd, b"", 1), Ok(Vec::new()));
    assert_eq!(read(Coding::Identity, b"", 1), Ok(Vec::new()));
    assert_eq!(read(Coding::Gzip, b"", 1), Ok(Vec::new()));
    assert_eq!(read(Coding::Brotli, b"", 1), Ok(Vec::new()));
}

#[test]
fn accept_encoding_is_cut_to_what_is_read_as_it_comes() {
    for (asked, accepted) in [
        (&["gzip, deflate, br, zstd"][..], "gzip, deflate"),
        (&["gzip", "br;q=0.5"], "gzip"),
        (&["GZIP;q=1.0, br;q=0, deflate; q=0.000"], "gzip"),
        (&["br, zstd"], "identity"),
        (&["*"], "identity"),
        (&[""], "identity"),
        (&[], "identity"),
        (&["gzip, gzip, x-gzip"], "gzip"),
    ] {
        assert_eq!(super::accepted(asked.iter().map(|header| header.as_bytes())), accepted, "{asked:?}");
    }
}
