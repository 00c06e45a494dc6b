//! A request head gives the same result however it is cut.

use barewire_core::limits::{FIELDS_MAX, Limits};
use barewire_core::wire::{Fault, HeadState, Place};

use super::cuts::{cuts, seed_of};

/// Everything that a head says, or its fault and where that is.
type Outcome = Result<Option<(usize, String)>, (Fault, Option<Place>)>;

/// The bytes are a head and what may follow it.
pub fn head(data: &[u8]) {
    // The second limits are small, so that a short input meets them.
    let small = Limits {
        head_bytes_max: 96,
        target_bytes_max: 24,
        ..Limits::DEFAULT
    };
    for limits in [&Limits::DEFAULT, &small] {
        let whole = read(data, std::iter::empty(), limits);
        if let Ok(Some((len, _))) = &whole {
            assert!(
                data[..*len].ends_with(b"\r\n\r\n"),
                "ends with an empty line"
            );
        }
        let seed = seed_of(data);
        for seed in [0, seed | 1, seed & !1] {
            let cut = read(data, cuts(data.len(), seed), limits);
            assert_eq!(cut, whole, "seed {seed}");
        }
    }
}

fn read(data: &[u8], cuts: impl Iterator<Item = usize>, limits: &Limits) -> Outcome {
    let mut state = HeadState::new();
    let mut rows = [[0; 8]; FIELDS_MAX];
    for end in cuts.chain([data.len()]) {
        // A copy, as bytes may move between two reads.
        let bytes = data[..end].to_vec();
        let outcome = state.advance(&bytes, &mut rows, limits);
        let placed = outcome.map_err(|fault| (fault, state.place(fault, &bytes, &rows)));
        if let Some(len) = placed? {
            let head = state.head(&bytes, &rows);
            let fields: Vec<_> = head.fields().iter().collect();
            let says = format!(
                "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {} {} {fields:?}",
                head.method_token(),
                head.target(),
                head.form(),
                head.path(),
                head.query(),
                head.authority(),
                head.version(),
                head.framing(),
                head.expects_continue(),
                state.is_persistent(),
            );
            return Ok(Some((len, says)));
        }
    }
    Ok(None)
}
