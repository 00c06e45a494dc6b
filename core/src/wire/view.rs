//! The view on a request head that is complete: its parts as slices of what was received.

use core::hint::cold_path;

use super::head::{HeadState, Version};
use super::{FieldId, Fields, Form, Framing, Method, Notation};

/// A complete request head, borrowed from the bytes that were received.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) rows: &'a [[u8; 8]],
    pub(super) state: &'a HeadState,
}

impl<'a> Head<'a> {
    /// The method; [`Method::Other`] for one without a name here.
    pub fn method(&self) -> Method {
        self.state.method
    }

    /// The method as it was spelled.
    pub fn method_token(&self) -> &'a [u8] {
        let start = self.state.line as usize;
        let end = (self.state.target_at as usize).saturating_sub(1);
        self.bytes.get(start..end).unwrap_or(&[])
    }

    /// The version of the request.
    pub fn version(&self) -> Version {
        self.state.version
    }

    /// The request target as it was sent, in whatever form.
    pub fn target(&self) -> &'a [u8] {
        let start = self.state.target_at as usize;
        let end = start.saturating_add(self.state.target_len as usize);
        self.bytes.get(start..end).unwrap_or(&[])
    }

    /// The form of the target.
    pub fn form(&self) -> Form {
        self.state.target.form()
    }

    /// The path, still percent-encoded, without the query: `/` where an absolute target has none,
    /// `*` for the asterisk form, empty for the authority form.
    pub fn path(&self) -> &'a [u8] {
        let (start, end) = self.state.target.path_range();
        if start >= end {
            return self.state.target.path(self.target());
        }
        // One look at the bytes, and not one for the target and one for the path in it.
        let target_at = usize::from(self.state.target_at);
        let start = target_at.wrapping_add(usize::from(start));
        let end = target_at.wrapping_add(usize::from(end));
        match self.bytes.get(start..end) {
            Some(path) => path,
            None => {
                cold_path();
                &[]
            }
        }
    }

    /// What follows the question mark, still percent-encoded.
    pub fn query(&self) -> Option<&'a [u8]> {
        self.state.target.query(self.target())
    }

    /// Whom the request is for (RFC 9112 section 3.3): the authority of the target if it has one,
    /// else the value of `Host`.
    pub fn authority(&self) -> Option<&'a [u8]> {
        let named = self.state.target.authority(self.target());
        named.or_else(|| self.fields().known(FieldId::Host))
    }

    /// The field lines.
    pub fn fields(&self) -> Fields<'a> {
        Fields::new(self.bytes, self.rows)
    }

    /// The value of the first field of that name; the name in any case.
    pub fn field(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.fields().get(name)
    }

    /// In what form the client wants to be told of a refusal, by its `Accept` lines: for
    /// [`ReplyHead::refusal`](crate::connection::ReplyHead::refusal).
    pub fn notation(&self) -> Notation {
        self.fields().notation()
    }

    /// Where the body ends.
    pub fn framing(&self) -> Framing {
        self.state.framing
    }

    /// The request asked for `100 Continue`.
    pub fn expects_continue(&self) -> bool {
        self.state.expects_continue()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn a_view_on_other_bytes_than_were_parsed_is_empty_where_they_end() {
        let bytes = b"GET /a/b?c HTTP/1.1\r\nHost: a\r\n\r\n";
        let (mut state, mut rows) = (HeadState::new(), [[0; 8]; 4]);
        let outcome = state.advance(bytes, &mut rows, &Limits::DEFAULT);
        assert_eq!(outcome, Ok(Some(bytes.len())));
        for len in 0..=bytes.len() {
            let head = state.head(&bytes[..len], &rows);
            let is_there = |end: usize, part: &'static [u8]| if len < end { b"" } else { part };
            assert_eq!(head.path(), is_there(8, b"/a/b"));
            assert_eq!(head.target(), is_there(10, b"/a/b?c"));
        }
    }
}
