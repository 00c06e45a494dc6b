//! Epoll keeps the contract of [`Kernel`]; no case is its own.

mod contract;

use super::Epoll as Platform;
use super::Waker;
use crate::socket::Listener;

fn open(listener: Listener) -> (Platform, Waker) {
    Platform::new(listener).unwrap()
}
