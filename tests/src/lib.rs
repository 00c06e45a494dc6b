//! What runs the whole of Barewire.
