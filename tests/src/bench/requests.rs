//! What a client sends, prepared: one run of bytes, and where each piece of it ends.

/// Pieces that are sent at once, in order, over and over again.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    /// Appends a piece: the request so many times.
    pub fn push(&mut self, request: &[u8], times: u64) {
        for _ in 0..times {
            self.bytes.extend_from_slice(request);
        }
        self.ends.push(self.bytes.len());
    }

    /// Pieces before they begin again.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Piece `at`.
    ///
    /// # Panics
    /// If there is none.
    pub fn get(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back_as_they_were_put_in() {
        let mut requests = Requests::default();
        requests.push(b"one", 1);
        requests.push(b"ab", 3);
        requests.push(b"", 1);
        let all: Vec<&[u8]> = (0..requests.count()).map(|at| requests.get(at)).collect();
        assert_eq!(all, [&b"one"[..], b"ababab", b""]);
    }
}
