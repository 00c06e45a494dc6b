//! ntex on tokio, with one worker.

use std::io;
use std::net::TcpListener;

use barewire_bench_peers::{
    APPLICATION_JSON, JSON, OCTETS, PLAINTEXT, TEXT, announce, event, reset, stats,
};
use ntex::http::KeepAlive;
use ntex::time::Seconds;
use ntex::util::Bytes;
use ntex::web::{self, App, HttpResponse, HttpServer};

#[ntex::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    announce(listener.local_addr()?);
    let server = HttpServer::new(|| {
        App::new()
            .route(
                "/plaintext",
                web::get().to(async || answer(TEXT).body(PLAINTEXT)),
            )
            .route(
                "/json",
                web::get().to(async || answer(APPLICATION_JSON).body(JSON)),
            )
            .route(
                "/echo",
                web::post().to(async |body: Bytes| answer(OCTETS).body(body)),
            )
            .route("/event", web::post().to(take))
            .route(
                "/stats",
                web::get().to(async || answer(APPLICATION_JSON).body(stats())),
            )
            .route("/reset", web::post().to(async || reset_all()))
    });
    let server = server
        .workers(1)
        .keep_alive(KeepAlive::Timeout(Seconds(3_600)))
        // A connection may be silent while the other servers are measured. (Zero is over at once.)
        .client_timeout(Seconds(3_600));
    server.listen(listener)?.run().await
}

fn answer(kind: &'static str) -> web::HttpResponseBuilder {
    let mut builder = HttpResponse::Ok();
    builder.content_type(kind);
    builder
}

async fn take(body: Bytes) -> HttpResponse {
    match event(&body) {
        true => HttpResponse::Ok().finish(),
        false => HttpResponse::BadRequest().finish(),
    }
}

fn reset_all() -> HttpResponse {
    reset();
    HttpResponse::Ok().finish()
}
