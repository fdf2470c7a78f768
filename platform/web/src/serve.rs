use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use ferrex_runtime::CancellationToken;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::{ServiceBuilder, ServiceExt as _};

use crate::head_timer::HeadTimer;

/// How long requests that are being answered may still take after the shutdown was asked for.
const DRAIN: Duration = Duration::from_secs(9);
/// How long a client may take to send its headers.
const HEADERS: Duration = Duration::from_secs(10);
/// Streams of one HTTP/2 connection at once.
const STREAMS_MAX: u32 = 256;
/// How long to wait before accepting again when the machine has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers HTTP/1.1 and HTTP/2 on `listener` until `shutdown`, then takes no new connection and lets the requests that
/// are being answered end, for at most 9 seconds.
///
/// At most `connections_max` connections are open at once; further ones wait in the system's queue.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections_max: usize,
    shutdown: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(connections_max.max(1)));
    loop {
        let slot = tokio::select! {
            () = shutdown.cancelled() => break,
            slot = slots.clone().acquire_owned() => slot.expect("the semaphore is never closed"),
        };
        let (stream, peer) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let connection = graceful.watch(
            server()
                .serve_connection(io(stream), service(router.clone(), peer))
                .into_owned(),
        );
        tokio::spawn(async move {
            // A client that goes away, or speaks no HTTP, is its own business.
            let _ = connection.await;
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were cut after {} s", DRAIN.as_secs());
    }
}

/// What serves one connection.
fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(HeadTimer::new())
        .header_read_timeout(HEADERS);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(HEADERS);
    server
}

fn io(stream: TcpStream) -> TokioIo<TcpStream> {
    // A small answer must not wait for the next packet; where it cannot be set, it is only slower.
    let _ = stream.set_nodelay(true);
    TokioIo::new(stream)
}

fn service(
    router: Router,
    peer: SocketAddr,
) -> TowerToHyperService<
    impl tower::Service<
        hyper::Request<hyper::body::Incoming>,
        Response = axum::response::Response,
        Error = std::convert::Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static,
> {
    let service = ServiceBuilder::new().map_request(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    TowerToHyperService::new(service.service(router).map_response(|response| response))
}
