use std::fmt::Debug;
use std::future::Future;
use std::panic::Location;
use std::time::{Duration, Instant};

/// What a probe of [`eventually`] may answer: not yet, or what was found.
pub trait Answer {
    /// What is found in the end.
    type Found;
    /// The find, or a description of the present state for the failure text.
    fn settle(self) -> Result<Self::Found, String>;
}

impl Answer for bool {
    type Found = ();
    fn settle(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("false".into()) }
    }
}

impl<T> Answer for Option<T> {
    type Found = T;
    fn settle(self) -> Result<T, String> {
        self.ok_or_else(|| "None".into())
    }
}

impl<T, E: Debug> Answer for Result<T, E> {
    type Found = T;
    fn settle(self) -> Result<T, String> {
        self.map_err(|error| format!("{error:?}"))
    }
}

/// Asks `probe` again and again until it answers `true`, `Some` or `Ok`, and returns what that held.
///
/// Panics at the caller's line with the last answer when `deadline` has passed. The waits begin at 2 ms and grow to
/// 50 ms, so a condition that holds soon costs little.
#[track_caller]
pub fn eventually<A, F, Fut>(deadline: Duration, probe: F) -> impl Future<Output = A::Found>
where
    A: Answer,
    F: FnMut() -> Fut,
    Fut: Future<Output = A>,
{
    wait(deadline, probe, Location::caller())
}

async fn wait<A, F, Fut>(deadline: Duration, mut probe: F, caller: &'static Location<'static>) -> A::Found
where
    A: Answer,
    F: FnMut() -> Fut,
    Fut: Future<Output = A>,
{
    let started = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        let last = match probe().await.settle() {
            Ok(found) => return found,
            Err(last) => last,
        };
        assert!(
            started.elapsed() < deadline,
            "{caller}: not within {deadline:?}; the last answer was: {last}"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
