//! The whole set-up once, since a process has one: log, metrics, and traces to a collector on this machine.

use std::time::Duration;

use ferrex_telemetry::{Config, current_traceparent, init, set_parent};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tracing::Instrument as _;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_printed_and_spans_reach_the_collector_under_their_parent() {
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1/traces", collector.local_addr().unwrap());
    let telemetry = init(
        &Config {
            otlp_endpoint: Some(endpoint),
            ..Config::default()
        },
        "test",
    )
    .unwrap();
    let received = tokio::spawn(async move {
        let (mut stream, _) = collector.accept().await.unwrap();
        let mut bytes = vec![0; 16 * 1024];
        let mut length = 0;
        while !String::from_utf8_lossy(&bytes[..length]).contains("a unit of work") {
            length += stream.read(&mut bytes[length..]).await.unwrap();
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    });

    let span = tracing::info_span!("a unit of work");
    set_parent(&span, PARENT);
    let inside = async { current_traceparent() }.instrument(span).await.unwrap();
    assert!(
        inside.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && inside != PARENT,
        "{inside}"
    );

    metrics::histogram!("work_duration_seconds").record(0.002);
    let text = telemetry.metrics().render();
    assert!(
        text.contains("work_duration_seconds_bucket{le=\"0.0025\"} 1"),
        "{text}"
    );

    tokio::task::spawn_blocking(move || telemetry.shutdown())
        .await
        .unwrap();
    let request = tokio::time::timeout(Duration::from_secs(20), received)
        .await
        .unwrap()
        .unwrap();
    assert!(request.starts_with("POST /v1/traces HTTP/1.1"), "{request}");
}
