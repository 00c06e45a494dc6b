//! What `/stats` says, and whether it can be true: exactly at the end, by a model while the run goes on.

use super::decimal::{Decimal, is_average, plain_quotient};
use super::plan::Plan;

/// One answer of `GET /stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stats {
    pub(crate) total: u64,
    pub(crate) users: u64,
    pub(crate) sum: Decimal,
    pub(crate) avg: Decimal,
}

impl Stats {
    /// Reads a JSON object with the four members, in any order, beside others. Counts must be integer literals.
    pub(crate) fn parse(body: &[u8]) -> Result<Stats, String> {
        let text = std::str::from_utf8(body).map_err(|_| "/stats is not UTF-8".to_owned())?;
        let said = || {
            let shown: String = text
                .chars()
                .take(200)
                .flat_map(char::escape_default)
                .collect();
            format!("it said: {shown}")
        };
        let members =
            members(text).ok_or_else(|| format!("/stats is not a JSON object; {}", said()))?;
        let member = |name: &str| {
            let mut all = members
                .iter()
                .filter(|(n, _)| *n == name)
                .map(|(_, value)| *value);
            match (all.next(), all.next()) {
                (Some(value), None) => Ok(value),
                (None, _) => Err(format!("/stats has no {name}; {}", said())),
                _ => Err(format!("/stats has {name} twice; {}", said())),
            }
        };
        let count = |name: &str| {
            let value = member(name)?;
            let canonical = value.parse::<u64>().ok().filter(|n| n.to_string() == value);
            canonical.ok_or_else(|| format!("/stats: {name} is no integer literal: {value}"))
        };
        let number = |name: &str| {
            let value = member(name)?;
            Decimal::parse(value)
                .ok_or_else(|| format!("/stats: {name} is no usable number: {value}"))
        };
        Ok(Stats {
            total: count("totalRequests")?,
            users: count("uniqueUsers")?,
            sum: number("sum")?,
            avg: number("avg")?,
        })
    }

    pub(crate) fn is_zero(&self) -> bool {
        *self == Stats::default()
    }
}

/// The members of a JSON object as raw text. Numbers are taken as text up to the next delimiter and judged later;
/// names with escapes are kept raw, so they equal none of ours; nested values are refused (no challenge server nests).
fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let blank = [' ', '\t', '\r', '\n'];
    let mut rest = text
        .trim_matches(blank)
        .strip_prefix('{')?
        .trim_start_matches(blank);
    let mut found = Vec::new();
    if rest == "}" {
        return Some(found);
    }
    loop {
        let (name, after) = string(rest)?;
        rest = after
            .trim_start_matches(blank)
            .strip_prefix(':')?
            .trim_start_matches(blank);
        let length = match rest.starts_with('"') {
            true => rest.len() - string(rest)?.1.len(), // with its quotes: it must not pass for a number
            false => rest
                .find(|c| blank.contains(&c) || ",}{[]\"".contains(c))
                .filter(|&n| n > 0)?,
        };
        let value;
        (value, rest) = rest.split_at(length);
        found.push((name, value));
        rest = rest.trim_start_matches(blank);
        if rest == "}" {
            return Some(found);
        }
        rest = rest.strip_prefix(',')?.trim_start_matches(blank);
    }
}

/// The inside of the string that `text` begins with, and what follows it.
fn string(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, b) in inside.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some((&inside[..at], &inside[at + 1..])),
            0..0x20 => return None,
            _ => {}
        }
    }
    None
}

