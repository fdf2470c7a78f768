use ferrex_engine_core::{AccountRow, JournalRow, Known, RowKind};
use ferrex_ids::{CommandId, HoldId};
use ferrex_postgres::PgU128;
use ferrex_time::Timestamp;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::orders::StoredPart;
use super::{account_key, natural, stored};
use crate::Error;
use crate::error::Doing as _;

#[derive(sqlx::FromRow)]
struct StoredRow {
    id: i64,
    command: Uuid,
    fingerprint: i64,
    at: Timestamp,
    reference: Uuid,
    debit: i32,
    credit: i32,
    asset: i32,
    reason: i16,
    kind: i16,
    refusal: i16,
    last: bool,
    amount: PgU128,
    hold: Option<Uuid>,
    expires_at: Option<Timestamp>,
    #[sqlx(flatten)]
    order: StoredPart,
}

impl TryFrom<StoredRow> for JournalRow {
    type Error = Error;

    fn try_from(row: StoredRow) -> Result<Self, Error> {
        let id = row.id;
        let (order, details) = row.order.read(id)?;
        Ok(Self {
            id: natural(id, "id", id)?,
            command: CommandId::from_uuid(row.command),
            fingerprint: row.fingerprint.cast_unsigned(),
            at: row.at,
            reason: row.reason.cast_unsigned(),
            reference: row.reference,
            kind: u8::try_from(row.kind)
                .ok()
                .and_then(RowKind::from_code)
                .ok_or_else(|| stored("kind", id))?,
            debit: natural(row.debit, "debit", id)?,
            credit: natural(row.credit, "credit", id)?,
            asset: natural(row.asset, "asset", id)?,
            amount: row.amount.0,
            hold: row.hold.map(HoldId::from_uuid),
            expires_at: row.expires_at,
            refusal: row.refusal.cast_unsigned(),
            last: row.last,
            order,
            details,
        })
    }
}

/// Id of the journal's last row.
pub(crate) async fn last_id(db: impl PgExecutor<'_>) -> Result<u64, Error> {
    let id: i64 = sqlx::query_scalar("SELECT last_id FROM head")
        .fetch_one(db)
        .await
        .doing("reading the journal's end")?;
    natural(id, "last_id", "head")
}

/// The rows after `after` up to `upto`, in order.
pub(crate) async fn rows_between(
    db: impl PgExecutor<'_>,
    after: u64,
    upto: u64,
) -> Result<Vec<JournalRow>, Error> {
    // Both bounds, so that the BRIN index gives a few pages and not all that follow.
    let rows: Vec<StoredRow> = sqlx::query_as(
        "SELECT j.id, j.command, j.fingerprint, j.at, j.reference, j.debit, j.credit, j.asset, j.reason, j.kind, j.refusal, j.last,
                j.amount, j.hold, j.expires_at, o.market, o.order_no, o.other_no, o.price, o.lots, o.lots_left, o.display,
                o.stop, o.flags, o.fee, o.client, o.details
           FROM (SELECT * FROM journal WHERE id > $1 AND id <= $2) j
           LEFT JOIN (SELECT * FROM journal_order WHERE id > $1 AND id <= $2) o ON o.id = j.id
          ORDER BY j.id",
    )
    .bind(after.cast_signed())
    .bind(upto.cast_signed())
    .fetch_all(db)
    .await
    .doing("reading the journal")?;
    rows.into_iter().map(JournalRow::try_from).collect()
}

/// Accounts with a number above `after` up to `upto`, in order.
pub(crate) async fn accounts_between(
    db: impl PgExecutor<'_>,
    shard: u16,
    after: u32,
    upto: u32,
) -> Result<Vec<AccountRow>, Error> {
    let rows: Vec<(i32, Option<Uuid>, i16, i32)> = sqlx::query_as(
        "SELECT id, owner, purpose, asset FROM account WHERE shard = $1 AND id > $2 AND id <= $3 ORDER BY id",
    )
    .bind(shard.cast_signed())
    .bind(after.cast_signed())
    .bind(upto.cast_signed())
    .fetch_all(db)
    .await
    .doing("reading the accounts")?;
    rows.into_iter()
        .map(|(id, owner, purpose, asset)| {
            let key = account_key(owner, purpose, asset, id)?;
            Ok(AccountRow {
                id: natural(id, "id", id)?,
                shard,
                key,
            })
        })
        .collect()
}

/// The answers of these commands, of those that were ever decided.
pub(crate) async fn known_by_id(
    db: impl PgExecutor<'_>,
    ids: &[CommandId],
) -> Result<Vec<(CommandId, Known)>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, i64, i64, i16)> = sqlx::query_as(
        "SELECT command, fingerprint, id, refusal FROM journal WHERE command = ANY($1) AND last",
    )
    .bind(ids)
    .fetch_all(db)
    .await
    .doing("looking old commands up")?;
    rows.into_iter()
        .map(|(command, fingerprint, id, refusal)| {
            let row = natural(id, "id", id)?;
            let known = Known::from_last_row(fingerprint.cast_unsigned(), row, refusal.cast_unsigned())?;
            Ok((CommandId::from_uuid(command), known))
        })
        .collect()
}
