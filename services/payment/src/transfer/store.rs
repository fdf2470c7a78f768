//! Transfers in PostgreSQL.

use ferrex_ids::{TransferId, UserId};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::{Error as DbError, PgU128, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::Facts;
use crate::registry::store::column;

/// A transfer as people see it.
#[derive(Clone, Debug)]
pub struct TransferRow {
    /// Which.
    pub id: TransferId,
    /// Who pays.
    pub from: UserId,
    /// Who receives.
    pub to: UserId,
    /// User name of the payer.
    pub from_username: String,
    /// User name of the receiver.
    pub to_username: String,
    /// What.
    pub asset: AssetId,
    /// How much.
    pub amount: Amount,
    /// What the payer wrote.
    pub note: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Where it stands.
    pub status: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    from_user: Uuid,
    to_user: Uuid,
    from_username: String,
    to_username: String,
    asset: i32,
    amount: PgU128,
    note: Option<String>,
    created_at: Timestamp,
    status: String,
}

impl From<Row> for TransferRow {
    fn from(row: Row) -> Self {
        Self {
            id: TransferId::from_uuid(row.id),
            from: UserId::from_uuid(row.from_user),
            to: UserId::from_uuid(row.to_user),
            from_username: row.from_username,
            to_username: row.to_username,
            asset: AssetId(row.asset.cast_unsigned()),
            amount: row.amount.into(),
            note: row.note,
            created_at: row.created_at,
            status: row.status,
        }
    }
}

/// Writes a new transfer; its flow is started in the same transaction.
pub async fn insert(tx: &mut PgConnection, facts: &Facts) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO transfer (id, from_user, to_user, from_username, to_username, asset, amount, note, created_at, status)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'requested')",
    )
    .bind(facts.transfer.uuid())
    .bind(facts.from.uuid())
    .bind(facts.to.uuid())
    .bind(&facts.from_username)
    .bind(&facts.to_username)
    .bind(column(facts.asset))
    .bind(PgU128::from(facts.amount))
    .bind(&facts.note)
    .bind(facts.requested_at)
    .execute(tx)
    .await
    .doing("writing a transfer")
    .map(drop)
}

/// Writes where a transfer stands.
pub async fn set_status(tx: &mut PgConnection, id: TransferId, status: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE transfer SET status = $2 WHERE id = $1")
        .bind(id.uuid())
        .bind(status)
        .execute(tx)
        .await
        .doing("writing a transfer's status")
        .map(drop)
}

/// One transfer.
pub async fn find(connection: &mut PgConnection, id: TransferId) -> Result<Option<TransferRow>, DbError> {
    let row: Option<Row> = sqlx::query_as("SELECT * FROM transfer WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(connection)
        .await
        .doing("reading a transfer")?;
    Ok(row.map(Into::into))
}
