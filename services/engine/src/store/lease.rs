use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::{PgConnection, PgExecutor};

use super::natural;
use crate::Error;
use crate::error::Doing as _;

/// What an owner was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The epoch under which it writes.
    pub(crate) epoch: u64,
    /// The journal's end at the moment the older epoch was shut out.
    pub(crate) last_id: u64,
}

fn interval(ttl: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX),
    }
}

/// Takes the lease under a new epoch, unless another process holds it.
pub(crate) async fn take_lease(
    connection: &mut PgConnection,
    name: &str,
    address: Option<&str>,
    ttl: Duration,
) -> Result<Option<Lease>, Error> {
    let taken: Option<(i64, i64)> =
        sqlx::query_as("SELECT taken_epoch, taken_last_id FROM take_lease($1, $2, $3)")
            .bind(name)
            .bind(address)
            .bind(interval(ttl))
            .fetch_optional(connection)
            .await
            .doing("taking the lease")?;
    taken
        .map(|(epoch, last_id)| {
            Ok(Lease {
                epoch: natural(epoch, "epoch", "head")?,
                last_id: natural(last_id, "last_id", "head")?,
            })
        })
        .transpose()
}

/// Takes the lock that shows standbys that this connection lives; false while another session has it.
pub(crate) async fn hold_lock(connection: &mut PgConnection) -> Result<bool, Error> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock(7238249541278007297)")
        .fetch_one(connection)
        .await
        .doing("taking the owner's lock")
}

/// Keeps the lease; false if another process has it.
pub(crate) async fn renew_lease(db: impl PgExecutor<'_>, epoch: u64, ttl: Duration) -> Result<bool, Error> {
    sqlx::query_scalar("SELECT renew_lease($1, $2)")
        .bind(epoch.cast_signed())
        .bind(interval(ttl))
        .fetch_one(db)
        .await
        .doing("renewing the lease")
}

/// Whether an epoch is still the one that may write; if so, nobody else has written since it was given.
pub(crate) async fn is_epoch(db: impl PgExecutor<'_>, epoch: u64) -> Result<bool, Error> {
    sqlx::query_scalar("SELECT epoch = $1 FROM head")
        .bind(epoch.cast_signed())
        .fetch_one(db)
        .await
        .doing("reading who may write")
}

/// Gives the lease up.
pub(crate) async fn release_lease(db: impl PgExecutor<'_>, epoch: u64) -> Result<(), Error> {
    sqlx::query("SELECT release_lease($1)")
        .bind(epoch.cast_signed())
        .execute(db)
        .await
        .map(drop)
        .doing("releasing the lease")
}

/// The address of the process that holds the lease, if one does and has an address.
pub(crate) async fn owner_address(db: impl PgExecutor<'_>) -> Result<Option<String>, Error> {
    let address: Option<Option<String>> =
        sqlx::query_scalar("SELECT address FROM lease WHERE expires_at > clock_timestamp()")
            .fetch_optional(db)
            .await
            .doing("reading the lease")?;
    Ok(address.flatten())
}
