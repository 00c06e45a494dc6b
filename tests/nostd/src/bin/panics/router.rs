//! Tables of routes. Their builder `Router::with` is not here: it panics on purpose, in a constant.

use barewire_core::router::{Matching, Params, Reason, Router, Verb, Verbs};

use super::{entry, exhaust};

/// As many routes as the largest table of ours.
type Table = Router<u32, 16>;

pub(crate) fn entries() {
    entries!(0: Table::new, Table::default);
    entries!(1: Table::matching, Table::all_verbs, Table::len, Table::is_empty);
    entries!(2: Table::allow);
    entries!(3: Table::find);
    entries!(4: Table::try_route);
    entries!(1: |table: &Table| exhaust(Router::iter(table)));
    entries!(1: Params::len, Params::is_empty, Params::pattern);
    entries!(2: Params::get, Params::nth);
    entries!(1: |params: &Params<'_>| exhaust(Params::iter(params)));
    entries!(1: Verb::name, Verbs::is_empty, Reason::text);
    entries!(2: Verbs::and, Verbs::union, Verbs::contains, Verbs::write);
    entries!(1: |verbs: Verbs| exhaust(Verbs::iter(verbs)));
    entries!(1: Matching::ignore_case, Matching::ignore_trailing_slash);
}
