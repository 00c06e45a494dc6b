//! The pages that the slots lie in: what was asked for, what there is, what was got.

use barewire_core::buffer::Slot;

use crate::config::{Config, HugePages};
use crate::platform::{Pages, Region, SlotCutter, huge_pages_free, huge_pages_needed};
use crate::server::StartError;

/// What the slots of a server lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotPages {
    /// Of which kind.
    pub kind: Pages,
    /// Bytes that lay in huge pages when the server had started. Transparent ones are made at the
    /// first touch, so without [`Config::prefault`] there are none yet.
    pub huge_bytes: usize,
    /// Huge pages that would hold all slots: what `vm.nr_hugepages` has to be, at least.
    pub needed: usize,
    /// Those that the pool had free before the start; `None` where there is no pool.
    pub free: Option<usize>,
}

/// Maps the memory of the slots, touches and locks it if that was asked for, and cuts it. Says what
/// it lies in, and whether it is locked.
pub(crate) fn slots(config: &Config) -> Result<(SlotCutter, SlotPages, bool), StartError> {
    let bytes = config.reserved_bytes();
    let (needed, free) = (huge_pages_needed(bytes), huge_pages_free());
    let none = |_| StartError::Memory { bytes };
    let mut region = match config.huge_pages {
        HugePages::Off => Region::map(bytes).map_err(none)?,
        HugePages::Try => Region::map_huge(bytes).map_err(none)?,
        HugePages::Require => {
            Region::map_in_pool(bytes).map_err(|_| StartError::HugePages { needed, free })?
        }
    };
    let mut locked = false;
    if config.prefault {
        region.prefault().map_err(none)?;
        locked = region.lock();
    }
    let pages = SlotPages {
        kind: region.pages(),
        huge_bytes: region.huge_bytes().unwrap_or(0),
        needed,
        free,
    };
    let slots = region.into_slots(config.slot_bytes, config.recv_bytes)?;
    Ok((slots, pages, locked))
}

/// The next slots for one worker: an equal part, at least one.
pub(crate) fn part(slots: &mut SlotCutter, config: &Config, workers: usize) -> Vec<Slot> {
    slots.take((config.slot_count() / workers).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(huge_pages: HugePages, connections: usize) -> Config {
        Config {
            huge_pages,
            connections,
            ..Config::default()
        }
    }

    #[test]
    fn what_is_not_asked_for_is_not_got_and_what_it_would_take_is_told() {
        let (mut slots, pages, locked) = slots(&config(HugePages::Off, 1000)).unwrap();
        assert_eq!((pages.kind, pages.huge_bytes), (Pages::Normal, 0));
        assert_eq!(pages.needed, 8);
        assert!(!locked);
        let config = config(HugePages::Off, 1000);
        assert_eq!(part(&mut slots, &config, 3).len(), 333);
        assert_eq!(part(&mut slots, &config, 2000).len(), 1);
    }

    #[test]
    fn a_pool_that_is_too_small_refuses_the_start_if_it_was_required() {
        // Fifty pages more than the pool has, if there is one.
        let connections = (huge_pages_free().unwrap_or(0) + 50) * 128;
        let required = slots(&config(HugePages::Require, connections));
        let Err(StartError::HugePages { needed, free }) = required else {
            panic!("{required:?}");
        };
        assert_eq!(needed, connections / 128);
        assert_eq!(free, huge_pages_free());
        let (_, pages, _) = slots(&config(HugePages::Try, connections)).unwrap();
        assert_ne!(pages.kind, Pages::Pool);
        assert_eq!(pages.needed, needed);
    }
}
