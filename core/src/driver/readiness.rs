//! (in progress)
use super::Kernel;
/// E
#[derive(Debug)]
pub struct Entry;
/// R
#[derive(Debug)]
pub struct Readiness<K: Kernel>(pub K);
