//! Memory stays as it is in every simulated run: the worker, its driver, the adaptor for kqueue, the
//! acceptor with its ring, and the application neither allocate nor release, whatever the network
//! does. What the simulation itself takes does not count: see `barewire_tests::sim::is_strict`.

mod sealable;

use std::sync::atomic::Ordering;

use barewire_tests::sim::{Seam, seeds, strict};
use sealable::{ALLOCATIONS, FIRST, RELEASES, SEALED};

/// Seeds: as many as bring every kind of fault on every seam.
const SEEDS: u64 = 3_000;

fn counts() -> [u64; 2] {
    [&ALLOCATIONS, &RELEASES].map(|counter| counter.load(Ordering::SeqCst))
}

#[test]
fn no_fault_of_the_network_makes_the_worker_allocate() {
    assert!(!SEALED.load(Ordering::SeqCst));
    let seen = seeds(0..SEEDS, 2);
    assert!(seen.failure.is_none(), "{:?}", seen.failure);
    assert!(
        Seam::ALL
            .iter()
            .all(|seam| seen.seams[*seam as usize].runs == SEEDS / 3)
    );
    let first = FIRST.lock().unwrap().take().unwrap_or_default();
    assert_eq!(
        counts(),
        [0, 0],
        "allocations and releases; the first:\n{first}"
    );

    // The counter counts.
    let product = strict();
    drop(std::hint::black_box(Box::new(1)));
    drop(product);
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(counts(), [1, 1]);
}
