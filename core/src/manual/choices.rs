//! Where the RFCs leave a choice.
//!
//! The rule behind all of them: if two parsers could read the same bytes differently, the bytes are
//! refused. What is refused closes the connection, unless it is said otherwise, because nobody can
//! tell where the next request begins.
//!
//! | where | RFC | choice |
//! |---|---|---|
//! | LF alone as a line end | 9112 2.2 | refused, 400 |
//! | CR not followed by LF | 9112 2.2 | refused, 400 |
//! | empty lines before a request | 9112 2.2 | skipped; they count towards nothing |
//! | white space in the request line | 9112 3 | exactly one SP between three parts, else 400 |
//! | a byte that no request can begin with | 9112 3 | 400 at once, without waiting for a line |
//! | characters of a target | 9112 3.2, 3986 | those of the grammar; `%` needs two hex digits |
//! | fragment in a target | 9110 7.1 | refused, 400 |
//! | userinfo in a target or in `Host` | 9110 4.2.4 | refused, 400 |
//! | `https` target on a plain connection | 9110 7.4 | 421 |
//! | absolute target and `Host` differ | 9112 3.2.2 | the target counts, `Host` must be valid all the same |
//! | HTTP/1.2 to HTTP/1.9 | 9110 6.2 | served as 1.1 |
//! | another major version | 9110 15.6.6 | 505 |
//! | folded field lines | 9112 5.2 | refused, 400 |
//! | CR, NUL or another control in a value | 9110 5.5 | refused, 400 |
//! | empty `Host` | 9112 3.2 | valid by the grammar, accepted |
//! | no `Host` in HTTP/1.0 | 9112 3.2 | accepted; an invalid one or two are 400 |
//! | several equal `Content-Length` | 9110 8.6 | refused, 400, also as a list in one line |
//! | `Content-Length` beyond 64 bits | 9110 8.6 | 413 |
//! | `Transfer-Encoding` with `Content-Length` | 9112 6.1 | refused, 400 |
//! | `Transfer-Encoding` in HTTP/1.0 | 9112 6.1 | refused, 400 |
//! | `chunked` not last, or twice | 9112 6.3 | 400 |
//! | another coding before `chunked` | 9112 6.1 | 501 |
//! | white space in a size line | 9112 7.1 | only where the grammar has BWS: around `;` and `=` |
//! | chunk extensions | 9112 7.1.1 | checked, ignored, bounded |
//! | trailer fields | 9110 6.5 | kept apart for the handler; they change nothing |
//! | `Expect` other than `100-continue` | 9110 10.1.1 | 417 |
//! | `100 Continue` when the body is here already | 9110 10.1.1 | sent all the same, see [`machine`](super::machine) |
//! | a refusal while the client waits for 100 | 9110 10.1.1 | answered at once, then closed: the body may come or not |
//! | an unwanted body | 9112 9.3 | read and dropped up to `drain_bytes_max`, else closed |
//! | unknown methods | 9110 15.6.2 | 501; known ones that a path lacks 405 with `Allow` |
//! | a request cut short by the peer | 9112 8 | 400, as a half-closed peer can still read it |
//! | nothing but empty lines, then the end | 9112 8 | closed without a word |
//! | persistence in HTTP/1.0 | 9112 C.2.2 | with `Connection: keep-alive`, and said so |
//! | body of a refusal | 9110 15.5 | which rule, and where; text or JSON by `Accept`, see [`refusals`](super::refusals) |
//! | neither text nor JSON is acceptable | 9110 12.5.1 | text all the same: 406 would hide the reason |
//! | `Server` field | 9110 10.2.4 | not sent, unless it is given a name |
//! | `Date` | 9110 6.6.1 | sent wherever there is a clock, also with 4xx and 5xx |
//! | a close while the peer still sends | 9112 9.6 | FIN, then up to `linger_bytes_max` are read and dropped |
//!
//! The conformance cases know three verdicts: pass, WARN where an answer is allowed but not what
//! most servers do, and FAIL. None is WARN, on the server and on both examples, so no choice above
//! asks to be excused; a test holds them to that.
//!
//! A close that the peer asked for (`Connection: close`, or HTTP/1.0 without keep-alive), with
//! nothing received behind it, is done at once: lingering would cost every such connection two
//! system calls and a wait for something that a correct client does not send. Every other close
//! goes in stages: a fault, an unwanted body, a handler that closes, a server that goes down.
