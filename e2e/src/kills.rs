//! A process that is killed at every kill point it comes to, and started again each time.
//!
//! With `FERREX_KILL_EACH` (see `ferrex_runtime::kill`) the process finds its kill points itself: nobody lists them, so a
//! step that is added to a flow is killed by the next run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use ferrex_dev::system::System;
use tokio::time::Instant;

/// The variable that names the directory.
const VARIABLE: &str = "FERREX_KILL_EACH";
/// How long a process may live without coming to a point that is new. Longer than any deed takes, so only a deadline of the
/// deeds ends a run that hangs.
const UNDISTURBED: Duration = Duration::from_mins(10);

/// Which points a process was killed at, and which it knows.
#[derive(Debug)]
pub struct Kills {
    directory: PathBuf,
    began: Instant,
}

impl Kills {
    /// Kills from now on `all` in `system`, which is stopped for that.
    pub async fn begin(system: &mut System) -> anyhow::Result<Self> {
        let directory = system.plan().data.join("kills");
        std::fs::create_dir_all(&directory)?;
        system.stop_process("all").await?;
        let kills = Self {
            directory,
            began: Instant::now(),
        };
        kills.start(system).await?;
        Ok(kills)
    }

    async fn start(&self, system: &mut System) -> anyhow::Result<()> {
        let directory = self.directory.to_str().context("a directory with a plain name")?;
        // A check of a code that a kill cuts short counts as a wrong one, and five of those stop a person for five minutes.
        let codes = ("FERREX__CORE__LIMITS__FACTORS_PER_USER__MAX", "50");
        system.start_process("all", &[(VARIABLE, directory), codes]).await
    }

    /// Does `deeds` while the process is started again whenever it dies at a point. Answers once the deeds are done.
    pub async fn during(
        &self,
        system: &mut System,
        deeds: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        tokio::pin!(deeds);
        loop {
            tokio::select! {
                biased;
                done = &mut deeds => {
                    let (reached, took) = (self.reached()?, self.began.elapsed().as_secs());
                    println!("{} kills within {took} s", reached.len());
                    return done.with_context(|| format!("died at {reached:?}"));
                }
                ended = system.wait_ended("all", UNDISTURBED) => ended?,
            }
            self.start(system).await?;
        }
    }

    /// Leaves `all` alive from now on.
    pub async fn end(&self, system: &mut System) -> anyhow::Result<()> {
        system.kill("all").await?;
        system.start_process("all", &[]).await?;
        system.wait_ready("all").await
    }

    /// Points at which the process was killed, as `name@detail`.
    pub fn reached(&self) -> anyhow::Result<BTreeSet<String>> {
        names(&self.directory)
    }

    /// Points that exist although nothing may have come to them: `flow.before_persist` of every state of every flow.
    pub fn known(&self) -> anyhow::Result<BTreeSet<String>> {
        names(&self.directory.join("known"))
    }
}

/// The files of a directory.
fn names(directory: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}
