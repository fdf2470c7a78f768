//! The peer: NestJS processes, built from `bench/peers/nestjs` with what npm serves.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use ferrex_testkit::servers::{Process, Signal};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::cpu::Meter;
use crate::pairs::Run;

/// How long a peer may take to start and to join its group.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// The peer's programs.
pub(super) struct Nest {
    dir: PathBuf,
    brokers: String,
    logs: TempDir,
}

impl Nest {
    /// Installs and builds what is missing.
    pub(super) fn build(brokers: String) -> anyhow::Result<Self> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/nestjs");
        if !dir.join("node_modules/.package-lock.json").exists() {
            finish(
                Command::new("npm")
                    .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                    .current_dir(&dir),
            )?;
        }
        finish(
            Command::new("node")
                .arg("node_modules/typescript/bin/tsc")
                .current_dir(&dir),
        )?;
        Ok(Self {
            dir,
            brokers,
            logs: tempfile::tempdir()?,
        })
    }

    fn program(&self, name: &str, environment: &[(&str, String)]) -> Command {
        let mut command = Command::new("node");
        command.arg(format!("dist/{name}.js")).current_dir(&self.dir);
        command
            .env("NODE_ENV", "production")
            .env("BROKERS", &self.brokers);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the answering and handling side, and waits until it has joined its group.
    pub(super) async fn server(&self, environment: &[(&str, String)]) -> anyhow::Result<Server> {
        let log = tempfile::Builder::new()
            .suffix(".log")
            .tempfile_in(&self.logs)?
            .into_temp_path();
        let mut process = Process::spawn("peer", self.program("server", environment), &log, 0)?;
        let begin = Instant::now();
        while !std::fs::read_to_string(&log)?.contains("ready") {
            ensure!(
                process.ended().is_none(),
                "the peer ended:\n{}",
                process.log_end()
            );
            ensure!(
                begin.elapsed() < READY_WITHIN,
                "the peer is not ready:\n{}",
                process.log_end()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Server { process })
    }

    /// Runs the writer of a backlog to its end.
    pub(super) fn emit(&self, environment: &[(&str, String)]) -> anyhow::Result<()> {
        finish(&mut self.program("emit", environment))
    }

    /// Runs the asking side to its end.
    pub(super) async fn ask(
        &self,
        warm_up: Duration,
        run: Duration,
        in_flight: usize,
    ) -> anyhow::Result<Run> {
        let environment = [
            ("WARM_UP_MS", warm_up.as_millis().to_string()),
            ("RUN_MS", run.as_millis().to_string()),
            ("IN_FLIGHT", in_flight.to_string()),
        ];
        let mut command = tokio::process::Command::from(self.program("client", &environment));
        let mut client = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(client.stdout.take().context("its output is a pipe")?).lines();
        let began = lines.next_line().await?;
        ensure!(
            began.as_deref() == Some("begin"),
            "the peer's client ended before its run"
        );
        let meter = Meter::start()?;
        let line = lines
            .next_line()
            .await?
            .context("the peer's client ended within its run")?;
        let cpu = meter.stop()?;
        ensure!(client.wait().await?.success(), "the peer's client failed");
        let result: Asked = serde_json::from_str(&line).with_context(|| format!("reading {line}"))?;
        let note = format!("p50 {:.1} ms, p99 {:.1} ms", result.p50_ms, result.p99_ms);
        Ok(Run {
            count: result.count,
            took: run,
            cpu,
            note,
        })
    }
}

/// What the asking side reports.
#[derive(serde::Deserialize)]
struct Asked {
    count: u64,
    p50_ms: f64,
    p99_ms: f64,
}

/// A running answering and handling side.
pub(super) struct Server {
    process: Process,
}

impl Server {
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.process.stop(Signal::TERM, Duration::from_secs(10)).await?;
        Ok(())
    }
}

fn finish(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&text));
    }
    Ok(())
}
