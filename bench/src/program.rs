//! Programs that are measured beside others: the peers in NestJS, and this program as a server.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use ferrex_testkit::servers::{Process, Signal};
use tempfile::TempDir;

/// How long one may take to say that it is ready.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// A running program, with its log.
pub struct Program {
    process: Process,
    _logs: TempDir,
}

impl Program {
    /// Starts it and waits until it prints `ready`.
    pub async fn start(name: &str, command: Command) -> anyhow::Result<Self> {
        let mut program = Self::launch(name, command)?;
        let begin = Instant::now();
        while !program.process.log_end().contains("ready") {
            ensure!(
                program.process.ended().is_none() && begin.elapsed() < READY_WITHIN,
                "{name} is not ready:\n{}",
                program.process.log_end()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(program)
    }

    /// Starts it and does not wait.
    pub fn launch(name: &str, command: Command) -> anyhow::Result<Self> {
        let logs = tempfile::tempdir()?;
        let process = Process::spawn(name, command, &logs.path().join("log"), 0)?;
        Ok(Self { process, _logs: logs })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Stops it.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.process.stop(Signal::TERM, Duration::from_secs(10)).await?;
        Ok(())
    }
}

/// The directory of the peers over HTTP, built.
#[derive(Clone, Debug)]
pub struct Nest(PathBuf);

impl Nest {
    /// Installs and builds what is missing.
    pub fn build() -> anyhow::Result<Self> {
        let dir = build_peer("nestjs-http")?;
        Ok(Self(dir))
    }

    /// One of the peers, to be started on a port; `key` is the public key of tokens as PEM.
    pub fn program(&self, core: Option<usize>, name: &str, port: u16, key: &str) -> Command {
        let mut command = on_core(core, Path::new("node"));
        command.arg(self.0.join(format!("dist/{name}.js")));
        command
            .env("NODE_ENV", "production")
            .env("PORT", port.to_string())
            .env("TOKEN_KEY", key);
        command
    }
}

/// A program on one core alone, if one is named.
pub fn on_core(core: Option<usize>, program: &Path) -> Command {
    match core {
        None => Command::new(program),
        Some(core) => {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", &core.to_string()]).arg(program);
            command
        }
    }
}

/// The directory of a peer in Node.js below `peers/`: what its lock file names is installed, if another one was installed before
/// or none, and it is built.
pub fn build_peer(name: &str) -> anyhow::Result<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name);
    let changed = |path: &str| std::fs::metadata(dir.join(path)).and_then(|file| file.modified());
    let installed = changed("node_modules/.package-lock.json");
    if !installed.is_ok_and(|at| changed("package-lock.json").is_ok_and(|locked| at >= locked)) {
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
    Ok(dir)
}

/// Runs a program to its end; what it said is told if it fails.
pub fn finish(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&text));
    }
    Ok(())
}
