//! For how long a head of HTTP/1.1 may take.
//!
//! The server sets a timer for each head that it reads and gives it up when the head is there, which mostly is at once: an entry in
//! the runtime's wheel, made and taken out under its lock, for each request. Here a connection has one entry. When that strikes, it is
//! set again for the head that is being read by then.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The timer of one connection. Clones share its entry.
#[derive(Clone)]
pub(crate) struct HeadTimer(Arc<Mutex<Pin<Box<tokio::time::Sleep>>>>);

impl HeadTimer {
    /// Must be called within a tokio runtime.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Box::pin(tokio::time::sleep(Duration::ZERO)))))
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let timer = self.clone();
        Box::pin(HeadSleep { timer, deadline })
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        if let Some(sleep) = sleep.as_mut().downcast_mut_pin::<HeadSleep>() {
            sleep.get_mut().deadline = deadline;
        }
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

struct HeadSleep {
    timer: HeadTimer,
    deadline: Instant,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut entry = self.timer.0.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::from(entry.deadline()) > self.deadline {
            entry.as_mut().reset(self.deadline.into());
        }
        loop {
            ready!(entry.as_mut().poll(cx));
            if self.timer.now() >= self.deadline {
                return Poll::Ready(());
            }
            // It was set for a head that has come.
            entry.as_mut().reset(self.deadline.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_head_has_its_time_whatever_the_entry_was_set_for() {
        const LIMIT: Duration = Duration::from_secs(10);
        let timer = HeadTimer::new();
        let begin = timer.now();
        let waited = async |sleep: Pin<Box<dyn Sleep>>, most: Duration| {
            let whole = tokio::time::timeout(most, sleep).await.is_ok();
            (whole, timer.now() - begin)
        };
        let second = Duration::from_secs(1);
        assert_eq!(waited(timer.sleep(LIMIT), second).await, (false, second));
        // The entry strikes at 10, this one's time is at 11.
        assert_eq!(waited(timer.sleep(LIMIT), LIMIT * 2).await, (true, 11 * second));
        // After a rest longer than the limit.
        tokio::time::advance(LIMIT * 3).await;
        assert_eq!(waited(timer.sleep(LIMIT), LIMIT * 2).await, (true, 51 * second));
        // One that is shorter than what the entry is set for, and one that is put off.
        let long = waited(timer.sleep(LIMIT), second).await;
        assert_eq!(long, (false, 52 * second));
        assert_eq!(waited(timer.sleep(second), LIMIT).await, (true, 53 * second));
        let mut put_off = timer.sleep(second);
        timer.reset(&mut put_off, timer.now() + 4 * second);
        assert_eq!(waited(put_off, LIMIT).await, (true, 57 * second));
    }
}
