//! Work that takes long, beside the owner's loop, which it must not hold up.

use std::time::Duration;

/// How much of the machine a long piece of work takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// What it can get: somebody waits for it.
    Full,
    /// Half of the time, spread evenly: the owner and its database are at work on the same processors.
    Beside,
}

impl Pace {
    /// Rests after a part of the work that took so long.
    pub(crate) async fn rest(self, took: Duration) {
        if self == Self::Beside {
            tokio::time::sleep(took).await;
        }
    }
}

/// Runs what takes long where it holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is going away cancels it, and with it whoever waits here.
            Err(_) => std::future::pending().await,
        },
    }
}
