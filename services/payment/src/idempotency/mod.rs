//! A client's `Idempotency-Key`, bound per person and for ever to what it made (H045).
//!
//! The binding, the thing it made and its flow are written in one transaction, before the engine is called: a row
//! without work cannot exist (H046).

use std::time::Duration;

use ferrex_fault::{Classify, Fault, Kind};
use ferrex_flows::{Flow, Runner};
use ferrex_ids::{FlowId, UserId};
use ferrex_postgres::{Error as DbError, SqlResult as _};
use ferrex_time::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

/// The key came before with another body or for another operation.
#[derive(Debug, thiserror::Error)]
#[error("this Idempotency-Key was used for another request; choose a new one")]
pub struct KeyReused;

impl Classify for KeyReused {
    fn kind(&self) -> Kind {
        Kind::Conflict
    }
    fn code(&self) -> &'static str {
        "payment.idempotency_key.reused"
    }
}

/// Whether a call is the one that bound the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It is.
    First,
    /// The key was bound before.
    Repeat,
}

/// How long a repeat leaves the work to the first call before it takes part.
const FIRST_HAS: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The state of the flow that a key made. A repeat waits for the first call's answer while that is under way, and does
/// not wait for ever: the first call may have died.
pub async fn state_of<F: Flow>(
    runner: &Runner<F>,
    id: FlowId,
    call: Call,
    is_undecided: impl Fn(&F::State) -> bool,
) -> Result<Option<F::State>, Fault> {
    let started = tokio::time::Instant::now();
    loop {
        let Some(view) = runner.get(id).await? else {
            return Ok(None);
        };
        if call == Call::First || !is_undecided(&view.state) || started.elapsed() >= FIRST_HAS {
            return Ok(Some(view.state));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A key with what is asked under it.
#[derive(Clone, Debug)]
pub struct Bound<'a> {
    /// Whose key.
    pub user: UserId,
    /// The key.
    pub key: &'a str,
    /// What is asked, such as `transfer`.
    pub operation: &'static str,
    /// SHA-256 of operation and body.
    pub fingerprint: [u8; 32],
}

impl<'a> Bound<'a> {
    /// A key for an operation with this body.
    pub fn new(user: UserId, key: &'a str, operation: &'static str, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("a request body is plain data");
        let fingerprint = Sha256::new()
            .chain_update(operation)
            .chain_update([0])
            .chain_update(body)
            .finalize()
            .into();
        Self {
            user,
            key,
            operation,
            fingerprint,
        }
    }

    /// What the key made before, if it was used for this very request.
    pub async fn find(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Result<Option<Uuid>, KeyReused>, DbError> {
        let row: Option<(String, [u8; 32], Uuid)> = sqlx::query_as(
            "SELECT operation, fingerprint, resource FROM idempotency WHERE user_id = $1 AND key = $2",
        )
        .bind(self.user.uuid())
        .bind(self.key)
        .fetch_optional(connection)
        .await
        .doing("looking for an idempotency key")?;
        Ok(match row {
            None => Ok(None),
            Some((operation, fingerprint, resource))
                if operation == self.operation && fingerprint == self.fingerprint =>
            {
                Ok(Some(resource))
            }
            Some(_) => Err(KeyReused),
        })
    }

    /// Binds the key; false when another call at the same time was first. Waits for that call's transaction.
    pub async fn bind(&self, tx: &mut PgConnection, resource: Uuid, at: Timestamp) -> Result<bool, DbError> {
        let done = sqlx::query(
            "INSERT INTO idempotency (user_id, key, operation, fingerprint, resource, bound_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_id, key) DO NOTHING",
        )
        .bind(self.user.uuid())
        .bind(self.key)
        .bind(self.operation)
        .bind(self.fingerprint)
        .bind(resource)
        .bind(at)
        .execute(tx)
        .await
        .doing("binding an idempotency key")?;
        Ok(done.rows_affected() == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_covers_operation_and_body() {
        let user = UserId::new_at(1);
        let of = |operation, body: &str| Bound::new(user, "k", operation, &body).fingerprint;
        assert_eq!(of("transfer", "a"), of("transfer", "a"));
        assert_ne!(of("transfer", "a"), of("transfer", "b"));
        assert_ne!(of("transfer", "a"), of("withdrawal", "a"));
    }
}