/// Compares the statistics after a run with what the run must have made of `base`. One line per difference.
pub(crate) fn final_differences(found: &Stats, base: &Stats, plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    let total = base.total.saturating_add(plan.requests);
    if found.total != total {
        lines.push(format!(
            "totalRequests is {}, expected {total}",
            found.total
        ));
    }
    let users = plan.users();
    if base.is_zero() {
        if found.users != users {
            lines.push(format!("uniqueUsers is {}, expected {users}", found.users));
        }
    } else {
        // Without a reset nobody knows which of the users were there before.
        let (low, high) = (base.users.max(users), base.users.saturating_add(users));
        if !(low..=high).contains(&found.users) {
            lines.push(format!(
                "uniqueUsers is {}, expected {low} to {high}",
                found.users
            ));
        }
    }
    match Decimal::from_halves(plan.sum_halves()).and_then(|sum| sum.add(base.sum)) {
        Some(sum) => {
            if found.sum != sum {
                lines.push(format!("sum is {}, expected {sum}", found.sum));
            }
            if !is_average(found.avg, sum, total) {
                let exact = match plain_quotient(sum, total) {
                    Some(avg) => avg.to_string(),
                    None => format!("{sum} / {total} to a double's precision"),
                };
                lines.push(format!("avg is {}, expected {exact}", found.avg));
            }
        }
        None => lines.push("the expected sum does not fit the checker".to_owned()),
    }
    lines
}

/// Some of the run's events: how many, and twice the sum of their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Events {
    pub(crate) count: u64,
    pub(crate) halves: u64,
}

impl Events {
    pub(crate) fn add(&mut self, other: Events) {
        self.count += other.count;
        self.halves += other.halves;
    }
}

/// One look at the statistics while the run goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Events whose answer had arrived before the question was sent: all of them must be in.
    pub(crate) answered: Events,
    /// Events sent, at least in part, before the answer arrived: nothing else may be in.
    pub(crate) sent: Events,
    pub(crate) stats: Stats,
}

