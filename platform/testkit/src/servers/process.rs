use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, Resource, Rlimit, kill_process, prlimit};

use super::Error;
use super::janitor::{self, Farewell};

/// A program that was started here and ends with this value, or at the latest with this process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program in a process group of its own, with nothing on its input and its output appended to `log`.
    ///
    /// When this process has ended in whatever way the program gets SIGINT, and SIGKILL `grace_seconds` later.
    pub fn spawn(name: &str, command: Command, log: &Path, grace_seconds: u32) -> Result<Self, Error> {
        let farewell = match grace_seconds {
            0 => Farewell::KILL,
            seconds => Farewell {
                signal: "INT",
                seconds,
            },
        };
        let file = OpenOptions::new().create(true).append(true).open(log);
        let file = file.map_err(Error::io(format!("opening the log {}", log.display())))?;
        let copy = file.try_clone().map_err(Error::io("sharing a log"))?;
        let mut process = Self::launch(name, command, file.into(), copy.into(), farewell)?;
        log.clone_into(&mut process.log);
        Ok(process)
    }

    /// As [`Process::spawn`], but what it writes goes where our own output goes.
    pub fn spawn_talking(name: &str, command: Command, grace_seconds: u32) -> Result<Self, Error> {
        let farewell = Farewell {
            signal: "INT",
            seconds: grace_seconds,
        };
        Self::launch(name, command, Stdio::inherit(), Stdio::inherit(), farewell)
    }

    fn launch(
        name: &str,
        mut command: Command,
        out: Stdio,
        err: Stdio,
        farewell: Farewell,
    ) -> Result<Self, Error> {
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .map_err(Error::io(format!(
                "starting {name} ({})",
                command.get_program().display()
            )))?;
        janitor::watch(child.id(), farewell);
        Ok(Self {
            name: name.to_owned(),
            child,
            log: PathBuf::new(),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it write no file beyond this many bytes.
    pub(super) fn limit_files(&self, bytes: u64) -> Result<(), Error> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let limit = Rlimit {
            current: Some(bytes),
            maximum: None,
        };
        prlimit(pid, Resource::Fsize, limit)
            .map(drop)
            .map_err(|error| Error::io(format!("limiting {}", self.name))(error.into()))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.expect("the kernel's process ids are positive");
        kill_process(pid, signal).map_err(|errno| Error::Io {
            doing: format!("signalling {}", self.name),
            source: errno.into(),
        })
    }

    /// Its exit status once it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends with the reason when it has ended, or with "not ready" when `deadline` has passed.
    pub(crate) fn still_starting(&mut self, started: Instant, deadline: Duration) -> Result<(), Error> {
        if let Some(status) = self.ended() {
            return Err(Error::Ended {
                name: self.name.clone(),
                status: status.to_string(),
                log: self.log_end(),
            });
        }
        if started.elapsed() > deadline {
            let seconds = deadline.as_secs();
            return Err(Error::NotReady {
                name: self.name.clone(),
                seconds,
                log: self.log_end(),
            });
        }
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub async fn wait(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends `signal`, waits `grace`, kills it when it is still there, and says whether it went in time.
    pub async fn stop(&mut self, signal: Signal, grace: Duration) -> Result<bool, Error> {
        if self.ended().is_none() {
            self.signal(signal)?;
        }
        if tokio::time::timeout(grace, self.wait()).await.is_ok() {
            return Ok(true);
        }
        self.kill9().await?;
        Ok(false)
    }

    /// Kills it at once (SIGKILL) and waits for its end.
    pub async fn kill9(&mut self) -> Result<(), Error> {
        if self.ended().is_none() {
            self.child
                .kill()
                .map_err(Error::io(format!("killing {}", self.name)))?;
        }
        self.wait().await;
        Ok(())
    }

    /// The last 4 KB it wrote.
    pub fn log_end(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4096)..]).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // Killing can only fail when it ended meanwhile.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        janitor::forget(self.child.id());
    }
}
