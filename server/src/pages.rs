//! The pages that the slots lie in: what was asked for, what there is, what was got.

use std::{fmt, io};

use barewire_core::buffer::Slot;

use crate::config::{Config, HugePages};
use crate::platform::{
    Pages, Region, SlotCutter, huge_pages_all, huge_pages_free, huge_pages_needed,
};
use crate::server::StartError;

/// What the slots of a server lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotPages {
    /// Of which kind.
    pub kind: Pages,
    /// Bytes that lay in huge pages when the server had started. Transparent ones are made at the
    /// first touch, so without [`Config::prefault`] there are none yet.
    pub huge_bytes: usize,
    /// Huge pages that would hold all slots.
    pub needed: usize,
    /// Those that the pool had free before the start; `None` where there is no pool.
    pub free: Option<usize>,
    /// All pages of the pool then, whoever had them; `None` where there is no pool.
    pub pool: Option<usize>,
}

impl SlotPages {
    /// What `vm.nr_hugepages` has to be for all slots, beside what others have of the pool; `None`
    /// if the pool had enough, or there is none.
    pub fn pool_wanted(&self) -> Option<usize> {
        let missing = self.needed.checked_sub(self.free?)?;
        (missing > 0).then_some(self.pool?.saturating_add(missing))
    }
}

/// Maps the memory of the slots, touches and locks it if that was asked for, and cuts it. Says what
/// it lies in, and whether it is locked.
pub(crate) fn slots(config: &Config) -> Result<(SlotCutter, SlotPages, bool), StartError> {
    let bytes = config.reserved_bytes();
    let mut pages = SlotPages {
        kind: Pages::Normal,
        huge_bytes: 0,
        needed: huge_pages_needed(bytes),
        free: huge_pages_free(),
        pool: huge_pages_all(),
    };
    let none = |_| StartError::Memory { bytes };
    let mut region = match config.huge_pages {
        HugePages::Off => Region::map(bytes).map_err(none)?,
        HugePages::Try => Region::map_huge(bytes).map_err(none)?,
        HugePages::Require => Region::map_in_pool(bytes).map_err(|error| refused(pages, error))?,
    };
    let mut locked = false;
    if config.prefault {
        region.prefault().map_err(none)?;
        locked = region.lock();
    }
    pages.kind = region.pages();
    pages.huge_bytes = region.huge_bytes().unwrap_or(0);
    let slots = region.into_slots(config.slot_bytes, config.recv_bytes)?;
    Ok((slots, pages, locked))
}

/// Why there are no huge pages, which were required: the pool is at fault only where it had too
/// few.
fn refused(pages: SlotPages, error: io::Error) -> StartError {
    let SlotPages { needed, free, .. } = pages;
    match (free, pages.pool_wanted()) {
        (Some(_), None) => StartError::HugePagesRefused { needed, error },
        (_, wanted) => StartError::HugePages {
            needed,
            free,
            wanted,
        },
    }
}

/// What is said of a pool that lacks pages: those that it has free, and what it has to be.
pub(crate) fn lacking(
    f: &mut fmt::Formatter<'_>,
    needed: usize,
    pool: Option<(usize, usize)>,
) -> fmt::Result {
    match pool {
        Some((free, wanted)) => write!(
            f,
            "{needed} huge pages of 2 MiB are needed, the pool has {free} free \
             (sysctl -w vm.nr_hugepages={wanted}, or --huge-pages try)"
        ),
        None => f.write_str(
            "this system has no pool of huge pages of 2 MiB (--huge-pages try does without)",
        ),
    }
}

/// What is said where the pool has enough.
pub(crate) fn denied(f: &mut fmt::Formatter<'_>, needed: usize, error: &io::Error) -> fmt::Result {
    write!(
        f,
        "{needed} huge pages of 2 MiB are refused though the pool has as many: {error} \
         (--huge-pages try does without)"
    )
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
        let Err(StartError::HugePages {
            needed,
            free,
            wanted,
        }) = required
        else {
            panic!("{required:?}");
        };
        assert_eq!(needed, connections / 128);
        assert_eq!(free, huge_pages_free());
        assert_eq!(wanted, huge_pages_all().map(|all| all + 50));
        let (_, pages, _) = slots(&config(HugePages::Try, connections)).unwrap();
        assert_ne!(pages.kind, Pages::Pool);
        assert_eq!(pages.needed, needed);
    }

    #[test]
    fn what_others_have_of_the_pool_is_added_and_a_pool_with_enough_is_not_blamed() {
        let told = |needed, pool: Option<(usize, usize)>| {
            let pages = SlotPages {
                kind: Pages::Normal,
                huge_bytes: 0,
                needed,
                free: pool.map(|(free, _)| free),
                pool: pool.map(|(_, all)| all),
            };
            refused(pages, io::ErrorKind::PermissionDenied.into()).to_string()
        };
        for (needed, pool, expected) in [
            (
                79,
                Some((0, 0)),
                "79 huge pages of 2 MiB are needed, the pool has 0 free \
                 (sysctl -w vm.nr_hugepages=79, or --huge-pages try)",
            ),
            // 13 of 20 are somebody else's: 72 more are wanted.
            (
                79,
                Some((7, 20)),
                "79 huge pages of 2 MiB are needed, the pool has 7 free \
                 (sysctl -w vm.nr_hugepages=92, or --huge-pages try)",
            ),
            (
                79,
                None,
                "this system has no pool of huge pages of 2 MiB (--huge-pages try does without)",
            ),
            (
                79,
                Some((79, 79)),
                "79 huge pages of 2 MiB are refused though the pool has as many: permission denied \
                 (--huge-pages try does without)",
            ),
        ] {
            assert_eq!(told(needed, pool), expected);
        }
    }
}
