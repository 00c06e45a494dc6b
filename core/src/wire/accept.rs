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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    fn of(values: &[&str]) -> Notation {
        Notation::preferred(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn the_greater_weight_of_the_most_specific_range_wins() {
        for json in [
            "application/json",
            "APPLICATION/Json",
            "application/*",
            "application/json, text/plain;q=0.9",
            "text/plain;q=0.999, application/json",
            "application/json;q=0.001",
            "application/json;q=0.001, text/*;q=0",
            "text/plain;q=0, */*",
            "text/plain ; q=0.1 , */* ; q=0.2",
            "*/*, text/*;q=0.5",
            "application/json;charset=utf-8",
            "application/json; Charset=\"UTF-8\"",
            "application/json;charset=utf-8;q=1, application/json;q=0, */*;q=0.5",
            "text/html, application/json;q=0.2",
            "application/json;;q=0.3;, text/plain;q=0.2",
            "application/json;q=0.5;level=\"1\", application/json",
            "text/plain;format=flowed, application/json;q=0.1",
            "x/y;a=\"\\\",text/plain\", application/json",
        ] {
            assert_eq!(of(&[json]), Notation::Json, "{json}");
        }
    }

    #[test]
    fn all_else_is_text() {
        for text in [
            "",
            " , ,",
            "*/*",
            "text/plain",
            "text/plain, application/json",
            "application/json, text/plain, */*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/json;q=0",
            "application/json;q=0.5, text/*;q=0.5",
            "application/json;q=0, application/*",
            "*/*;q=0.1, text/plain;charset=utf-8;q=0.2",
            "image/png",
            "application/json;version=1",
            "application/json;charset=latin1",
            "application/json;charset=utf-8;version=1",
            "application/problem+json",
        ] {
            assert_eq!(of(&[text]), Notation::Text, "{text}");
        }
        assert_eq!(of(&[]), Notation::Text);
    }

    #[test]
    fn a_member_that_breaks_the_grammar_is_left_out() {
        for bad in [
            "application",
            "application/",
            "/json",
            "*/json",
            "application/json/x",
            "application /json",
            "application/ json",
            "application/json x",
            "application/json;q",
            "application/json;q=",
            "application/json;q=2",
            "application/json;q=1.001",
            "application/json;q=0.0001",
            "application/json;q=.5",
            "application/json;q=-1",
            "application/json;q=\"1\"",
            "application/json;q =1",
            "application/json;=1",
            "application/json;a=\"open",
            "application/json;a=b\"c\"",
            "application/json\u{e9}",
        ] {
            assert_eq!(of(&[bad]), Notation::Text, "{bad}");
            let line = std::format!("text/plain;q=0.3, {bad}");
            assert_eq!(of(&[&line, "application/json;q=0.4"]), Notation::Json);
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        assert_eq!(
            of(&["text/plain;q=0.5", "application/json"]),
            Notation::Json
        );
        assert_eq!(of(&["application/json", "text/plain"]), Notation::Text);
        assert_eq!(
            of(&["application/json", "application/json;q=0"]),
            Notation::Json
        );
    }

    #[test]
    fn weights_are_exact_to_three_digits() {
        for thousandths in 0..=WHOLE {
            let (whole, part) = (thousandths / 1000, thousandths % 1000);
            let text = std::format!("{whole}.{part:03}");
            assert_eq!(weight(text.as_bytes()), Some(thousandths), "{text}");
            let short = text.trim_end_matches('0');
            assert_eq!(weight(short.as_bytes()), Some(thousandths), "{short}");
        }
        assert_eq!((weight(b"0"), weight(b"1")), (Some(0), Some(1000)));
    }

    /// The rules of the table once more, by splitting strings.
    fn naive(value: &str) -> Notation {
        let mut members: Vec<String> = std::vec![String::new()];
        let mut quoted = false;
        for letter in value.chars() {
            quoted ^= letter == '"';
            match (letter, members.last_mut()) {
                (',', _) if !quoted => members.push(String::new()),
                (letter, Some(last)) => last.push(letter),
                _ => {}
            }
        }
        let weight_of = |kind: &str, subtype: &str| {
            let mut found = (0, 0.0f64);
            for member in &members {
                if let Some((range, utf8, q)) = naive_member(member) {
                    let full = std::format!("{kind}/{subtype}");
                    let rank = match () {
                        () if range == full => 3 + u8::from(utf8),
                        () if utf8 => 0,
                        () if range == std::format!("{kind}/*") => 2,
                        () if range == "*/*" => 1,
                        () => 0,
                    };
                    if rank > 0 && (rank, q) > found {
                        found = (rank, q);
                    }
                }
            }
            found.1
        };
        match weight_of("application", "json") > weight_of("text", "plain") {
            true => Notation::Json,
            false => Notation::Text,
        }
    }

    fn naive_member(member: &str) -> Option<(String, bool, f64)> {
        let ows = |c: char| c == ' ' || c == '\t';
        let lower = member.to_lowercase();
        let mut parts = lower.trim_matches(ows).split(';');
        let range = parts.next()?.trim_end_matches(ows);
        let (kind, subtype) = range.split_once('/')?;
        let token = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
        };
        if !token(kind) || !token(subtype) || (kind == "*" && subtype != "*") {
            return None;
        }
        let (mut utf8, mut others, mut q) = (false, false, 1.0);
        for part in parts
            .map(|part| part.trim_matches(ows))
            .filter(|part| !part.is_empty())
        {
            let (name, value) = part.split_once('=')?;
            let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
            if !token(name) || !(token(value) || inner.is_some_and(|v| !v.contains('"'))) {
                return None;
            }
            if name == "q" {
                let digits = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
                let shape = value.len() <= 5 && value.get(1..2).is_none_or(|dot| dot == ".");
                q = value.parse().ok()?;
                if !digits.is_empty() || !shape || value.starts_with('.') || q > 1.0 {
                    return None;
                }
            } else if name == "charset" && inner.unwrap_or(value) == "utf-8" {
                utf8 = true;
            } else {
                others = true;
            }
        }
        (!others).then(|| (String::from(range), utf8, q))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn likely_values_are_read_as_a_naive_reader_does(
            parts in proptest::collection::vec(proptest::sample::select(std::vec![
                "text/plain", "application/json", "text/*", "application/*", "*/*", "image/png",
                "Application/JSON", "*", "/", ",", ", ", " , ", ";", "; ", " ;", ";q=", ";Q=0.5",
                ";q=0", ";q=1", ";q=0.2", ";q=0.20", ";q=0.201", ";q=1.1", ";q=0.0001", "0.7", "1",
                ";charset=utf-8", ";charset=\"utf-8\"", ";a=\"b,c\"", ";a=b", "=", "\"", "x", " ",
            ]), 0..14)
        ) {
            let value: String = parts.concat();
            // Where a string swallows a ';' or is not closed the naive reader is lost.
            let strings: Vec<&str> = value.split('"').collect();
            let simple = strings.len() % 2 == 1
                && strings.iter().skip(1).step_by(2).all(|inside| !inside.contains(';'));
            if simple {
                prop_assert_eq!(of(&[&value]), naive(&value), "{}", value);
            }
        }

        #[test]
        fn no_bytes_panic(values: Vec<Vec<u8>>) {
            let _ = Notation::preferred(values.iter().map(Vec::as_slice));
        }
    }
}
