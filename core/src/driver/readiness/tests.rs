//! Each rule of the driver, against a kernel that answers from a script.

extern crate std;

mod flow;
mod script;
mod shared;

use super::super::attempt::INTERRUPTS_MAX;
use super::*;
use crate::buffer::Slot;
