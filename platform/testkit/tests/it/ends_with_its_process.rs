use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use ferrex_testkit::{Anvil, Postgres, eventually};

/// Set in the second process of the test below, to the file in which it says where its servers are.
const REPORT: &str = "FERREX_TESTKIT_REPORT";

/// Starts servers and dies without a chance to clean up; does nothing unless the test below asks for it.
#[tokio::test]
async fn helper_that_aborts() {
    let Ok(report) = std::env::var(REPORT) else { return };
    let (postgres, anvil) = (Postgres::shared().await, Anvil::start().await);
    let dir: String = sqlx::query_scalar("SHOW data_directory")
        .fetch_one(&mut postgres.superuser(&postgres.fresh_database().await).await)
        .await
        .unwrap();
    std::fs::write(report, format!("{dir}\n{}\n{}\n", postgres.port(), anvil.port())).unwrap();
    std::process::abort();
}

#[tokio::test]
async fn servers_and_directories_go_when_their_process_is_killed() {
    let scratch = tempfile::tempdir().unwrap();
    let report = scratch.path().join("report");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["ends_with_its_process::helper_that_aborts", "--exact"])
        .env(REPORT, &report)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success(), "the helper aborts");
    let report = std::fs::read_to_string(report).unwrap();
    let mut lines = report.lines();
    let dir = PathBuf::from(lines.next().unwrap());
    let ports: Vec<u16> = lines.map(|port| port.parse().unwrap()).collect();
    assert_eq!(ports.len(), 2);
    eventually(Duration::from_secs(10), async || !dir.parent().unwrap().exists()).await;
    for port in ports {
        assert!(
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err(),
            "port {port} still answers"
        );
    }
}
