use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use ferrex_runtime::{CancellationToken, Readiness};
use ferrex_web::{ClientAddress, Config, operations_router, public_router, serve};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::SURFACE;

const DEADLINE: Duration = Duration::from_secs(20);

async fn start(router: Router, connections_max: usize) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
    let task = tokio::spawn(serve(listener, router, connections_max, shutdown.clone()));
    (address, shutdown, task)
}

async fn ask(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut text))
        .await
        .unwrap()
        .unwrap();
    text
}

#[tokio::test]
async fn a_request_in_flight_is_answered_after_the_shutdown_was_asked_for() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, wait) = (entered.clone(), release.clone());
    let handler = async move || {
        enter.notify_one();
        wait.notified().await;
        "done"
    };
    let (address, shutdown, task) = start(Router::new().route("/", get(handler)), 10).await;
    let stream = ask(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    entered.notified().await;
    shutdown.cancel();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    release.notify_one();
    assert!(answer(stream).await.ends_with("done"));
    tokio::time::timeout(DEADLINE, task).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_shutdown() {
    let (address, shutdown, task) = start(Router::new().route("/", get(async || "x")), 10).await;
    let mut idle = ask(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), task)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_full_house_lets_the_next_one_wait() {
    let (address, shutdown, _task) = start(Router::new().route("/", get(async || "x")), 1).await;
    let first = TcpStream::connect(address).await.unwrap();
    let second = ask(address, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    drop(first);
    assert!(answer(second).await.ends_with('x'));
    shutdown.cancel();
}

#[tokio::test]
async fn the_peer_is_the_client_and_a_header_does_not_change_it() {
    let router = Router::new().route("/ip", get(async |client: ClientAddress| client.0.to_string()));
    let router = public_router(&SURFACE, &Config::default(), None, vec![router.into()]).unwrap();
    let (address, shutdown, _task) = start(router, 10).await;
    let request = "GET /ip HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 6.6.6.6\r\nconnection: close\r\n\r\n";
    assert!(answer(ask(address, request).await).await.ends_with("127.0.0.1"));
    shutdown.cancel();
}

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let readiness = Readiness::new();
    let postgres = readiness.register("postgres");
    let router = operations_router(readiness, || "up 1\n".to_owned());
    let read = async |path: &str| {
        let request = axum::http::Request::get(path)
            .body(axum::body::Body::empty())
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (
            status,
            String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        )
    };
    assert_eq!(read("/livez").await.0, 200);
    assert_eq!(read("/metrics").await, (200, "up 1\n".to_owned()));
    let (status, body) = read("/readyz").await;
    assert_eq!((status, body.contains("postgres")), (503, true), "{body}");
    postgres.set_ready();
    assert_eq!(read("/readyz").await.0, 200);
    assert_eq!(read("/v1/things").await.0, 404);
}

#[tokio::test]
async fn a088_a_client_that_does_not_end_its_head_is_not_waited_for() {
    let (address, _shutdown, _task) = start(Router::new().route("/", get(async || "x")), 10).await;
    let never = ask(address, "GET / HT").await;
    // The second head has its own time.
    let mut later = ask(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut first = [0; 12];
    later.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    later.write_all(b"GET / HT").await.unwrap();
    // Both are closed by the server, without another answer.
    let (never, later) = tokio::join!(answer(never), answer(later));
    assert_eq!(never, "");
    assert!(later.ends_with("\r\n\r\nx"), "{later}");
}
