//! hyper on one thread of tokio.

use std::convert::Infallible;
use std::io;

use barewire_bench_peers::{
    APPLICATION_JSON, JSON, OCTETS, PLAINTEXT, TEXT, announce, event, reset, stats,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let _ = http1::Builder::new()
                .pipeline_flush(true)
                .serve_connection(TokioIo::new(stream), service_fn(serve))
                .await;
        });
    }
}

async fn serve(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    Ok(match (head.method, head.uri.path()) {
        (Method::GET, "/plaintext") => answer(TEXT, PLAINTEXT.into()),
        (Method::GET, "/json") => answer(APPLICATION_JSON, JSON.into()),
        (Method::POST, path @ ("/echo" | "/event")) => {
            match body.collect().await.map(|body| body.to_bytes()) {
                Ok(body) if path == "/echo" => answer(OCTETS, body),
                Ok(body) if event(&body) => Response::default(),
                _ => status(StatusCode::BAD_REQUEST),
            }
        }
        (Method::GET, "/stats") => answer(APPLICATION_JSON, stats().into()),
        (Method::POST, "/reset") => {
            reset();
            Response::default()
        }
        _ => status(StatusCode::NOT_FOUND),
    })
}

fn answer(kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
