use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Asked for once, seen by everybody; waits for the tasks spawned through it.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tasks: TaskTracker,
}

/// Tasks did not end within the time they had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillRunning {
    /// How many.
    pub tasks: usize,
}

impl std::fmt::Display for StillRunning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tasks are still running", self.tasks)
    }
}
impl std::error::Error for StillRunning {}

impl Shutdown {
    /// A shutdown that nobody has asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// A shutdown that SIGTERM and SIGINT ask for. A second signal ends the process at once.
    ///
    /// Must be called on a tokio runtime.
    pub fn on_signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let shutdown = Self::new();
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let asked = shutdown.clone();
        tokio::spawn(async move {
            for request in 0.. {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if request > 0 {
                    tracing::warn!(signal = name, "second signal, ending at once");
                    std::process::exit(130);
                }
                tracing::info!(signal = name, "shutting down");
                asked.request();
            }
        });
        Ok(shutdown)
    }

    /// Asks for the shutdown.
    pub fn request(&self) {
        self.token.cancel();
    }

    /// Whether it was asked for.
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Returns once it is asked for.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// The token to hand to loops; it is cancelled when the shutdown is asked for.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Runs a task that [`Self::drain`] waits for.
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(task)
    }

    /// Waits until every spawned task has ended, at most `within`.
    pub async fn drain(&self, within: Duration) -> Result<(), StillRunning> {
        self.tasks.close();
        match tokio::time::timeout(within, self.tasks.wait()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(StillRunning {
                tasks: self.tasks.len(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_heeds_the_token_is_drained() {
        let shutdown = Shutdown::new();
        let token = shutdown.token();
        shutdown.spawn(async move { token.cancelled().await });
        shutdown.request();
        assert_eq!(shutdown.drain(Duration::from_secs(5)).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_is_reported() {
        let shutdown = Shutdown::new();
        shutdown.spawn(std::future::pending::<()>());
        shutdown.request();
        assert_eq!(
            shutdown.drain(Duration::from_secs(10)).await,
            Err(StillRunning { tasks: 1 })
        );
    }
}
