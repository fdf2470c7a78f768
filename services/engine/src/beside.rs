//! Work that takes long, beside the owner's loop, which it must not hold up.

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
