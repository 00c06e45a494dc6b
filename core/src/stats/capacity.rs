//! How much a user set holds, and how much memory that takes.

/// Bytes of one user id at most.
///
/// Real ids (UUIDs, mail addresses, tokens) stay below 1 KiB; 4,096 is what a page holds and fits a
/// request in one receive buffer.
pub const ID_BYTES_MAX: usize = if cfg!(barewire_loom) { 2 } else { 4096 };

/// Regions of the table, each probed for itself: a fixed number, so that a run of taken slots
/// stays within one region, and a power of two, so that six bits of the hash choose it.
pub const SHARDS: usize = if cfg!(barewire_loom) { 2 } else { 64 };

/// Workers at most; each costs a shard of 128 bytes and a chunk of the arena.
pub const WORKERS_MAX: usize = 4096;

/// Slots of a cache line: 64 bytes, as on nearly all machines. An id's search begins with those of
/// one line.
pub(crate) const LINE_SLOTS: usize = if cfg!(barewire_loom) { 1 } else { 8 };

/// One slot in the front for so many in the regions.
///
/// The front is what few users share. Spread over the regions of the default (16 MiB), 75,000
/// users touch 65,000 cache lines and all 4,096 pages, more than the processor has at hand; in a
/// front of 1 MiB they touch 16,384 lines in 256 pages. It is to be as large as a core's own cache
/// and no larger.
const REGION_SLOTS_PER_FRONT_SLOT: usize = 16;

/// Slots that are looked at for one id at most: those of its line in the front, then in its region.
///
/// At most half of the regions' slots are taken, so that a run of k taken slots there has odds of
/// about 0.82^k: below 10^-21 for 248. The bound is for who has got hold of the key: ids that all
/// begin at one slot cost at most so many looks each, and the 257th of them is refused like one
/// without room.
#[cfg(target_has_atomic = "64")]
pub(crate) const PROBES_MAX: u64 = 256;

/// Slots of one region at least: small sets fall unevenly on 64 regions, and 64 users on average in
/// 128 slots overflow with odds of 10^-12.
const REGION_SLOTS_MIN: usize = if cfg!(barewire_loom) { 2 } else { 128 };

/// Words of 8 bytes that a worker takes from the arena at once. The end that a large id (512 words
/// and a head) does not fit into is lost: at most 512 words, a ninth.
pub(crate) const CHUNK_WORDS: usize = 9 * ID_BYTES_MAX / 8;

/// What a user set holds at most. The first bound that is reached refuses new users
/// ([`Refused::Full`](super::Refused::Full)); known ones are counted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Different users; up to 268,435,455.
    pub users_max: u32,
    /// Bytes of all their ids together; up to 34,359,738,367 (as far as the arena can be numbered).
    pub id_bytes_max: u64,
}

impl Capacity {
    /// 1,048,576 users with 64 MiB of ids: 64 bytes for each.
    pub const DEFAULT: Self = Self {
        users_max: 1 << 20,
        id_bytes_max: 64 << 20,
    };

    /// 64-bit words of the table: two halves of [`SHARDS`] regions with two slots or more for each
    /// user, and a front. 35,651,584 bytes by default.
    pub const fn table_words(&self) -> usize {
        let regions = self.region_slots().saturating_mul(SHARDS);
        regions.saturating_add(self.front_slots()).saturating_mul(2)
    }

    /// 64-bit words of the arena: two halves with a head of one word for each id, the id rounded up
    /// to words, and what chunks may lose. By default and for four workers: 189,112,320 bytes, of
    /// which only those are touched that ids were put into.
    pub const fn arena_words(&self, workers: usize) -> usize {
        let heads = (self.users_max as usize).saturating_mul(2);
        let ids = ((self.id_bytes_max / 8) as usize).saturating_add(heads);
        let chunks = workers.saturating_add(1).saturating_mul(CHUNK_WORDS);
        let half = ids.saturating_add(ids / 8).saturating_add(chunks);
        half.saturating_mul(2)
    }

    /// Slots of one region of one half: a power of two.
    pub(crate) const fn region_slots(&self) -> usize {
        let slots = (self.users_max as usize).div_ceil(SHARDS / 2);
        let slots = if slots < REGION_SLOTS_MIN {
            REGION_SLOTS_MIN
        } else {
            slots
        };
        // At most 2^27: no power of two is out of reach.
        slots.next_power_of_two()
    }

    /// Slots of the front of one half: a power of two, whole lines.
    pub(crate) const fn front_slots(&self) -> usize {
        let slots = self.region_slots().saturating_mul(SHARDS) / REGION_SLOTS_PER_FRONT_SLOT;
        if slots < LINE_SLOTS {
            LINE_SLOTS
        } else {
            slots
        }
    }
}

impl Default for Capacity {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_loses_a_ninth_at_most_to_an_id_that_does_not_fit() {
        let largest_words = 1 + ID_BYTES_MAX / 8;
        assert_eq!(CHUNK_WORDS * 8, 9 * ID_BYTES_MAX);
        assert_eq!(CHUNK_WORDS / (largest_words - 1), 9);
    }

    #[test]
    fn the_memory_of_a_user_set_is_as_much_as_is_said() {
        let default = Capacity::DEFAULT;
        assert_eq!(default.table_words() * 8, 35_651_584);
        assert_eq!(default.arena_words(4) * 8, 189_112_320);
        // Each worker more takes a chunk of each half.
        assert_eq!(
            default.arena_words(5) - default.arena_words(4),
            2 * CHUNK_WORDS
        );
        // 100 heads of two words, 90 words of ids, a ninth of both (290 / 8), two chunks.
        let small = Capacity {
            users_max: 100,
            id_bytes_max: 720,
        };
        assert_eq!(
            small.arena_words(1),
            2 * (200 + 90 + 36) + 2 * 2 * CHUNK_WORDS
        );
    }
}
