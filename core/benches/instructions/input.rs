//! Inputs as a server has them: in memory that the compiler knows nothing about, at the start of a
//! cache line, so that a count does not depend on where the linker puts a constant.

#[repr(C, align(64))]
pub(crate) struct Aligned<T>(pub(crate) T);

/// Leaks `value`, at the start of a cache line.
pub(crate) fn leak<T>(value: T) -> &'static mut T {
    &mut Box::leak(Box::new(Aligned(value))).0
}

/// A copy of `bytes` in memory of its own.
///
/// # Panics
/// Beyond 2,048 bytes.
pub(crate) fn lone(bytes: &[u8]) -> &'static [u8] {
    let room = leak([0; 2048]);
    room[..bytes.len()].copy_from_slice(bytes);
    &room[..bytes.len()]
}

pub(crate) const GET_49: &[u8] = include_bytes!("../inputs/get_min_49.bin");
pub(crate) const GET_170: &[u8] = include_bytes!("../inputs/get_client_170.bin");
pub(crate) const GET_414: &[u8] = include_bytes!("../inputs/get_browser_414.bin");
pub(crate) const GET_703: &[u8] = include_bytes!("../inputs/get_published_size_703.bin");
pub(crate) const GET_1135: &[u8] = include_bytes!("../inputs/get_browser_1135.bin");
pub(crate) const POST_EVENT: &[u8] = include_bytes!("../inputs/post_event_135.bin");
pub(crate) const PIPELINED_16: &[u8] = include_bytes!("../inputs/pipelined16_784.bin");
pub(crate) const CHUNKED_4: &[u8] = include_bytes!("../inputs/chunked4_282.bin");
pub(crate) const ROUTES_130: &str = include_str!("../inputs/routes130.txt");
/// The body of `POST_EVENT`.
pub(crate) const EVENT: &[u8] = br#"{"userId":"user_12345","value":499.5}"#;
