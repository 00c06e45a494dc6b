//! Field lines: `name: value`, and the index that remembers where they are.

use core::fmt;

use super::value::{list_items, trim_ows};
use super::{Fault, Notation, scan};
use crate::limits::FIELD_NAME_BYTES_MAX;

/// The fields that have a number: those that the engine acts on, and a few that applications ask
/// for in nearly every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FieldId {
    /// Any other field.
    Other,
    /// `Upgrade`
    Upgrade,
    /// `Content-Type`
    ContentType,
    /// `Accept`
    Accept,
    // From here on those that the parser acts on: one comparison tells them apart.
    /// `Host`
    Host,
    /// `Connection`
    Connection,
    /// `Content-Length`
    ContentLength,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Expect`
    Expect,
}

impl FieldId {
    /// Names the field; names are case-insensitive (RFC 9110 section 5.1).
    pub fn from_name(name: &[u8]) -> FieldId {
        let mut front = [0; 8];
        for (to, from) in front.iter_mut().zip(name.iter().chain(b":")) {
            *to = *from;
        }
        FieldId::from_front(u64::from_le_bytes(front), name.len(), || Some(name))
    }

    /// As [`from_name`](Self::from_name), for who has the first eight bytes of the name and of the
    /// colon and what follows it at hand, the first one lowest.
    ///
    /// One word, its first letter included: LLVM takes an array to pieces for the sake of one.
    #[inline(always)]
    pub(super) fn from_front<'a>(
        front: u64,
        len: usize,
        name: impl FnOnce() -> Option<&'a [u8]>,
    ) -> FieldId {
        // One name can be it: that of this length and this first letter. A short one is compared
        // with its colon, and so its length is as well.
        let slot = slot(len, front as u8);
        let (letters, mask) = FRONTS[slot];
        if (front | FOLD) & mask != letters {
            return FieldId::Other;
        }
        if len > SHORT && !RESTS[slot].is_of(name().unwrap_or_default()) {
            return FieldId::Other;
        }
        IDS[slot]
    }

    const fn from_number(number: u8) -> FieldId {
        match number {
            1 => FieldId::Upgrade,
            2 => FieldId::ContentType,
            3 => FieldId::Accept,
            4 => FieldId::Host,
            5 => FieldId::Connection,
            6 => FieldId::ContentLength,
            7 => FieldId::TransferEncoding,
            8 => FieldId::Expect,
            _ => FieldId::Other,
        }
    }
}

/// What is known of a long name beyond its front.
#[derive(Clone, Copy)]
struct Rest {
    /// Letters 9 to 16; 0 in a name of at most 16.
    next: u64,
    /// The last eight letters.
    last: u64,
    len: u8,
}

impl Rest {
    /// Whether a name with the right front is this one as a whole.
    fn is_of(&self, name: &[u8]) -> bool {
        let (_, rest) = name.split_at_checked(8).unwrap_or_default();
        name.len() == self.len as usize
            && name
                .last_chunk::<8>()
                .is_some_and(|last| fold64(*last) == self.last)
            && (rest.len() <= 8
                || rest
                    .first_chunk::<8>()
                    .is_some_and(|next| fold64(*next) == self.next))
    }
}

/// Letters of a name at most that its front tells whole: with the colon they are eight.
const SHORT: usize = 7;

/// The known names, each in the slot of its length and first letter: no two share one.
const NAMES: [(&[u8], FieldId); 8] = [
    (b"host", FieldId::Host),
    (b"connection", FieldId::Connection),
    (b"content-length", FieldId::ContentLength),
    (b"transfer-encoding", FieldId::TransferEncoding),
    (b"expect", FieldId::Expect),
    (b"upgrade", FieldId::Upgrade),
    (b"content-type", FieldId::ContentType),
    (b"accept", FieldId::Accept),
];

/// The first eight letters of the name in a slot, in lower case, and a mask of those that count.
const FRONTS: [(u64, u64); 16] = {
    // No name begins so: what counts is nothing, and that is no 1.
    let mut fronts = [(1, 0); 16];
    let mut row = 0;
    while row < NAMES.len() {
        let name = NAMES[row].0;
        let slot = slot(name.len(), name[0]);
        assert!(fronts[slot].1 == 0, "two names in one slot");
        fronts[slot] = if name.len() <= SHORT {
            (
                word(name, 0) | (b':' as u64) << (8 * name.len()),
                u64::MAX >> (8 * (7 - name.len())),
            )
        } else {
            (word(name, 0), u64::MAX)
        };
        row += 1;
    }
    fronts
};

const IDS: [FieldId; 16] = {
    let mut ids = [FieldId::Other; 16];
    let mut row = 0;
    while row < NAMES.len() {
        let (name, id) = NAMES[row];
        ids[slot(name.len(), name[0])] = id;
        row += 1;
    }
    ids
};

const RESTS: [Rest; 16] = {
    let mut rests = [Rest {
        next: 0,
        last: 0,
        len: 0,
    }; 16];
    let mut row = 0;
    while row < NAMES.len() {
        let name = NAMES[row].0;
        if name.len() > SHORT {
            rests[slot(name.len(), name[0])] = Rest {
                next: if name.len() > 16 { word(name, 8) } else { 0 },
                last: word(name, name.len() - 8),
                len: name.len() as u8,
            };
        }
        row += 1;
    }
    rests
};

/// Eight letters from `at` on, or as many as there are.
const fn word(name: &[u8], at: usize) -> u64 {
    let (mut word, mut n) = (0, 0);
    while n < 8 && at + n < name.len() {
        word |= (name[at + n] as u64) << (8 * n);
        n += 1;
    }
    word
}

/// The one place in the table of known names where a name can be.
#[inline(always)]
const fn slot(len: usize, first: u8) -> usize {
    // Bit 5, where the cases of a letter differ, is not among them.
    (len ^ first as usize) % 16
}

/// Bit 5 of every byte: letters with it are in lower case.
const FOLD: u64 = 0x2020_2020_2020_2020;

fn fold64(letters: [u8; 8]) -> u64 {
    u64::from_le_bytes(letters) | FOLD
}

/// Whether a token of the same length, 8 to 24 letters, spells `lower` in any case: three words,
/// which overlap.
#[inline(always)]
pub(crate) fn is<const N: usize>(token: &[u8], lower: &[u8; N]) -> bool {
    const { assert!(8 <= N && N <= 24) };
    let Some(token) = token.first_chunk::<N>() else {
        return false;
    };
    let word = |bytes: &[u8; N], at: usize| {
        bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk::<8>())
            .map(|word| fold64(*word))
    };
    word(token, 0) == word(lower, 0)
        && word(token, N - 8) == word(lower, N - 8)
        && (N <= 16 || word(token, 8) == word(lower, 8))
}

/// One row of the index, packed into 8 bytes: offsets from the start of the section.
#[derive(Clone, Copy)]
struct Row {
    name: u16,
    value: u16,
    value_end: u16,
    name_len: u8,
    id: FieldId,
}

impl Row {
    fn pack(self) -> [u8; 8] {
        let word = u64::from(self.name)
            | u64::from(self.value) << 16
            | u64::from(self.value_end) << 32
            | u64::from(self.name_len) << 48
            | (self.id as u64) << 56;
        word.to_le_bytes()
    }

    fn unpack(bytes: [u8; 8]) -> Row {
        let word = u64::from_le_bytes(bytes);
        Row {
            name: word as u16,
            value: (word >> 16) as u16,
            value_end: (word >> 32) as u16,
            name_len: (word >> 48) as u8,
            id: FieldId::from_number((word >> 56) as u8),
        }
    }
}

/// The row of a field that lies at these offsets.
#[inline(always)]
pub(super) fn pack(at: u32, value: u32, end: u32, name_len: u32, id: FieldId) -> [u8; 8] {
    // As `Row::pack`; nothing is cut off here, as all of it fits by the limits. Piece by piece: so
    // many stores are fewer instructions than the shifts that make one of them.
    let ([a, b], [c, d]) = ((at as u16).to_le_bytes(), (value as u16).to_le_bytes());
    let [e, f] = (end as u16).to_le_bytes();
    [a, b, c, d, e, f, name_len as u8, id as u8]
}

/// Parses one field line (without its line end) that begins at `at` of its section, and writes
/// its row.
#[inline]
pub(crate) fn parse_line<'b>(
    line: &'b [u8],
    at: usize,
    row: Option<&mut [u8; 8]>,
) -> Result<(FieldId, &'b [u8]), Fault> {
    if let Some(b' ' | b'\t') = line.first() {
        return Err(Fault::Fold);
    }
    let name_len = scan::token_len(line);
    let (name, rest) = line.split_at_checked(name_len).ok_or(Fault::FieldName)?;
    let Some((b':', after)) = rest.split_first() else {
        return Err(Fault::FieldName);
    };
    if name.is_empty() {
        return Err(Fault::FieldName);
    }
    let value = trim_ows(after);
    if !scan::is_field_value(value) {
        return Err(Fault::FieldValue);
    }
    if name_len > FIELD_NAME_BYTES_MAX {
        return Err(Fault::FieldNameTooLong);
    }
    let row = row.ok_or(Fault::TooManyFields)?;
    let id = FieldId::from_name(name);
    // White space in front of the value; what is behind it does not matter.
    let lead = after.len().saturating_sub(trim_start(after).len());
    let value_at = at
        .saturating_add(name_len)
        .saturating_add(1)
        .saturating_add(lead);
    *row = Row {
        name: at as u16,
        value: value_at as u16,
        value_end: value_at.saturating_add(value.len()) as u16,
        name_len: name_len as u8,
        id,
    }
    .pack();
    Ok((id, value))
}

fn trim_start(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    value
}

/// The fields of a head or of a trailer section, in the order they came.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    rows: &'a [[u8; 8]],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8], rows: &'a [[u8; 8]]) -> Self {
        Fields { bytes, rows }
    }

    /// How many field lines there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// No field line at all.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Names and values, as they were spelled; values without the white space around them.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        self.rows.iter().map(move |row| {
            let row = Row::unpack(*row);
            (name_of(bytes, row), value_of(bytes, row))
        })
    }

    /// The values of every line of that name, in order; the name in any case.
    pub fn all<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of the first line of that name; the name in any case.
    pub fn get(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The value of the first line of a field that has a number: no name is compared.
    pub fn known(&self, id: FieldId) -> Option<&'a [u8]> {
        let row = self
            .rows
            .iter()
            .map(|row| Row::unpack(*row))
            .find(|row| row.id == id)?;
        Some(value_of(self.bytes, row))
    }

    /// The lines of a field that has a number: where the line begins, where its value begins, and
    /// the value.
    pub(super) fn lines_of(&self, id: FieldId) -> impl Iterator<Item = (usize, usize, &'a [u8])> {
        let bytes = self.bytes;
        let rows = self.rows.iter().map(|row| Row::unpack(*row));
        rows.filter(move |row| row.id == id)
            .map(move |row| (row.name as usize, row.value as usize, value_of(bytes, row)))
    }

    /// In what form the client wants to be told, by the `Accept` lines (RFC 9110 section 12.5.1).
    pub(crate) fn notation(&self) -> Notation {
        Notation::preferred(self.lines_of(FieldId::Accept).map(|(_, _, value)| value))
    }

    /// Whether `token` is an element of the list that all lines of that name form together; both
    /// in any case.
    pub fn has_token(&self, name: &[u8], token: &[u8]) -> bool {
        self.all(name)
            .flat_map(list_items)
            .any(|item| item.eq_ignore_ascii_case(token))
    }
}

fn name_of(bytes: &[u8], row: Row) -> &[u8] {
    let start = row.name as usize;
    bytes
        .get(start..start.saturating_add(row.name_len as usize))
        .unwrap_or(&[])
}

fn value_of(bytes: &[u8], row: Row) -> &[u8] {
    bytes
        .get(row.value as usize..row.value_end as usize)
        .unwrap_or(&[])
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self
            .iter()
            .map(|(n, v)| (n.escape_ascii(), v.escape_ascii()));
        let mut list = f.debug_list();
        for (name, value) in lines {
            list.entry(&format_args!("{name}: {value}"));
        }
        list.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[u8]) -> Result<(FieldId, &[u8]), Fault> {
        parse_line(line, 0, Some(&mut [0; 8]))
    }

    #[test]
    fn names_and_values_are_found_where_they_are() {
        let text = b"xxHost: \t a b \t";
        let mut rows = [[0; 8]; 1];
        assert_eq!(
            parse_line(&text[2..], 2, rows.first_mut()),
            Ok((FieldId::Host, &b"a b"[..]))
        );
        let fields = Fields::new(text, &rows);
        assert_eq!(fields.iter().next(), Some((&b"Host"[..], &b"a b"[..])));
        assert_eq!(fields.get(b"hOST"), Some(&b"a b"[..]));
        assert_eq!(fields.known(FieldId::Host), Some(&b"a b"[..]));
        assert_eq!(fields.known(FieldId::Expect), None);
    }

    #[test]
    fn a_line_that_two_parsers_could_read_differently_is_refused() {
        assert_eq!(parse(b" Host: a"), Err(Fault::Fold));
        assert_eq!(parse(b"\tHost: a"), Err(Fault::Fold));
        assert_eq!(parse(b"Host : a"), Err(Fault::FieldName));
        assert_eq!(parse(b"Host"), Err(Fault::FieldName));
        assert_eq!(parse(b": a"), Err(Fault::FieldName));
        assert_eq!(parse(b"H\x00st: a"), Err(Fault::FieldName));
        assert_eq!(parse(b"X: a\rb"), Err(Fault::FieldValue));
        assert_eq!(parse(b"X: a\x00"), Err(Fault::FieldValue));
        assert_eq!(parse(b"X: \x0b5"), Err(Fault::FieldValue));
        assert_eq!(parse(b"X: \xff"), Ok((FieldId::Other, &b"\xff"[..])));
        assert_eq!(parse(b"X:"), Ok((FieldId::Other, &b""[..])));
        assert_eq!(parse(b"X: \t "), Ok((FieldId::Other, &b""[..])));
        assert_eq!(parse_line(b"X: y", 0, None), Err(Fault::TooManyFields));
    }

    #[test]
    fn every_number_finds_its_name_again() {
        let names: [&[u8]; 8] = [
            b"upgrade",
            b"Content-Type",
            b"accept",
            b"HOST",
            b"connection",
            b"Content-Length",
            b"transfer-encoding",
            b"Expect",
        ];
        for (number, name) in names.iter().enumerate() {
            let id = FieldId::from_name(name);
            assert_eq!(id as usize, number + 1);
            assert_eq!(FieldId::from_number(id as u8), id);
        }
        for other in [&b"hos"[..], b"expecu", b"x-host", b"transfer_encoding", b""] {
            assert_eq!(FieldId::from_name(other), FieldId::Other);
        }
    }

    #[test]
    fn a_word_has_the_letters_from_a_place_on() {
        assert_eq!(word(b"abcdefghij", 0), u64::from_le_bytes(*b"abcdefgh"));
        assert_eq!(word(b"abcdefghij", 2), u64::from_le_bytes(*b"cdefghij"));
        assert_eq!(word(b"abc", 0), u64::from_le_bytes(*b"abc\0\0\0\0\0"));
        assert_eq!(word(b"abc", 3), 0);
    }

    #[test]
    fn a_token_is_one_only_if_no_letter_is_missing() {
        for (token, equal) in [
            (&b"chunked!"[..], true),
            (b"CHUNKED!", true),
            (b"chunked", false),
            (b"chunkec!", false),
        ] {
            assert_eq!(is(token, b"chunked!"), equal, "{}", token.escape_ascii());
        }
    }
}
