//! What statistics may say, from a plain sum over what was sent.

use std::collections::BTreeMap;

use super::script::Counted;
use crate::conformance::Response;

/// What statistics may say.
pub(crate) struct Bounds {
    total: (u64, u64),
    users: (u64, u64),
    /// Thousandths.
    sum: (i128, i128),
    /// What all of the sure ones come to, in thousandths.
    base: i128,
    /// The others: thousandths, and a bit for the user unless a sure one is the same user's.
    perhaps: Option<Vec<(i128, u32)>>,
}

/// Events of which nobody knows whether they are in: with more, not all their subsets are tried but
/// only the sums compared, because each one more doubles the work.
const SUBSETS_MAX: usize = 8;

impl Bounds {
    /// All of `sure` is counted, and any of `perhaps`.
    pub(crate) fn new(sure: Vec<&Counted>, perhaps: Vec<&Counted>) -> Bounds {
        let mut users: BTreeMap<&[u8], Option<u32>> = BTreeMap::new();
        for one in &sure {
            users.insert(&one.user, None);
        }
        let known = users.len();
        for one in &perhaps {
            let next = users.len() - known;
            users.entry(&one.user).or_insert(Some(next as u32));
        }
        let sum = |all: &[&Counted], keep: fn(i64) -> bool| -> i128 {
            let all = all.iter().map(|one| one.thousandths);
            all.filter(|value| keep(*value)).map(i128::from).sum()
        };
        let base = sum(&sure, |_| true);
        let least = sure.len() as u64;
        let bit = |one: &&Counted| match users.get(&*one.user) {
            Some(Some(number)) => 1 << number,
            _ => 0,
        };
        let few = perhaps.len() <= SUBSETS_MAX;
        Bounds {
            total: (least, least + perhaps.len() as u64),
            users: (known as u64, users.len() as u64),
            sum: (
                base + sum(&perhaps, |value| value < 0),
                base + sum(&perhaps, |value| value > 0),
            ),
            base,
            perhaps: few.then(|| {
                let all = perhaps.iter();
                all.map(|one| (one.thousandths.into(), bit(one))).collect()
            }),
        }
    }

    /// Whether some of the uncertain events, together with the sure ones, come to exactly this: a
    /// count of one moment and a sum of another do not.
    fn is_one_moment(&self, total: u64, users: u64, sum: i128) -> bool {
        let Some(perhaps) = &self.perhaps else {
            return true;
        };
        (0u32..1 << perhaps.len()).any(|subset| {
            let chosen = |at: &usize| subset & 1 << at != 0;
            let (mut all, mut names) = (self.base, 0);
            for at in (0..perhaps.len()).filter(chosen) {
                all += perhaps[at].0;
                names |= perhaps[at].1;
            }
            self.total.0 + u64::from(subset.count_ones()) == total
                && all == sum
                && self.users.0 + u64::from(names.count_ones()) == users
        })
    }

    /// Whether these statistics keep within; says their total.
    pub(crate) fn hold(&self, response: &Response) -> Result<u64, String> {
        let text = String::from_utf8_lossy(&response.body).into_owned();
        let field = |name: &str| {
            let (_, rest) = text.split_once(&format!("\"{name}\":"))?;
            rest.split([',', '}']).next()
        };
        let number = |name| field(name).and_then(|digits| digits.parse::<u64>().ok());
        let (Some(total), Some(users)) = (number("totalRequests"), number("uniqueUsers")) else {
            return Err(text);
        };
        let (Some(sum), Some(average)) = (field("sum").and_then(thousandths), field("avg")) else {
            return Err(text);
        };
        let fits = (self.total.0..=self.total.1).contains(&total)
            && (self.users.0..=self.users.1).contains(&users)
            && (self.sum.0..=self.sum.1).contains(&sum)
            && users <= total
            && self.is_one_moment(total, users, sum);
        let mean = match total {
            0 => 0.0,
            n => sum as f64 / 1000.0 / n as f64,
        };
        let near = average
            .parse::<f64>()
            .is_ok_and(|average| (average - mean).abs() <= 1e-9 * mean.abs());
        if !fits || !near {
            return Err(format!(
                "{text} is not within {:?}, {:?}, {:?}, mean {mean}, or no one moment",
                self.total, self.users, self.sum
            ));
        }
        Ok(total)
    }
}

/// A decimal of three places at most, in thousandths.
fn thousandths(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = format!("{whole}{part:0<3}");
    let number: i128 = digits.parse().ok()?;
    (part.len() <= 3).then_some(sign * number)
}
