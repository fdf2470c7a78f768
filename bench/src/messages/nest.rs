//! The peer: NestJS processes, built from `bench/peers/nestjs` with what npm serves.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ferrex_testkit::servers::{Process, Signal};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::cpu::{Cpu, Meter};
use crate::program::{build_peer, finish};

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
        let dir = build_peer("nestjs")?;
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

    /// Runs a program that makes the load itself to its end: it says when its run begins and ends, and what
    /// came of it.
    pub(super) async fn client<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        warm_up: Duration,
        run: Duration,
        environment: &[(&str, String)],
    ) -> anyhow::Result<(T, Cpu)> {
        let mut command = self.program(name, environment);
        command
            .env("WARM_UP_MS", warm_up.as_millis().to_string())
            .env("RUN_MS", run.as_millis().to_string());
        let mut client = tokio::process::Command::from(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(client.stdout.take().context("its output is a pipe")?).lines();
        let mut line = async || -> anyhow::Result<String> {
            let line = lines.next_line().await?;
            line.with_context(|| format!("the peer's {name} ended early"))
        };
        let said = line().await?;
        ensure!(said == "begin", "the peer's {name} says {said}");
        let meter = Meter::start()?;
        let said = line().await?;
        let cpu = meter.stop()?;
        ensure!(said == "end", "the peer's {name} says {said}");
        let line = line().await?;
        ensure!(client.wait().await?.success(), "the peer's {name} failed");
        let result = serde_json::from_str(&line).with_context(|| format!("reading {line}"))?;
        Ok((result, cpu))
    }
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
