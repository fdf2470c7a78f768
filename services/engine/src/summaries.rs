//! Keeps the journal's BRIN indexes at its end, beside the owner's loop: whoever reads by id looks at every row that is in
//! no summary yet, once a page.

use std::time::Duration;

use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::error::{Doing as _, chain};
use crate::shared::{Role, Shared};
use crate::{Error, store};

/// What a fast owner writes meanwhile is read in a fifth of a second.
const EVERY: Duration = Duration::from_secs(1);

/// Works until `shutdown` is cancelled.
pub(crate) async fn run(shared: Shared, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if *shared.role.borrow() != Role::Owner {
            continue;
        }
        match shared.db.pool().acquire().await.doing("connecting") {
            Ok(mut connection) => complete(&mut connection).await,
            Err(error) => warn(&error),
        }
    }
}

/// Brings the indexes up to the journal's end. Without it reading is slow, but not wrong, so a failure is no more than said.
pub(crate) async fn complete(connection: &mut PgConnection) {
    loop {
        match store::summarize(connection).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return warn(&error),
        }
    }
}

fn warn(error: &Error) {
    tracing::warn!(error = chain(error), "the journal's indexes fall behind");
}
