//! Our parsers beside those of others, on the same bytes: instructions and time.
//!
//! `tests/peers/run` measures it and prints the tables below as they stand; `--quick` for a look,
//! `--cpu default|v3|native` for one build. To renew this page:
//! `tests/peers/run >table && mv table core/src/manual/peers.md`.
//!
//! # What is inside the numbers
//!
//! * **Ours**, in every row with a request: the head is validated (characters of the target, its
//!   form and the value of `Host` too), framing is decided, the body is found, all in one pass over
//!   a state that is made anew for each request. The rows of the head index are not cleared.
//! * **httparse, then framing**: version 1.10 with its default features, so that it chooses its
//!   vectors at run time where the build does not name them, with headers that are not initialised.
//!   Then a loop over the headers decides version, `Host`, `Content-Length`, `Transfer-Encoding`,
//!   `Connection` and `Expect` as strictly as we do: one switch on the length of the name, names
//!   compared in words. Chunks go through `httparse::parse_chunk_size`. It is written as fast as we
//!   could; that it decides what we decide is tested, and so is the list of what it cannot refuse
//!   (LF alone, targets and hosts outside the grammar, bytes in chunk extensions).
//! * **httparse, tokens only**: a list of names and values, nothing decided and no body. It does
//!   less than we do, and wins some rows by that.
//! * **matchit**: every route of a table looked up once, the mean of one lookup. Ours answers with
//!   the method's handler, matchit with the value of the path.
//! * **serde_json** and **serde-json-core**: a derived struct with a borrowed `&str` and an `f64`.
//!   Ours checks as much and gives the exact decimal.
//! * **ourselves**: one side twice. What differs from 1 here is the error of the method.
//!
//! Release builds, fat LTO, one codegen unit, as this repository builds itself. Instructions are
//! callgrind's, of 200 turns less those of 100, and are the same on every run. Times are taken in
//! slices of 50 microseconds, both sides by turns in one process; a ratio is the median over 4,000
//! such pairs, and its interval the 95 % of order statistics. That interval knows the noise of one
//! run: where a linker puts a loop moves a row by some percent from one build to the next. And all
//! inputs are hot: the caches have them, and the branch predictor has learned each by heart, which
//! flatters every parser here.
//!
//! # The tables
//!
#![doc = include_str!("peers.md")]
