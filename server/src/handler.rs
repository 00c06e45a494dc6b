//! A function that answers, as an application.

use std::fmt;

use barewire_core::connection::{Done, Exchange};

use crate::app::{App, Context};

/// An application that is one function; [`handler`] makes it.
#[derive(Clone, Copy)]
pub struct Handler<F>(F);

/// Makes an application of a function or a closure, for those that need no more of [`App`] than its
/// one method without a default.
///
/// It is called with each request and its whole body, as far as the receive buffer goes; what is
/// longer is answered 413. A deferred request is given to it again. Each worker has a closure of
/// its own, which may keep and change what it likes; nothing is boxed, and no call goes through a
/// pointer.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
/// use std::time::Duration;
///
/// use barewire::{Config, Server, handler};
/// use barewire_core::wire::Status;
///
/// let config = Config {
///     bind: "127.0.0.1:0".parse()?,
///     workers: 1,
///     connections: 16,
///     ..Config::default()
/// };
/// let server = Server::start(&config, |worker| {
///     let mut count = 0;
///     handler(move |context, exchange| {
///         count += 1;
///         let from = context.peer_addr().ip();
///         let text = format!("{from}: request {count} of worker {worker}");
///         match exchange.reply.status(Status::OK).text(&text) {
///             Ok(done) => done,
///             Err(full) => full.0.bare(Status::INTERNAL_SERVER_ERROR),
///         }
///     })
/// })?;
///
/// let mut client = TcpStream::connect(server.local_addr())?;
/// client.set_read_timeout(Some(Duration::from_secs(10)))?;
/// client.write_all(
///     b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\
///       GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
/// )?;
/// let mut answers = String::new();
/// client.read_to_string(&mut answers)?;
/// assert!(answers.starts_with("HTTP/1.1 200 OK\r\n"));
/// assert!(answers.ends_with("\r\n\r\n127.0.0.1: request 2 of worker 0"));
///
/// let (tally, in_time) = server.shut_down();
/// assert_eq!((tally.requests, in_time), (2, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`App`] is not implemented for every such function, which was tried: a closure then needs the
/// types of its arguments written out, as the compiler does not look for them behind another trait;
/// and there could be no `App` for `Box<A>` any more.
pub fn handler<F>(answer: F) -> Handler<F>
where
    F: FnMut(&mut Context<'_>, Exchange<'_>) -> Done,
{
    Handler(answer)
}

impl<F> App for Handler<F>
where
    F: FnMut(&mut Context<'_>, Exchange<'_>) -> Done,
{
    #[inline]
    fn request(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        (self.0)(context, exchange)
    }
}

impl<F> fmt::Debug for Handler<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, SocketAddr, TcpStream};
    use std::time::Duration;

    use barewire_core::wire::Status;

    use super::*;
    use crate::config::Config;
    use crate::server::Server;

    /// What a server of this application says to one connection.
    fn talk<A: App>(app: impl Fn(usize) -> A + Clone + Send + 'static, bytes: &[u8]) -> String {
        let config = Config {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            workers: 1,
            connections: 16,
            ..Config::default()
        };
        let server = Server::start(&config, app).unwrap();
        let mut client = TcpStream::connect(server.local_addr()).unwrap();
        let limit = Some(Duration::from_secs(10));
        client.set_read_timeout(limit).unwrap();
        client.write_all(bytes).unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        server.handle().abort();
        server.join();
        said
    }

    fn echo(_: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        match exchange.reply.status(Status::OK).body(exchange.body) {
            Ok(done) => done,
            Err(full) => full.0.bare(Status::INTERNAL_SERVER_ERROR),
        }
    }

    #[test]
    fn a_function_is_given_the_whole_body() {
        let post = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
                     Connection: close\r\n\r\n4\r\nbare\r\n4\r\nwire\r\n0\r\n\r\n";
        let said = talk(|_| handler(echo), post);
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
        assert!(said.ends_with("\r\n\r\nbarewire"), "{said}");
    }

    #[test]
    fn a_body_that_does_not_fit_is_refused_and_the_function_is_not_called() {
        let post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
        let said = talk(
            |_| handler(|_, _| panic!("called without its body")),
            &post[..],
        );
        assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    }

    #[test]
    fn a_deferred_request_comes_again_and_the_closure_remembers() {
        let app = |_| {
            let mut asked = 0;
            handler(move |context, exchange| {
                asked += 1;
                match asked {
                    1..=3 => exchange.reply.defer(),
                    _ => echo(context, exchange),
                }
            })
        };
        let post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\
                     Connection: close\r\n\r\nlater";
        let said = talk(app, post);
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
        assert!(said.ends_with("\r\n\r\nlater"), "{said}");
    }
}
