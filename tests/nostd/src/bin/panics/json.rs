//! The pull scanner and the writer.

use barewire_core::json::{Error, Number, Object, Pair, Text, Writer};

use super::entry;

pub(crate) fn entries() {
    entries!(1: Object::new, Object::next, Object::finish);
    entries!(1: Number::new, Number::text, Number::negative, Number::integer);
    entries!(1: Number::fraction, Number::small, Number::exponent);
    entries!(1: Text::raw, Text::has_escapes, Text::as_plain, Text::decoded_len);
    entries!(2: Text::eq_str, Text::unescape);
    entries!(1: Writer::new, Writer::begin_object, Writer::end_object, Writer::begin_array);
    entries!(1: Writer::end_array, Writer::null, Writer::finish);
    entries!(2: Writer::key, Writer::string, Writer::u64, Writer::i64);
    entries!(2: Writer::number, Writer::bool);
    entries!(1: Error::reason);
    entries!(2: Pair::read);
}
