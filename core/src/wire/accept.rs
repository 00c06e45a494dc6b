//! `Accept` (RFC 9110 section 12.5.1), as far as a short text needs it: plain text, or JSON?
//!
//! | rule | from |
//! |---|---|
//! | the most specific range that matches a type gives its weight; of several alike the greatest | 12.5.1 |
//! | `type/subtype;charset=utf-8`, `type/subtype`, `type/*`, `*/*`: from specific to not | 12.5.1 |
//! | any other parameter makes a range match neither: nothing here has it | 12.5.1 |
//! | `q` is the weight wherever it stands among the parameters; without it, 1 | 12.4.2, 12.5.1 |
//! | several field lines are one list | 5.3 |
//! | a member that does not follow the grammar is left out, the others count | |
//! | no field, a tie, or neither acceptable: plain text (which may be sent all the same) | 12.5.1 |

use super::scan;
use super::value::{list_items_quoted, trim_ows};

/// In what form something is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Notation {
    /// `text/plain`
    #[default]
    Text,
    /// `application/json`
    Json,
}

impl Notation {
    /// Which of the two the values of the `Accept` lines of a request prefer. Linear in their
    /// bytes.
    ///
    /// ```
    /// use barewire_core::wire::Notation;
    /// let of = |value: &'static str| Notation::preferred([value.as_bytes()]);
    /// assert_eq!(of("application/json"), Notation::Json);
    /// assert_eq!(of("text/*;q=0.5, */*;q=0.7"), Notation::Json);
    /// assert_eq!(of("*/*"), Notation::Text);
    /// ```
    pub fn preferred<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Notation {
        let (mut text, mut json) = (Best::NONE, Best::NONE);
        for range in values
            .into_iter()
            .flat_map(list_items_quoted)
            .filter_map(Range::parse)
        {
            text.see(range.specificity(b"text", b"plain"), range.weight);
            json.see(range.specificity(b"application", b"json"), range.weight);
        }
        match json.weight > text.weight {
            true => Notation::Json,
            false => Notation::Text,
        }
    }
}

/// The weight of a type so far, and how specific the range was that gave it.
struct Best {
    /// 1 to 4; 0: no range matched yet.
    specificity: u8,
    /// Thousandths; 0 is "not acceptable".
    weight: u16,
}

impl Best {
    const NONE: Best = Best {
        specificity: 0,
        weight: 0,
    };

    fn see(&mut self, specificity: u8, weight: u16) {
        if specificity > self.specificity {
            *self = Best {
                specificity,
                weight,
            };
        } else if specificity == self.specificity && specificity > 0 {
            self.weight = self.weight.max(weight);
        }
    }
}

/// A media range with its weight.
struct Range<'a> {
    kind: &'a [u8],
    subtype: &'a [u8],
    parameters: Parameters,
    /// Thousandths.
    weight: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Parameters {
    None,
    /// Nothing but `charset=utf-8`.
    Utf8,
    Others,
}

/// The weight of a range that names none, in thousandths.
const WHOLE: u16 = 1000;

impl<'a> Range<'a> {
    /// `None`: the member does not follow the grammar.
    fn parse(member: &'a [u8]) -> Option<Range<'a>> {
        let (kind, rest) = member.split_at_checked(scan::token_len(member))?;
        let rest = rest.strip_prefix(b"/")?;
        let (subtype, rest) = rest.split_at_checked(scan::token_len(rest))?;
        if kind.is_empty() || subtype.is_empty() || (kind == b"*" && subtype != b"*") {
            return None;
        }
        let mut range = Range {
            kind,
            subtype,
            parameters: Parameters::None,
            weight: WHOLE,
        };
        let mut rest = trim_ows(rest);
        while let Some(behind) = rest.strip_prefix(b";") {
            let behind = trim_ows(behind);
            // An empty parameter is none (RFC 9110 section 5.6.6).
            if behind.is_empty() || behind.starts_with(b";") {
                rest = behind;
                continue;
            }
            let (name, behind) = behind.split_at_checked(scan::token_len(behind))?;
            let (value, behind) = parameter_value(behind.strip_prefix(b"=")?)?;
            rest = trim_ows(behind);
            if name.is_empty() {
                return None;
            }
            if name.eq_ignore_ascii_case(b"q") {
                range.weight = weight(value)?;
            } else {
                range.parameters = match (range.parameters, is_utf8(name, value)) {
                    (Parameters::None | Parameters::Utf8, true) => Parameters::Utf8,
                    _ => Parameters::Others,
                };
            }
        }
        rest.is_empty().then_some(range)
    }

    /// 4 to 1 for a range that matches, from specific to not; 0 for one that does not.
    fn specificity(&self, kind: &[u8], subtype: &[u8]) -> u8 {
        let same_kind = self.kind.eq_ignore_ascii_case(kind);
        match self.parameters {
            Parameters::Others => 0,
            Parameters::None if self.kind == b"*" => 1,
            Parameters::None if same_kind && self.subtype == b"*" => 2,
            parameters if same_kind && self.subtype.eq_ignore_ascii_case(subtype) => {
                3 + u8::from(parameters == Parameters::Utf8)
            }
            _ => 0,
        }
    }
}

/// A token or a quoted string (with its quotes), and what is behind it.
fn parameter_value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = match bytes.strip_prefix(b"\"") {
        None => scan::token_len(bytes),
        Some(string) => {
            let mut escaped = false;
            let close = string.iter().position(|byte| {
                let closes = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                closes
            })?;
            close.saturating_add(2)
        }
    };
    let (value, rest) = bytes.split_at_checked(len)?;
    (!value.is_empty()).then_some((value, rest))
}

fn is_utf8(name: &[u8], value: &[u8]) -> bool {
    let bare = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""))
        .unwrap_or(value);
    name.eq_ignore_ascii_case(b"charset") && bare.eq_ignore_ascii_case(b"utf-8")
}

/// A weight in thousandths (RFC 9110 section 12.4.2): 0 or 1, and up to three digits.
fn weight(value: &[u8]) -> Option<u16> {
    let (whole, digits) = match value {
        [whole] => (whole, &[][..]),
        [whole, b'.', digits @ ..] if digits.len() <= 3 => (whole, digits),
        _ => return None,
    };
    let mut thousandths: u16 = match whole {
        b'0' => 0,
        b'1' => WHOLE,
        _ => return None,
    };
    for (digit, place) in digits.iter().zip([100, 10, 1]) {
        let digit = digit.is_ascii_digit().then(|| digit.wrapping_sub(b'0'))?;
        thousandths = thousandths.saturating_add(u16::from(digit).saturating_mul(place));
    }
    (thousandths <= WHOLE).then_some(thousandths)
}
