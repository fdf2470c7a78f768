//! Takes over ended sessions from the table, also those that another replica heard of (A19).

use std::time::Duration;

use ferrex_postgres::Error as DbError;
use ferrex_runtime::CancellationToken;

use crate::Payment;
use crate::customer::store;

const EVERY: Duration = Duration::from_millis(500);

/// Works until `shutdown`.
pub async fn run(payment: &Payment, shutdown: CancellationToken) -> Result<(), DbError> {
    loop {
        let mut connection = payment
            .context
            .db
            .pool()
            .acquire()
            .await
            .map_err(DbError::Connect)?;
        for session in store::list_revoked(&mut connection).await? {
            payment.verifier.revoke(session);
        }
        drop(connection);
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
