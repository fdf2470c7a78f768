use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Backoff;

/// A loop that ran this long before it failed is taken to have worked, so its next pause is the shortest again.
const WORKED_AFTER: Duration = Duration::from_secs(30);

/// Keeps a background loop running until `shutdown` is cancelled.
///
/// `start` makes the loop's future. When it fails, one line is logged and it is started again after a pause that grows
/// with failures in a row. When it returns `Ok` it is done and not started again. On cancellation a running loop is
/// not dropped: it is expected to heed the token itself and to return.
pub async fn supervise<F, Fut, E>(name: &str, shutdown: CancellationToken, mut start: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut backoff = Backoff::default();
    while !shutdown.is_cancelled() {
        let started = Instant::now();
        let Err(error) = start().await else { return };
        if started.elapsed() >= WORKED_AFTER {
            backoff.reset();
        }
        let pause = backoff.next_pause();
        let (failures, pause_ms) = (
            backoff.failures(),
            u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        );
        tracing::error!(name, %error, failures, pause_ms, "background loop failed, starting it again");
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failing_loop_is_started_again_until_it_is_done() {
        let starts = Cell::new(0);
        supervise("test", CancellationToken::new(), || {
            starts.set(starts.get() + 1);
            let now = starts.get();
            async move { if now < 5 { Err("broken") } else { Ok(()) } }
        })
        .await;
        assert_eq!(starts.get(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn cancellation_ends_the_pause() {
        let shutdown = CancellationToken::new();
        let starts = Cell::new(0);
        supervise("test", shutdown.clone(), || {
            starts.set(starts.get() + 1);
            shutdown.cancel();
            async { Err::<(), _>("broken") }
        })
        .await;
        assert_eq!(starts.get(), 1);
    }
}
