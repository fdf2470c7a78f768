//! What the process with all roles needs on embedded defaults: time from its start to `/readyz`, and memory when idle.
//!
//! PostgreSQL, chain and mail catcher run already and the schemas are migrated, as when a developer starts it again. The
//! `ferrex` binary is the one beside this program: build it in release first.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ferrex_dev::plan::{Carrier, Plan, Ports, Shape};
use ferrex_dev::system::System;
use ferrex_testkit::servers::PostgresUse;

use crate::cpu::Meter;
use crate::effort::Effort;
use crate::probe;

/// The process's name within the system.
const ALL: &str = "all";
/// Starts and how long it is left alone before its memory is read, and the same of a look.
const FULL: (usize, Duration) = (7, Duration::from_secs(20));
const QUICK: (usize, Duration) = (3, Duration::from_secs(3));
const LOOK_EVERY: Duration = Duration::from_millis(1);
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Starts it several times, then leaves it idle.
pub async fn run(effort: Effort) -> anyhow::Result<()> {
    let (count, idle) = if effort.is_quick() { QUICK } else { FULL };
    let ferrex = std::env::current_exe()?.with_file_name("ferrex");
    ensure!(
        ferrex.exists(),
        "{} is missing: cargo build --release -p ferrex",
        ferrex.display()
    );
    // The other benchmarks speak no TLS, so nobody has installed one unless this ran before in the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let data = tempfile::Builder::new().prefix("ferrex-bench-").tempdir()?;
    let plan = Plan {
        data: data.path().to_owned(),
        ferrex,
        shape: Shape::One,
        carrier: Carrier::Embedded,
        ports: Ports::free(),
        postgres: PostgresUse::Development,
        keep: false,
        brisk: false,
    };
    let mut system = System::start(plan).await?;
    println!("all roles in one process on {}", probe::machine());
    let migrate = Instant::now();
    system.ferrex(&["migrate"])?;
    println!(
        "  ferrex migrate with nothing to do: {:.0} ms",
        migrate.elapsed().as_secs_f64() * 1e3
    );
    let mut starts = Vec::new();
    for _ in 0..count {
        system.stop_process(ALL).await?;
        let begin = Instant::now();
        system.start_process(ALL, &[]).await?;
        ready(&system.operations_of(ALL)?).await?;
        starts.push(begin.elapsed());
    }
    starts.sort_unstable();
    let ms = |place: usize| {
        starts
            .get(place)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "  ready after: median {:.0} ms, worst {:.0} ms, of {count} starts",
        ms(count / 2),
        ms(count - 1)
    );
    let meter = Meter::start()?;
    tokio::time::sleep(idle).await;
    let cpu = meter.stop()?;
    let memory = Memory::of(system.pid_of(ALL)?)?;
    println!(
        "  idle for {} s: {:.1} MiB resident, of it {:.1} MiB its own and {:.1} MiB of files, at most {:.1} MiB before; \
         CPU seconds meanwhile: {cpu}\n",
        idle.as_secs(),
        memory.resident,
        memory.anonymous,
        memory.file,
        memory.peak,
    );
    system.stop().await
}

/// Asks until `/readyz` says yes.
pub(crate) async fn ready(operations: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let begin = Instant::now();
    loop {
        if client
            .get(format!("{operations}/readyz"))
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < READY_WITHIN,
            "{operations} is not ready after {READY_WITHIN:?}"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Memory of a process in MiB.
pub(crate) struct Memory {
    pub resident: f64,
    pub anonymous: f64,
    pub file: f64,
    pub peak: f64,
}

impl Memory {
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| -> anyhow::Result<f64> {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            Ok(kib.with_context(|| format!("{name} of process {pid}"))? / 1024.0)
        };
        Ok(Self {
            resident: field("VmRSS")?,
            anonymous: field("RssAnon")?,
            file: field("RssFile")?,
            peak: field("VmHWM")?,
        })
    }
}
