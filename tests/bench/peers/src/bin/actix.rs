//! actix-web with one worker.

use std::io;
use std::time::Duration;

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use barewire_bench_peers::{
    APPLICATION_JSON, JSON, OCTETS, PLAINTEXT, TEXT, announce, event, reset, stats,
};

fn main() -> io::Result<()> {
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
        .keep_alive(Duration::from_secs(3_600))
        // A connection may be silent while the other servers are measured.
        .client_request_timeout(Duration::ZERO)
        .backlog(4_096)
        .tcp_nodelay(true)
        .bind("127.0.0.1:0")?;
    announce(server.addrs()[0]);
    actix_web::rt::System::new().block_on(server.run())
}

fn answer(kind: &'static str) -> actix_web::HttpResponseBuilder {
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
