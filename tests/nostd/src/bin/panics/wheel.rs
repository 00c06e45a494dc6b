//! Timers.

use barewire_core::wheel::Wheel;

use super::entry;

pub(crate) fn entries() {
    entries!(1: Wheel::armed, Wheel::next_due);
    entries!(2: Wheel::new, Wheel::disarm, Wheel::is_armed, Wheel::due, Wheel::pop);
    entries!(3: Wheel::arm);
}
