//! (in progress)
/// How far the head is parsed.
#[derive(Clone, Copy, Debug)]
pub struct HeadState {
    x: u8,
}
impl HeadState {
    pub(crate) const fn new() -> Self {
        HeadState { x: 0 }
    }
}
