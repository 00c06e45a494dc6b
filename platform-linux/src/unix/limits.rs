//! How many descriptors the process may open, and how much memory it may lock.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The soft and the hard limit of open descriptors; `u64::MAX` stands for "no limit".
pub fn descriptors() -> (u64, u64) {
    limits(Resource::Nofile)
}

/// The soft and the hard limit of locked memory in bytes; `u64::MAX` stands for "no limit". On
/// Linux who has CAP_IPC_LOCK may lock more; macOS and FreeBSD have limits of the whole system
/// besides (`vm.user_wire_limit`, `vm.max_user_wired`).
pub fn lockable() -> (u64, u64) {
    limits(Resource::Memlock)
}

/// Raises the soft limit of locked memory to the hard one, and says how many bytes may be locked
/// now. That never takes a privilege.
pub fn raise_lockable() -> u64 {
    let (soft, hard) = lockable();
    if soft < hard && set(Resource::Memlock, hard, hard).is_ok() {
        return hard;
    }
    soft
}

/// Raises the soft limit to `want` descriptors, or as far as the process may, and says how many
/// it may open now. Never lowers a limit.
///
/// The hard limit is raised too where that takes it and the process is privileged. macOS says
/// "no limit" and still refuses more than its kernel allows each process.
///
/// # Errors
/// If not even the hard limit can be had; a limit below `want` is no error, the caller decides.
pub fn raise_descriptors(want: u64) -> io::Result<u64> {
    let (soft, hard) = descriptors();
    if want <= soft {
        return Ok(soft);
    }
    let set = |soft, hard| set(Resource::Nofile, soft, hard);
    // Refused to all but the super-user (on Linux CAP_SYS_RESOURCE), and above what the system
    // allows a process to everybody: then up to that.
    if want > hard {
        let most = want.min(descriptors_most().unwrap_or(want));
        if most > hard && set(most, most).is_ok() {
            return Ok(most);
        }
    }
    let reachable = want.min(hard).min(descriptors_most().unwrap_or(hard));
    if reachable > soft {
        set(reachable, hard)?;
    }
    Ok(reachable)
}

/// Descriptors that any one process may have, whatever the limits say and whoever runs it
/// (`kern.maxfilesperproc`).
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub fn descriptors_most() -> Option<u64> {
    let mut most: libc::c_int = 0;
    let mut bytes = size_of_val(&most);
    // SAFETY: the name ends with a zero; the value is a live integer of the size that is given
    // with it, as the system documents this one to be; nothing is set.
    let failed = unsafe {
        libc::sysctlbyname(
            c"kern.maxfilesperproc".as_ptr(),
            std::ptr::from_mut(&mut most).cast(),
            &mut bytes,
            std::ptr::null_mut(),
            0,
        )
    };
    match (failed, u64::try_from(most)) {
        (0, Ok(most)) if most > 0 => Some(most),
        // What macOS promises at least (OPEN_MAX).
        _ => Some(10_240),
    }
}

/// Descriptors that any one process may have, whoever runs it (`fs.nr_open`, 1,048,576 by default).
/// `None`: the system does not say.
#[cfg(not(any(target_os = "macos", target_os = "freebsd")))]
pub fn descriptors_most() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/sys/fs/nr_open").ok()?;
    text.trim().parse().ok()
}

fn limits(resource: Resource) -> (u64, u64) {
    let limit = getrlimit(resource);
    (
        limit.current.unwrap_or(u64::MAX),
        limit.maximum.unwrap_or(u64::MAX),
    )
}

fn set(resource: Resource, soft: u64, hard: u64) -> rustix::io::Result<()> {
    let limited = |limit: u64| (limit != u64::MAX).then_some(limit);
    setrlimit(
        resource,
        Rlimit {
            current: limited(soft),
            maximum: limited(hard),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raising_never_lowers_and_says_what_it_got() {
        let (soft, hard) = descriptors();
        assert!(0 < soft && soft <= hard);
        assert_eq!(raise_descriptors(0).unwrap(), soft);
        assert_eq!(raise_descriptors(soft).unwrap(), soft);

        let most = hard.min(descriptors_most().unwrap_or(hard));
        let got = raise_descriptors(hard).unwrap();
        assert_eq!(got, most.max(soft));
        assert_eq!(descriptors().0, got);

        // More than any system gives: what there is stays, nothing fails.
        let got = raise_descriptors(1 << 40).unwrap();
        assert!(got >= most && got == descriptors().0);
    }

    #[test]
    fn all_that_may_be_locked_may_be_locked_after_raising() {
        let (soft, hard) = lockable();
        let now = raise_lockable();
        assert!(soft <= now && now == hard);
        assert_eq!(lockable(), (hard, hard));
        assert_eq!(raise_lockable(), hard);
    }
}
