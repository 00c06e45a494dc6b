//! A request head gives the same result however it is cut.

use barewire_core::limits::{FIELDS_MAX, Limits};
use barewire_core::wire::{Fault, Framing, HeadState, Place, Version};

use super::class::kebab;
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

/// What a head is to the parser: form and framing, or its fault.
pub(crate) fn class(data: &[u8]) -> String {
    let (mut state, mut rows) = (HeadState::new(), [[0; 8]; FIELDS_MAX]);
    match state.advance(data, &mut rows, &Limits::DEFAULT) {
        Err(fault) => format!("fault-{}", kebab(fault)),
        Ok(None) => "waits".to_owned(),
        Ok(Some(_)) => {
            let head = state.head(data, &rows);
            let framing = match head.framing() {
                Framing::None => "",
                Framing::Length(_) => "-length",
                Framing::Chunked => "-chunked",
            };
            let old = if head.version() == Version::Http10 {
                "-old"
            } else {
                ""
            };
            let expects = if head.expects_continue() {
                "-expects"
            } else {
                ""
            };
            let closes = if state.is_persistent() { "" } else { "-closes" };
            format!("{}{framing}{old}{expects}{closes}", kebab(head.form()))
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
