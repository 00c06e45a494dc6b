//! axum on one thread of tokio.

use std::io;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use barewire_bench_peers::{
    APPLICATION_JSON, JSON, OCTETS, PLAINTEXT, TEXT, announce, event, reset, stats,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let routes = Router::new()
        .route(
            "/plaintext",
            get(async || ([(CONTENT_TYPE, TEXT)], PLAINTEXT)),
        )
        .route(
            "/json",
            get(async || ([(CONTENT_TYPE, APPLICATION_JSON)], JSON)),
        )
        .route(
            "/echo",
            post(async |body: Bytes| ([(CONTENT_TYPE, OCTETS)], body)),
        )
        .route("/event", post(take))
        .route(
            "/stats",
            get(async || ([(CONTENT_TYPE, APPLICATION_JSON)], stats())),
        )
        .route("/reset", post(async || reset()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await
}

async fn take(body: Bytes) -> StatusCode {
    match event(&body) {
        true => StatusCode::OK,
        false => StatusCode::BAD_REQUEST,
    }
}
