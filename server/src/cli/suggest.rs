//! What was probably meant by a name that nobody knows.

use super::flags::{self, LOAD, SERVE};

/// Where the flags of a command stand.
pub(crate) fn see(command: &str) -> String {
    format!("see 'barewire help {command}'")
}

/// The line about a flag that is not among those `known` to the command.
pub(crate) fn unknown_flag(name: &str, command: &str, known: &[&str]) -> String {
    let line = format!("unknown flag --{name}");
    for (other, flags) in [("serve", flags::names(SERVE)), ("load", flags::names(LOAD))] {
        if flags.contains(&name) {
            return format!("{line} here: it belongs to 'barewire {other}'");
        }
    }
    match nearest(name, known) {
        Some(near) => format!("{line}; did you mean --{near}?"),
        None => format!("{line}; {}", see(command)),
    }
}

/// The line about a word that is no command, or no command there.
pub(crate) fn unknown_command(name: &str) -> String {
    match nearest(name, &["serve", "load", "help"]) {
        Some(near) if near == name => format!("the command '{name}' comes first"),
        Some(near) => format!("unknown command '{name}'; did you mean '{near}'?"),
        None => format!("unknown command '{name}'; see 'barewire help'"),
    }
}

/// Wrong letters that still count as a slip, in a word of at least twice as many.
const SLIPS_MAX: usize = 2;
/// Letters from which the beginning of a name stands for it.
const PREFIX_MIN: usize = 3;

/// The known name that was probably meant.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let by_slips = known
        .iter()
        .map(|&candidate| (slips(name, candidate), candidate))
        .filter(|&(slips, _)| slips <= SLIPS_MAX && slips * 2 <= name.len())
        .min_by_key(|&(slips, _)| slips);
    let by_prefix = || {
        let long_enough = name.len() >= PREFIX_MIN;
        let mut begins = known.iter().filter(|k| long_enough && k.starts_with(name));
        begins.next().copied()
    };
    by_slips.map(|(_, candidate)| candidate).or_else(by_prefix)
}

/// How many letters must be put in, taken out or replaced to make `a` out of `b`.
fn slips(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, x) in a.chars().enumerate() {
        let mut corner = above;
        let mut left = above + 1;
        row[0] = left;
        for (at, &y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[at + 1];
            left = replaced.min(corner + 1).min(left + 1);
            row[at + 1] = left;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, count) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("port", "prt", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!((slips(a, b), slips(b, a)), (count, count), "{a} {b}");
        }
    }
}
