//! How many descriptors the process may open.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The soft and the hard limit of open descriptors; `u64::MAX` stands for "no limit".
pub fn descriptors() -> (u64, u64) {
    let limit = getrlimit(Resource::Nofile);
    (
        limit.current.unwrap_or(u64::MAX),
        limit.maximum.unwrap_or(u64::MAX),
    )
}

/// Raises the soft limit to `want` descriptors, or as far as the process may, and says how many
/// it may open now. Never lowers a limit.
///
/// The hard limit is raised too where that takes it and the process is privileged.
///
/// # Errors
/// If not even the hard limit can be had; a limit below `want` is no error, the caller decides.
pub fn raise_descriptors(want: u64) -> io::Result<u64> {
    let (soft, hard) = descriptors();
    if want <= soft {
        return Ok(soft);
    }
    let set = |soft: u64, hard: u64| {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(soft),
                maximum: (hard != u64::MAX).then_some(hard),
            },
        )
    };
    // Refused without CAP_SYS_RESOURCE, and above fs.nr_open for everybody.
    if want > hard && set(want, want).is_ok() {
        return Ok(want);
    }
    let reachable = want.min(hard);
    if reachable > soft {
        set(reachable, hard)?;
    }
    Ok(reachable)
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

        let got = raise_descriptors(hard).unwrap();
        assert_eq!(got, hard);
        assert_eq!(descriptors(), (hard, hard));

        // More than any system gives: what there is stays, nothing fails.
        let got = raise_descriptors(1 << 40).unwrap();
        assert!(got >= hard && got == descriptors().0);
    }
}
