//! What runs the whole of Barewire.
pub mod sim;
