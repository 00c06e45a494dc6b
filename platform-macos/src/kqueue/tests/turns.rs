//! What a queue for several threads promises: over the system's own, or one that is made of epoll.

#[path = "../../../../platform-linux/src/shared/tests/contract.rs"]
mod contract;

#[cfg(target_os = "linux")]
type Platform = crate::shared::Shared<super::emulated::Emulated>;
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
type Platform = crate::Shared;

fn open() -> Platform {
    #[cfg(target_os = "linux")]
    return Platform::over(super::emulated::Emulated::new());
    #[cfg(any(target_os = "macos", target_os = "freebsd"))]
    return Platform::new().unwrap();
}
