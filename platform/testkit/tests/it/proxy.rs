use std::time::{Duration, Instant};

use ferrex_testkit::{Postgres, Proxy, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that answers each piece with the same, and says what it got.
async fn echo() -> (u16, tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (got, gets) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let got = got.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                    let _ = got.send(buffer[..count].to_vec());
                    let _ = stream.write_all(&buffer[..count]).await;
                }
            });
        }
    });
    (port, gets)
}

async fn ask(stream: &mut TcpStream, text: &str) -> std::io::Result<String> {
    stream.write_all(text.as_bytes()).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn it_forwards_delays_and_cuts() {
    let (port, _gets) = echo().await;
    let proxy = Proxy::start(port).await;
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert_eq!(ask(&mut stream, "hello").await.unwrap(), "hello");
    proxy.delay(Duration::from_millis(60));
    let asked = Instant::now();
    assert_eq!(ask(&mut stream, "slow").await.unwrap(), "slow");
    assert!(
        asked.elapsed() >= Duration::from_millis(120),
        "both directions are late"
    );
    proxy.cut();
    assert!(ask(&mut stream, "gone").await.is_err());
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn half_open_keeps_the_connection_and_lets_nothing_pass() {
    let (port, mut gets) = echo().await;
    let proxy = Proxy::start(port).await;
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    ask(&mut stream, "one").await.unwrap();
    proxy.freeze();
    let silent = tokio::time::timeout(Duration::from_millis(100), ask(&mut stream, "two")).await;
    assert!(silent.is_err());
    gets.recv().await.unwrap();
    assert!(gets.try_recv().is_err(), "nothing reached the server");
    proxy.thaw();
    assert_eq!(gets.recv().await.unwrap(), b"two");
}

#[tokio::test]
async fn refused_connections_come_back_with_accept() {
    let (port, _gets) = echo().await;
    let proxy = Proxy::start(port).await;
    proxy.refuse();
    let connect = async || TcpStream::connect(("127.0.0.1", proxy.port())).await;
    eventually(Duration::from_secs(5), async || connect().await.is_err()).await;
    proxy.accept();
    let mut stream = eventually(Duration::from_secs(5), connect).await;
    assert_eq!(ask(&mut stream, "back").await.unwrap(), "back");
}

#[tokio::test]
async fn a_dropped_reply_leaves_the_server_having_acted() {
    let db = Postgres::shared().await.fresh_database().await;
    let proxy = Proxy::start(db.port).await;
    let mut direct = sqlx::PgPool::connect(&db.admin_url)
        .await
        .unwrap()
        .acquire()
        .await
        .unwrap();
    sqlx::query("CREATE TABLE t (n int)")
        .execute(&mut *direct)
        .await
        .unwrap();
    let pool = sqlx::PgPool::connect(&db.via(proxy.port()).admin_url)
        .await
        .unwrap();
    let mut connection = pool.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN; INSERT INTO t VALUES (1)")
        .execute(&mut *connection)
        .await
        .unwrap();
    proxy.drop_reply_to("COMMIT", 1);
    assert!(sqlx::raw_sql("COMMIT").execute(&mut *connection).await.is_err());
    assert_eq!(proxy.dropped(), 1);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
        .fetch_one(&mut *direct)
        .await
        .unwrap();
    assert_eq!(rows, 1);
}
