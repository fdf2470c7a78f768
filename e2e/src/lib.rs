//! What the end-to-end tests stand on: a whole system of real processes ([`Story`]), clients that go on through bad
//! days as good clients do ([`client`]), people with money in it ([`town`]), and a process that dies at every step ([`kills`]).

pub mod client;
pub mod kills;
pub mod town;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ferrex_dev::plan::{Carrier, Plan, Ports, Shape};
use ferrex_dev::system::System;
use ferrex_testkit::servers::PostgresUse;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

/// How long the demo may take; it waits for codes of an authenticator, each good for half a minute.
const DEMO_WITHIN: Duration = Duration::from_mins(4);

/// How long something is away.
const OUTAGE: Duration = Duration::from_mins(1);

/// A system of its own in a temporary directory. One at a time, unless a test says otherwise: a system is many processes.
pub struct Story {
    /// The system.
    pub system: System,
    _dir: TempDir,
    _turn: Option<Turn>,
}

/// The right to run systems. No other test has one until it is dropped.
pub struct Turn(#[expect(dead_code, reason = "it is held, not read")] MutexGuard<'static, ()>);

/// Something is away since this began.
pub struct Outage(Instant);

impl Outage {
    /// It went away just now.
    pub fn begins() -> Self {
        Self(Instant::now())
    }

    /// Returns when it has been away for a minute, which is how long the tests want it away and no wait for an event.
    pub async fn lasts_its_minute(self) {
        tokio::time::sleep_until(self.0 + OUTAGE).await;
    }
}

impl Story {
    /// Waits until no other test runs a system.
    pub async fn turn() -> Turn {
        static TURN: Mutex<()> = Mutex::const_new(());
        Turn(TURN.lock().await)
    }

    /// Starts everything on free ports when it is its turn; returns when it is ready.
    pub async fn begin(shape: Shape, carrier: Carrier) -> anyhow::Result<Self> {
        let turn = Self::turn().await;
        Self::start(shape, carrier, Some(turn)).await
    }

    /// Starts everything on free ports in the turn of the caller, who may start several.
    pub async fn beside_others(shape: Shape, carrier: Carrier) -> anyhow::Result<Self> {
        Self::start(shape, carrier, None).await
    }

    async fn start(shape: Shape, carrier: Carrier, turn: Option<Turn>) -> anyhow::Result<Self> {
        static TLS: Once = Once::new();
        TLS.call_once(|| {
            // Whoever installed one before has installed the same.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let dir = tempfile::Builder::new()
            .prefix("ferrex-e2e-")
            // PostgreSQL runs as its own user when root starts it.
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()?;
        let plan = Plan {
            data: dir.path().to_owned(),
            ferrex: ferrex_binary()?,
            shape,
            carrier,
            ports: Ports::free(),
            postgres: PostgresUse::Tests,
            keep: false,
            brisk: true,
        };
        let system = System::start(plan).await?;
        Ok(Self {
            system,
            _dir: dir,
            _turn: turn,
        })
    }

    /// Plays `ferrex demo` against it; returns what it printed.
    pub async fn demo(&self) -> anyhow::Result<String> {
        let mut command = tokio::process::Command::new(&self.system.plan().ferrex);
        command
            .arg("demo")
            .arg("--surroundings")
            .arg(self.system.surroundings_file())
            .kill_on_drop(true);
        let output = tokio::time::timeout(DEMO_WITHIN, command.output())
            .await
            .with_context(|| format!("the demo still plays after {DEMO_WITHIN:?}"))??;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "the demo failed:\n{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(told)
    }

    /// Plays `ferrex demo trade` against it, and kills the engine when the demo asks for it; returns what it printed.
    pub async fn demo_trade(&mut self) -> anyhow::Result<String> {
        let playing = self.system.play(&["trade"], false);
        let output = tokio::time::timeout(DEMO_WITHIN, playing)
            .await
            .with_context(|| format!("the demo still plays after {DEMO_WITHIN:?}"))??;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "the demo failed:\n{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(told)
    }

    /// Audits the ledger, reads its snapshots, and stops everything.
    pub async fn end(self) -> anyhow::Result<()> {
        for command in ["audit", "snapshots"] {
            let report = self.system.ferrex(&["ledger", command])?;
            println!("{report}");
        }
        self.system.stop().await
    }
}

/// The `ferrex` that was built beside this test.
fn ferrex_binary() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    // A test is in `<profile>/deps`.
    let dir = test.parent().context("a program is in a directory")?;
    let profile = dir.parent().context("deps is in a profile")?;
    let ferrex = profile.join("ferrex");
    ensure!(
        ferrex.exists(),
        "{} is missing; build it first: cargo build -p ferrex",
        ferrex.display()
    );
    Ok(ferrex)
}
