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
}

impl Bounds {
    /// All of `sure` is counted, and any of `perhaps`.
    pub(crate) fn new(sure: &[Counted], perhaps: &[Counted]) -> Bounds {
        let mut users = BTreeMap::new();
        for one in sure {
            users.insert(&one.user, true);
        }
        for one in perhaps {
            users.entry(&one.user).or_insert(false);
        }
        let sum: i128 = sure.iter().map(|one| i128::from(one.thousandths)).sum();
        let maybe = perhaps.iter().map(|one| i128::from(one.thousandths));
        let below: i128 = maybe.clone().filter(|value| *value < 0).sum();
        let above: i128 = maybe.filter(|value| *value > 0).sum();
        let least = sure.len() as u64;
        Bounds {
            total: (least, least + perhaps.len() as u64),
            users: (
                users.values().filter(|sure| **sure).count() as u64,
                users.len() as u64,
            ),
            sum: (sum + below, sum + above),
        }
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
            && users <= total;
        let mean = match total {
            0 => 0.0,
            n => sum as f64 / 1000.0 / n as f64,
        };
        let near = average
            .parse::<f64>()
            .is_ok_and(|average| (average - mean).abs() <= 1e-9 * mean.abs());
        if !fits || !near {
            return Err(format!(
                "{text} is not within {:?}, {:?}, {:?}, mean {mean}",
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
