//! Coded answers: what is read is what everybody reads, however it arrives.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use keyward_gateway::redact::coding::{Coding, Decoder, Unreadable};

/// The claim. The input is one byte for the coding and for whether the rest is to be coded first, and the rest.
pub fn holds(bytes: &[u8]) {
    let [choice, rest @ ..] = bytes else { return };
    let coding = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd][usize::from(choice % 4)];
    if choice / 4 % 2 == 0 {
        let Some(coded) = coded(coding, rest, choice / 8 % 2 == 0) else { return };
        for size in [1, 9, coded.len()] {
            assert_eq!(read(coding, &coded, size).as_deref(), Ok(rest), "in pieces of {size}");
        }
        if !rest.is_empty() {
            assert!(
                read(coding, &coded[..coded.len() - 1], 9).is_err(),
                "what is cut off is not taken for whole"
            );
        }
        return;
    }
    let whole = read(coding, rest, rest.len().max(1));
    for size in [1, 9] {
        let parts = read(coding, rest, size);
        assert_eq!(parts.as_ref().ok(), whole.as_ref().ok(), "it depends on how the bytes arrive");
    }
    let (Ok(text), Some(other)) = (whole, others(coding, rest)) else { return };
    assert_eq!(text, other, "another reader would read something else");
}

fn read(coding: Coding, coded: &[u8], size: usize) -> Result<Vec<u8>, Unreadable> {
    let mut decoder = Decoder::new(coding);
    let mut text = Vec::new();
    for mut piece in coded.chunks(size) {
        loop {
            let (before, read) = (piece.len(), decoder.read(&mut piece)?);
            if read.is_empty() && piece.len() == before {
                break;
            }
            text.extend(read);
        }
        assert!(piece.is_empty(), "something is left");
    }
    text.extend(decoder.finish()?);
    Ok(text)
}

fn coded(coding: Coding, text: &[u8], with_header: bool) -> Option<Vec<u8>> {
    let level = Compression::default();
    let coded = match coding {
        Coding::Gzip => {
            let mut coder = GzEncoder::new(Vec::new(), level);
            coder.write_all(text).and_then(|()| coder.finish())
        }
        Coding::Deflate if with_header => {
            let mut coder = ZlibEncoder::new(Vec::new(), level);
            coder.write_all(text).and_then(|()| coder.finish())
        }
        Coding::Deflate => {
            let mut coder = DeflateEncoder::new(Vec::new(), level);
            coder.write_all(text).and_then(|()| coder.finish())
        }
        Coding::Brotli | Coding::Zstd | Coding::Identity => return None,
    };
    Some(coded.expect("memory does not fail"))
}

/// What an everyday reader makes of it; none, where there is none or it has another opinion of where the text ends.
fn others(coding: Coding, coded: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let read = match coding {
        Coding::Gzip => flate2::read::MultiGzDecoder::new(coded).read_to_end(&mut text),
        Coding::Deflate if coded.first().is_some_and(|first| first & 15 == 8) => {
            flate2::read::ZlibDecoder::new(coded).read_to_end(&mut text)
        }
        Coding::Deflate => flate2::read::DeflateDecoder::new(coded).read_to_end(&mut text),
        Coding::Brotli | Coding::Zstd | Coding::Identity => return None,
    };
    // Nothing at all needs no coding.
    (read.is_ok() && !coded.is_empty()).then_some(text)
}