/// Can this look be true, after the look before it? The error says what contradicts what.
pub(crate) fn look_fits(
    look: &Look,
    before: Option<&Stats>,
    base: &Stats,
    plan: &Plan,
) -> Result<(), String> {
    let Stats {
        total,
        users,
        sum,
        avg,
    } = look.stats;
    let fail = |what: String| Err(format!("GET /stats while running: {what}"));
    let Some(events) = total.checked_sub(base.total) else {
        return fail(format!(
            "totalRequests {total} is below the {} at start",
            base.total
        ));
    };
    let (low, high) = (look.answered.count, look.sent.count);
    if events < low {
        return fail(format!(
            "totalRequests {total} is below the {low} already answered"
        ));
    }
    if events > high {
        return fail(format!(
            "totalRequests {total} is above the {high} sent so far"
        ));
    }
    if !is_average(avg, sum, total) {
        return fail(format!(
            "avg {avg} is not sum {sum} / totalRequests {total}"
        ));
    }
    let Some(halves) = sum.minus(base.sum).and_then(Decimal::halves) else {
        return fail(format!("sum {sum} is no sum of the values sent"));
    };
    let (least, most) = plan.values.halves_range();
    if least % 2 == 1 && halves.rem_euclid(2) != i128::from(events % 2) {
        return fail(format!(
            "sum {sum} cannot come from {events} values that all end in .5"
        ));
    }
    // Known events give their own sum; every other one adds (or leaves out) between `least` and `most`.
    let within = |known: Events, sign: i128, others: u64| {
        let (a, b) = (
            sign * i128::from(least) * i128::from(others),
            sign * i128::from(most) * i128::from(others),
        );
        let known = i128::from(known.halves);
        (known + a.min(b)..=known + a.max(b)).contains(&halves)
    };
    if !within(look.answered, 1, events - low) || !within(look.sent, -1, high - events) {
        return fail(format!(
            "sum {sum} cannot come from {events} events with {low} of them known and {high} sent"
        ));
    }
    // No user has more than this many of the events.
    let each_max = plan.requests.div_ceil(plan.ids).max(1);
    let (few, many) = (events.div_ceil(each_max), events.min(plan.ids));
    let (few, many) = match base.is_zero() {
        true => (few, many),
        false => (base.users.max(few), base.users.saturating_add(many)),
    };
    if !(few..=many).contains(&users) {
        return fail(format!(
            "uniqueUsers {users} with {events} events, possible are {few} to {many}"
        ));
    }
    if let Some(before) = before {
        let Some(new) = total.checked_sub(before.total) else {
            return fail(format!(
                "totalRequests fell from {} to {total}",
                before.total
            ));
        };
        let new_users = users.checked_sub(before.users);
        if new_users.is_none_or(|n| n > new) {
            return fail(format!(
                "uniqueUsers went from {} to {users} in {new} events",
                before.users
            ));
        }
        let grown = sum.minus(before.sum).and_then(Decimal::halves);
        let possible = i128::from(least) * i128::from(new)..=i128::from(most) * i128::from(new);
        if !grown.is_some_and(|grown| possible.contains(&grown)) {
            return fail(format!(
                "sum went from {} to {sum} in {new} events",
                before.sum
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Target, Values};
    use super::*;

    fn plan(requests: u64, ids: u64) -> Plan {
        let target = Target {
            authority: String::new(),
            base: String::new(),
            addresses: Vec::new(),
        };
        Plan::new(&target, requests, ids, Values::Half)
    }

    fn stats(total: u64, users: u64, sum: &str, avg: &str) -> Stats {
        let number = |text| Decimal::parse(text).unwrap();
        Stats {
            total,
            users,
            sum: number(sum),
            avg: number(avg),
        }
    }

    #[test]
    fn stats_are_read_in_any_order_and_spelling_of_the_numbers() {
        let wanted = stats(1_000_000, 75_000, "500000000", "500");
        for text in [
            r#"{"totalRequests":1000000,"uniqueUsers":75000,"sum":500000000,"avg":500}"#,
            " {\n\t\"avg\" : 5.0e2 , \"sum\":500000000.00,\"x\":\"a,\\\"}\",\"y\":\"\",\"z\":null,\r\n\"uniqueUsers\":75000 ,\"totalRequests\":1000000 } \n",
        ] {
            assert_eq!(Stats::parse(text.as_bytes()), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn counts_must_be_integer_literals_and_members_whole() {
        for text in [
            "",
            "{",
            "{}",
            "[]",
            "null",
            "{\"totalRequests\":1}",
            r#"{"totalRequests":1.0,"uniqueUsers":1,"sum":1,"avg":1}"#,
            r#"{"totalRequests":1e0,"uniqueUsers":1,"sum":1,"avg":1}"#,
            r#"{"totalRequests":"1","uniqueUsers":1,"sum":NaN,"avg":1}"#,
            r#"{"totalRequests":01,"uniqueUsers":1,"sum":1,"avg":1}"#,
            r#"{"totalRequests":+1,"uniqueUsers":1,"sum":1,"avg":1}"#,
            r#"{"totalRequests":1,"uniqueUsers":1,"sum":1,"avg":1,}"#,
            r#"{"totalRequests":1,"uniqueUsers":1,"sum":1,"avg":1} x"#,
            r#"{"totalRequests":1,"uniqueUsers":1,"sum":1,"avg":1,"sum":1}"#,
            r#"{"totalRequests":1 "uniqueUsers":1,"sum":1,"avg":1}"#,
            r#"{"totalRequests":1,"uniqueUsers":1,"sum":,"avg":1}"#,
            r#"{"totalRequests":1,"uniqueUsers":1,"sum":1,"avg":1,"x":{}}"#,
        ] {
            assert!(Stats::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_end_is_compared_exactly() {
        let (plan, zero) = (plan(1_000_000, 75_000), Stats::default());
        let right = stats(1_000_000, 75_000, "5e8", "500.0");
        assert!(final_differences(&right, &zero, &plan).is_empty());
        for wrong in [
            Stats {
                total: 999_999,
                ..right
            },
            Stats {
                users: 75_001,
                ..right
            },
            stats(1_000_000, 75_000, "499999999.5", "500"),
            stats(1_000_000, 75_000, "500000000", "499.9999995"),
        ] {
            assert_eq!(
                final_differences(&wrong, &zero, &plan).len(),
                1,
                "{wrong:?}"
            );
        }
        let base = stats(10, 10, "5", "0.5");
        let after = stats(1_000_010, 75_004, "500000005", "500");
        let lines = final_differences(&after, &base, &plan);
        assert_eq!(lines.len(), 1, "{lines:?}"); // the average is 500000005 / 1000010
        assert!(lines[0].starts_with("avg"));
    }

    /// Events 0 to 2 answered (0.5 + 1.5 + 2.5), 3 and 4 on their way (3.5, 4.5).
    fn look(stats: Stats) -> Look {
        let answered = Events {
            count: 3,
            halves: 9,
        };
        Look {
            answered,
            sent: Events {
                count: 5,
                halves: 25,
            },
            stats,
        }
    }

    #[test]
    fn a_look_that_can_be_true_passes_and_a_torn_one_does_not() {
        let (plan, base) = (plan(1_000, 500), Stats::default());
        let fits =
            |stats, before: Option<Stats>| look_fits(&look(stats), before.as_ref(), &base, &plan);
        for right in [
            stats(3, 3, "4.5", "1.5"),
            stats(4, 4, "8", "2"),
            stats(4, 4, "9.0", "2.25"),
            stats(5, 5, "12.5", "2.5"),
            stats(3, 2, "4.5", "1.5"),
        ] {
            assert_eq!(fits(right, None), Ok(()), "{right:?}");
            assert_eq!(fits(right, Some(Stats::default())), Ok(()), "{right:?}");
        }
        for (wrong, what) in [
            (stats(2, 2, "2", "1"), "below"),
            (stats(6, 6, "18", "3"), "above"),
            (stats(4, 4, "8", "2.5"), "avg"),
            (stats(4, 4, "4.5", "1.125"), "end in .5"),
            (stats(4, 4, "12.5", "3.125"), "end in .5"),
            (stats(3, 3, "5.5", "1.8333333333333333"), "cannot come"),
            (stats(4, 4, "13", "3.25"), "cannot come"),
            (stats(4, 1, "8", "2"), "uniqueUsers"),
            (stats(4, 5, "8", "2"), "uniqueUsers"),
            (stats(4, 4, "8.1", "2.025"), "no sum"),
        ] {
            let error = fits(wrong, None).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn looks_never_go_back() {
        let (plan, base) = (plan(1_000, 500), Stats::default());
        let now = stats(4, 3, "8", "2");
        let fits = |before| look_fits(&look(now), Some(&before), &base, &plan);
        assert_eq!(fits(stats(3, 3, "4.5", "1.5")), Ok(()));
        assert!(fits(stats(5, 3, "8", "2")).unwrap_err().contains("fell"));
        assert!(
            fits(stats(4, 4, "8", "2"))
                .unwrap_err()
                .contains("uniqueUsers went")
        );
        assert!(
            fits(stats(3, 1, "4.5", "1.5"))
                .unwrap_err()
                .contains("uniqueUsers went")
        );
        assert!(
            fits(stats(3, 3, "9", "3"))
                .unwrap_err()
                .contains("sum went")
        );
    }

    #[test]
    fn a_run_on_statistics_that_were_not_reset_is_looked_at_from_its_base() {
        let (plan, base) = (plan(1_000, 500), stats(10, 10, "5", "0.5"));
        let fits = |stats| look_fits(&look(stats), None, &base, &plan);
        assert_eq!(fits(stats(14, 10, "13", "0.928571428571428571")), Ok(()));
        assert!(fits(stats(14, 9, "13", "0.928571428571428571")).is_err());
        assert!(fits(stats(9, 10, "13", "1.4444444444444444")).is_err());
    }
}
