//! Keeping the lease beside the owner's loop, so that a long commit does not lose it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::shared::Shared;
use crate::store;

/// A lease that is renewed as long as this lives.
///
/// Safety does not rest on it: a batch is fenced by its epoch, and a read by looking at the epoch. It decides when to stop
/// calling oneself the owner.
pub(crate) struct Kept {
    valid_until: watch::Receiver<Instant>,
    _renewing: AbortOnDropHandle<()>,
}

impl Kept {
    /// Renews the lease of `epoch`, which was taken at `taken_at`, three times in its life.
    pub(crate) fn start(shared: &Shared, epoch: u64, taken_at: Instant) -> Self {
        let ttl = shared.config.lease();
        let (valid, valid_until) = watch::channel(taken_at + ttl);
        let renewing = AbortOnDropHandle::new(tokio::spawn(renew(shared.clone(), epoch, ttl, valid)));
        Self {
            valid_until,
            _renewing: renewing,
        }
    }

    /// Until when no other process takes the lease by time.
    pub(crate) fn valid_until(&self) -> Instant {
        *self.valid_until.borrow()
    }

    /// Whether the lease is still good, by this machine's monotonic clock.
    pub(crate) fn is_valid(&self) -> bool {
        Instant::now() < self.valid_until()
    }

    /// Returns when the lease is lost or has run out.
    pub(crate) async fn lost(&mut self) {
        while self.is_valid() {
            let until = self.valid_until();
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                changed = self.valid_until.changed() => if changed.is_err() { return },
            }
        }
    }
}

async fn renew(shared: Shared, epoch: u64, ttl: Duration, valid: watch::Sender<Instant>) {
    let mut pause = ttl / 3;
    loop {
        tokio::time::sleep(pause).await;
        // The lease counts from before the question: the database may have answered long ago.
        let asked_at = Instant::now();
        match tokio::time::timeout(ttl / 3, store::renew_lease(shared.db.pool(), epoch, ttl)).await {
            Ok(Ok(true)) => {
                valid.send_replace(asked_at + ttl);
                pause = ttl / 3;
            }
            Ok(Ok(false)) => {
                valid.send_replace(asked_at);
                return;
            }
            Ok(Err(_)) | Err(_) => {
                // The owner's loop meets the same database and says what is wrong with it.
                pause = ttl / 10;
            }
        }
    }
}
