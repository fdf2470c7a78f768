//! `ferrex health`: asks the operations port; for container probes and scripts.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::settings::Settings;

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Prints what `/readyz` says; fails when it is not ready or does not answer.
pub async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let address = settings.listen.operations;
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, ask)
        .await
        .context("no answer in time")?
        .with_context(|| format!("asking {address}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("that is no HTTP answer")?;
    println!("{body}");
    Ok(if head.starts_with("HTTP/1.1 200") {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
