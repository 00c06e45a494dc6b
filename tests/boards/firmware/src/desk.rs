//! What the application keeps: exact statistics of events. It knows nothing of HTTP, and is the
//! same for all servers that are measured.

use barewire_core::json::{Object, Value};
use barewire_core::stats::{Amount, Key, Snapshot, SoloStats};

/// Slots for users; best half of them stay free.
pub const USERS: usize = 64;
/// Bytes for the ids of users, with two more for each: eight for each of the slots.
pub const ID_BYTES: usize = 512;

/// Events, and what is known of them.
pub struct Desk<'m> {
    stats: SoloStats<'m>,
}

/// Bytes of [`Desk::state`] at most, as the statistics say.
pub const STATE_BYTES: usize = Snapshot::JSON_BYTES_MAX;

impl<'m> Desk<'m> {
    pub fn new(table: &'m mut [u32; USERS], arena: &'m mut [u8; ID_BYTES]) -> Self {
        // A board with a source of random numbers takes its key from there.
        Desk {
            stats: SoloStats::new(table, arena, Key::new(1, 2)),
        }
    }

    /// Counts `{"userId":"ann","value":1.5}`; whether it was one.
    #[inline(never)]
    pub fn event(&mut self, body: &[u8]) -> bool {
        let counted = self.record(body).is_some();
        if !counted {
            self.stats.refuse();
        }
        counted
    }

    fn record(&mut self, body: &[u8]) -> Option<()> {
        let (mut user, mut amount) = (None, None);
        let mut object = Object::new(body).ok()?;
        while let Some((key, value)) = object.next().ok()? {
            match value {
                Value::Text(text) if key.eq_str("userId") => user = text.as_plain(),
                Value::Number(n) if key.eq_str("value") => {
                    let (integer, fraction) = (n.integer(), n.fraction());
                    amount =
                        Amount::from_decimal(n.negative(), integer, fraction, n.exponent()).ok();
                }
                _ => {}
            }
        }
        self.stats.record(user?.as_bytes(), amount?).ok()
    }

    /// The statistics now, in JSON.
    #[inline(never)]
    pub fn state<'o>(&self, out: &'o mut [u8; STATE_BYTES]) -> &'o [u8] {
        let len = self.stats.snapshot().write_json(out).unwrap_or_default();
        out.get(..len).unwrap_or_default()
    }
}
