//! Statistics for one loop without atomics: small machines.

use super::amount::Amount;
use super::capacity::ID_BYTES_MAX;
use super::hash::Key;
use super::snapshot::{Refused, Snapshot};

/// Exact statistics of a single loop, over the caller's memory.
///
/// The numbers and texts of the shared kind, for targets that have one core: every call is a moment
/// of its own, so nothing has to be agreed on.
#[derive(Debug)]
pub struct SoloStats<'m> {
    /// Where each user's cell begins in `arena`, plus one; 0 is an empty slot.
    table: &'m mut [u32],
    /// Cells one behind the other: length in two bytes, little end first, then the id.
    arena: &'m mut [u8],
    /// Bytes of `arena` in use.
    used: usize,
    key: Key,
    state: Snapshot,
}

impl<'m> SoloStats<'m> {
    /// Statistics whose users lie in `table` (a slot for each, and best as many again) and `arena`
    /// (the bytes of each id and two more). What the memory holds does not matter: it is cleared.
    pub fn new(table: &'m mut [u32], arena: &'m mut [u8], key: Key) -> Self {
        table.fill(0);
        Self {
            table,
            arena,
            used: 0,
            key,
            state: Snapshot::EMPTY,
        }
    }

    /// Counts one event; wholly, or not at all.
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing was recorded then, not even the refusal (that is
    /// [`refuse`](SoloStats::refuse)).
    pub fn record(&mut self, id: &[u8], amount: Amount) -> Result<(), Refused> {
        if id.len() > ID_BYTES_MAX {
            return Err(Refused::IdTooLong);
        }
        if self.is_new(id)? {
            self.state.users = self.state.users.wrapping_add(1);
        }
        self.state.total = self.state.total.wrapping_add(1);
        self.state.sum = self.state.sum.plus(amount);
        Ok(())
    }

    /// Counts one refused event.
    pub fn refuse(&mut self) {
        self.state.refused = self.state.refused.wrapping_add(1);
    }

    /// The state now.
    pub fn snapshot(&self) -> Snapshot {
        self.state
    }

    /// Sets everything to zero and says what there was. Clears the table: time in its size.
    pub fn reset(&mut self) -> Snapshot {
        self.table.fill(0);
        self.used = 0;
        core::mem::take(&mut self.state)
    }

    /// Puts `id` into the set; whether it was not there yet.
    fn is_new(&mut self, id: &[u8]) -> Result<bool, Refused> {
        let slots = self.table.len() as u64;
        let Some(first) = self.key.hash(id).checked_rem(slots) else {
            return Err(Refused::Full);
        };
        let (before, from) = self
            .table
            .split_at_mut_checked(first as usize)
            .ok_or(Refused::Full)?;
        for slot in from.iter_mut().chain(before) {
            if let Some(at) = slot.checked_sub(1) {
                if cell(self.arena, at as usize) == Some(id) {
                    return Ok(false);
                }
                continue;
            }
            let room = self.arena.get_mut(self.used..).ok_or(Refused::Full)?;
            let (head, body) = room.split_first_chunk_mut::<2>().ok_or(Refused::Full)?;
            let body = body.get_mut(..id.len()).ok_or(Refused::Full)?;
            let number = u32::try_from(self.used)
                .ok()
                .and_then(|at| at.checked_add(1))
                .ok_or(Refused::Full)?;
            *head = (id.len() as u16).to_le_bytes();
            body.copy_from_slice(id);
            *slot = number;
            self.used = self.used.saturating_add(id.len()).saturating_add(2);
            return Ok(true);
        }
        Err(Refused::Full)
    }
}

/// The id of the cell at `at`.
fn cell(arena: &[u8], at: usize) -> Option<&[u8]> {
    let (head, body) = arena.get(at..)?.split_first_chunk()?;
    body.get(..usize::from(u16::from_le_bytes(*head)))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn one() -> Amount {
        Amount::from_decimal(false, b"1", b"5", 0).unwrap()
    }

    #[test]
    fn it_counts_refuses_and_resets_like_the_shared_kind() {
        let mut table = [9; 4];
        let mut arena = [9; 13];
        let mut stats = SoloStats::new(&mut table, &mut arena, Key::new(1, 2));
        for id in ["a", "b", "a", "", "c", "b"] {
            stats.record(id.as_bytes(), one()).unwrap();
        }
        assert_eq!(stats.record(b"new", one()), Err(Refused::Full));
        assert_eq!(stats.record(&[b'x'; 4097], one()), Err(Refused::IdTooLong));
        stats.refuse();
        let mut text = [0; Snapshot::JSON_BYTES_MAX];
        let length = stats.snapshot().write_json(&mut text).unwrap();
        assert_eq!(
            &text[..length],
            br#"{"totalRequests":6,"uniqueUsers":4,"sum":9,"avg":1.5}"#
        );
        assert_eq!(stats.reset().refused, 1);
        assert_eq!(stats.snapshot(), Snapshot::EMPTY);
        stats.record(b"12345678901", one()).unwrap();
        assert_eq!(stats.record(b"", one()), Err(Refused::Full));
        assert_eq!(stats.record(b"12345678901", one()), Ok(()));
        assert_eq!(stats.snapshot().users, 1);
    }

    #[test]
    fn no_memory_is_full_and_nothing_worse() {
        let mut stats = SoloStats::new(&mut [], &mut [], Key::new(1, 2));
        assert_eq!(stats.record(b"a", one()), Err(Refused::Full));
        assert_eq!(stats.snapshot(), Snapshot::EMPTY);
    }
}
