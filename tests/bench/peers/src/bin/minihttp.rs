//! may_minihttp with one worker: `minihttp PORT`, as it does not say which port it got.

use std::io::{self, Read};

use barewire_bench_peers::{JSON, PLAINTEXT, event, reset, stats};
use may_minihttp::{HttpServer, HttpService, Request, Response};

/// Bytes of a coroutine's stack in words: what serde_json takes, and some more.
const STACK_WORDS: usize = 0x4000;

#[derive(Clone)]
struct Routes;

impl HttpService for Routes {
    fn call(
        &mut self,
        request: Request<'_, '_, '_>,
        response: &mut Response<'_>,
    ) -> io::Result<()> {
        match (request.method(), request.path()) {
            ("GET", "/plaintext") => {
                response.header("Content-Type: text/plain; charset=utf-8");
                response.body(PLAINTEXT);
            }
            ("GET", "/json") => {
                response.header("Content-Type: application/json");
                response.body(JSON);
            }
            ("POST", path @ ("/echo" | "/event")) => {
                let is_echo = path == "/echo";
                let mut body = Vec::new();
                request.body().read_to_end(&mut body)?;
                if is_echo {
                    response.header("Content-Type: application/octet-stream");
                    response.body_vec(body);
                } else if !event(&body) {
                    response.status_code(400, "Bad Request");
                }
            }
            ("GET", "/stats") => {
                response.header("Content-Type: application/json");
                response.body_vec(stats().into_bytes());
            }
            ("POST", "/reset") => reset(),
            _ => {
                response.status_code(404, "Not Found");
            }
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).expect("minihttp PORT");
    may::config().set_workers(1).set_stack_size(STACK_WORDS);
    let server = HttpServer(Routes).start(format!("127.0.0.1:{port}"))?;
    server.wait();
    Ok(())
}
