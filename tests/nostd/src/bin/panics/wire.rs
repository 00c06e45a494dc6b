//! The grammar.

use barewire_core::wire::{
    ChunkDecoder, Date, Fault, FieldId, Fields, Head, HeadState, Host, Method, Notation, Place,
    Section, Status, Target, class, parse_date, percent, validate_host, value,
};

use super::{entry, exhaust};

pub(crate) fn entries() {
    head();
    texts();
    status();
    target();
}

fn head() {
    entries!(0: HeadState::new, HeadState::default, ChunkDecoder::new, ChunkDecoder::default);
    entries!(5: HeadState::advance_within);
    entries!(3: HeadState::head, HeadState::trailers);
    entries!(4: HeadState::place);
    entries!(4: HeadState::advance, HeadState::advance_trailers);
    entries!(1: HeadState::framing, HeadState::expects_continue, HeadState::is_persistent);
    entries!(1: Head::method, Head::method_token, Head::version, Head::target, Head::form);
    entries!(1: Head::path, Head::query, Head::authority, Head::fields, Head::notation);
    entries!(1: Head::framing, Head::expects_continue);
    entries!(2: Head::field);
    entries!(1: Fields::len, Fields::is_empty, |fields: &Fields<'_>| exhaust(Fields::iter(fields)));
    entries!(2: Fields::get, Fields::known);
    entries!(2: |fields: &Fields<'_>, name: &[u8]| exhaust(Fields::all(fields, name)));
    entries!(3: Fields::has_token);
    entries!(1: FieldId::from_name, Fault::status, Fault::reason, Section::name);
    entries!(2: Place::behind);
    entries!(2: ChunkDecoder::advance, ChunkDecoder::took);
}

fn texts() {
    entries!(2: class::is, class::all);
    entries!(1: value::is_token, value::trim_ows);
    entries!(2: value::eq_ignore_case, value::has_token);
    entries!(1: |list: &[u8]| exhaust(value::list_items(list)));
    entries!(1: |list: &[u8]| exhaust(value::list_items_quoted(list)));
    entries!(1: |encoded: &[u8]| exhaust(percent::decode(encoded)));
    entries!(1: |encoded: &[u8]| exhaust(percent::decode_form(encoded)));
    entries!(1: |query: &[u8]| exhaust(percent::query_pairs(query)));
    entries!(1: <percent::Decode<'_> as Iterator>::next);
    entries!(1: <percent::Decode<'_> as Iterator>::size_hint);
    entries!(1: <percent::QueryPairs<'_> as Iterator>::next);
    entries!(1: <value::ListItems<'_> as Iterator>::next);
    entries!(1: <value::ListItems<'_> as Iterator>::size_hint);
    entries!(2: percent::decode_into, percent::eq_decoded);
    entries!(1: Date::from_unix, Date::as_bytes);
    entries!(2: parse_date);
    entries!(1: |values: &[&'static [u8]]| Notation::preferred(values.iter().copied()));
}

fn status() {
    entries!(1: Status::new, Status::code, Status::reason, Status::line, Status::digits);
    entries!(2: Status::line_in);
    entries!(1: Status::is_informational, Status::is_success, Status::is_redirection);
    entries!(1: Status::is_client_error, Status::is_server_error, Status::allows_body);
    entries!(1: Status::allows_content, Status::allows_framing);
    entries!(1: Method::from_token, Method::as_str, Method::index, Method::is_safe);
    entries!(1: Method::is_idempotent, Method::hides_content);
}

fn target() {
    entries!(2: Target::parse, Target::path, Target::query, Target::authority);
    entries!(1: Target::form, Target::is_https, Target::is_server_wide);
    entries!(1: Target::path_is_encoded, Target::query_is_encoded);
    entries!(1: validate_host, Host::kind, Host::port);
    entries!(2: Host::name);
}
