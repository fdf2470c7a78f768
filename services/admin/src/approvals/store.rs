use ferrex_contracts::payment::WithdrawalAwaitsApproval;
use ferrex_ids::WithdrawalId;
use ferrex_postgres::{Db, Error, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Approval, State};

#[derive(sqlx::FromRow)]
struct Row {
    state: State,
    content: Json<WithdrawalAwaitsApproval>,
    closed_at: Option<Timestamp>,
}

impl From<Row> for Approval {
    fn from(row: Row) -> Self {
        Self {
            content: row.content.0,
            state: row.state,
            closed_at: row.closed_at,
        }
    }
}

/// Adds one that waits. A later event about the same withdrawal replaces what is to be approved while it waits.
pub(super) async fn open(tx: &mut PgConnection, content: &WithdrawalAwaitsApproval) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO approval (withdrawal, person, state, content, content_hash, requested_at)
         VALUES ($1, $2, 'waiting', $3, $4, $5)
         ON CONFLICT (withdrawal) DO UPDATE SET content = excluded.content, content_hash = excluded.content_hash
          WHERE approval.state = 'waiting'",
    )
    .bind(content.withdrawal.uuid())
    .bind(content.user.uuid())
    .bind(Json(content))
    .bind(&content.content_hash)
    .bind(content.requested_at)
    .execute(tx)
    .await
    .map(drop)
    .doing("keeping a withdrawal that waits for staff")
}

/// Closes one that waits.
pub(super) async fn close(
    tx: &mut PgConnection,
    withdrawal: WithdrawalId,
    state: State,
    at: Timestamp,
) -> Result<(), Error> {
    sqlx::query("UPDATE approval SET state = $2, closed_at = $3 WHERE withdrawal = $1 AND state = 'waiting'")
        .bind(withdrawal.uuid())
        .bind(state)
        .bind(at)
        .execute(tx)
        .await
        .map(drop)
        .doing("closing an approval")
}

pub(super) async fn find(db: &Db, withdrawal: WithdrawalId) -> Result<Option<Approval>, Error> {
    let row: Option<Row> =
        sqlx::query_as("SELECT state, content, closed_at FROM approval WHERE withdrawal = $1")
            .bind(withdrawal.uuid())
            .fetch_optional(db.pool())
            .await
            .doing("reading an approval")?;
    Ok(row.map(Approval::from))
}

/// Those in a state, the newest first.
pub(super) async fn list(
    db: &Db,
    state: State,
    after: Option<WithdrawalId>,
    limit: i64,
) -> Result<Vec<Approval>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT state, content, closed_at FROM approval
          WHERE state = $1 AND ($2::uuid IS NULL OR withdrawal < $2)
          ORDER BY withdrawal DESC LIMIT $3",
    )
    .bind(state)
    .bind(after.map(WithdrawalId::uuid))
    .bind(limit)
    .fetch_all(db.pool())
    .await
    .doing("listing approvals")?;
    Ok(rows.into_iter().map(Approval::from).collect())
}
