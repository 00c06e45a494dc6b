//! A chunked body gives the same data however it is cut, and gives back what was put in.

use barewire_core::wire::{ChunkDecoder, ChunkStep, Fault};

use super::class::kebab;
use super::cuts::{cuts, seed_of};

/// The bytes are a chunked body; and once more, they are data to be sent in chunks.
pub fn chunk(data: &[u8]) {
    let seed = seed_of(data);
    let seeds = [0, seed | 1, seed & !1];

    let whole = decode(data, std::iter::empty());
    for seed in seeds {
        assert_eq!(decode(data, cuts(data.len(), seed)), whole, "seed {seed}");
    }

    let mut encoded = Vec::new();
    let mut at = 0;
    for end in cuts(data.len(), seed & !1).chain([data.len()]) {
        if end > at {
            let piece = &data[at..end];
            encoded.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            encoded.extend_from_slice(piece);
            encoded.extend_from_slice(b"\r\n");
        }
        at = end;
    }
    encoded.extend_from_slice(b"0\r\n");
    let expected = Decoded {
        data: data.to_vec(),
        end: Some(Ok(encoded.len())),
    };
    encoded.extend_from_slice(b"behind");
    for seed in seeds {
        assert_eq!(decode(&encoded, cuts(encoded.len(), seed)), expected);
    }
}

/// How a chunked body ends, and how much data it brought until then.
pub(crate) fn class(data: &[u8]) -> String {
    let decoded = decode(data, std::iter::empty());
    let len = decoded.data.len();
    match decoded.end {
        None => format!("waits-with-{len}-bytes"),
        Some(Ok(_)) => format!("ends-with-{len}-bytes"),
        Some(Err(fault)) => format!("fault-{}-behind-{len}-bytes", kebab(fault)),
    }
}

#[derive(Debug, PartialEq)]
struct Decoded {
    data: Vec<u8>,
    /// Where the last chunk ends; `None` if it never came.
    end: Option<Result<usize, Fault>>,
}

fn decode(raw: &[u8], cuts: impl Iterator<Item = usize>) -> Decoded {
    let mut decoder = ChunkDecoder::new();
    let mut data = Vec::new();
    let mut at = 0;
    for end in cuts.chain([raw.len()]) {
        while at < end {
            let (used, step) = match decoder.advance(&raw[at..end]) {
                Ok(found) => found,
                Err(fault) => {
                    return Decoded {
                        data,
                        end: Some(Err(fault)),
                    };
                }
            };
            at += used;
            match step {
                ChunkStep::More => assert_eq!(at, end, "more is asked for when all is used"),
                ChunkStep::Data(left) => {
                    assert!(left > 0, "data is at least a byte");
                    let n = usize::try_from(left).unwrap_or(usize::MAX).min(end - at);
                    data.extend_from_slice(&raw[at..at + n]);
                    decoder.took(n as u64);
                    at += n;
                }
                ChunkStep::Last => {
                    return Decoded {
                        data,
                        end: Some(Ok(at)),
                    };
                }
            }
        }
    }
    Decoded { data, end: None }
}
