use ferrex_engine_core::{AccountRow, Engine, HoldState, Restore};
use ferrex_ids::{CommandId, HoldId};
use ferrex_ledger::AccountId;
use ferrex_postgres::{Db, PgU128};
use ferrex_time::Timestamp;
use futures::TryStreamExt as _;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{account_key, natural};
use crate::Error;
use crate::error::Doing as _;

#[derive(sqlx::FromRow)]
struct StoredHold {
    id: Uuid,
    account: i32,
    amount: PgU128,
    expires_at: Option<Timestamp>,
    closed: bool,
}

impl TryFrom<StoredHold> for HoldState {
    type Error = Error;

    fn try_from(hold: StoredHold) -> Result<Self, Error> {
        Ok(Self {
            id: HoldId::from_uuid(hold.id),
            account: AccountId(natural(hold.account, "account", hold.id)?),
            left: hold.amount.0,
            expires_at: hold.expires_at,
            closed: hold.closed,
        })
    }
}

type StoredAccount = (i32, Option<Uuid>, i16, i32, Option<PgU128>, Option<PgU128>);

/// The engine as of the projection's row, and that row: accounts, balances, holds, the commands of the window.
///
/// What came after is replayed by the caller.
pub(crate) async fn load(db: &Db, shard: u16, window_from: Timestamp) -> Result<Engine, Error> {
    // One snapshot: the projection moves on while this reads, if another process owns the ledger.
    let mut tx = db.begin().await?;
    sqlx::raw_sql(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0",
    )
    .execute(&mut *tx)
    .await
    .doing("beginning a snapshot")?;
    let reached: i64 = sqlx::query_scalar("SELECT journal_id FROM projection")
        .fetch_one(&mut *tx)
        .await
        .doing("reading the projection's row")?;
    let mut restore = Restore::new(shard, window_from);

    let mut accounts = sqlx::query_as::<_, StoredAccount>(
        "SELECT a.id, a.owner, a.purpose, a.asset, b.total, b.held
           FROM account a LEFT JOIN balance b ON b.account = a.id WHERE a.shard = $1 ORDER BY a.id",
    )
    .bind(shard.cast_signed())
    .fetch(&mut *tx);
    while let Some((id, owner, purpose, asset, total, held)) =
        accounts.try_next().await.doing("loading the accounts")?
    {
        let row = AccountRow {
            id: natural(id, "id", id)?,
            shard,
            key: account_key(owner, purpose, asset, id)?,
        };
        restore.account(&row, total.zip(held).map(|(total, held)| (total.0, held.0)))?;
    }
    drop(accounts);

    let window = restore.window_start();
    let mut holds = sqlx::query_as::<_, StoredHold>(
        "SELECT id, account, amount, expires_at, closed FROM hold WHERE NOT closed
         UNION ALL
         SELECT id, account, amount, expires_at, closed FROM hold WHERE closed AND id >= $1",
    )
    .bind(window)
    .fetch(&mut *tx);
    while let Some(hold) = holds.try_next().await.doing("loading the holds")? {
        restore.hold(hold.try_into()?)?;
    }
    drop(holds);
    super::orders::load(&mut tx, &mut restore).await?;

    let mut commands = sqlx::query_as::<_, (Uuid, i64, i64, i16)>(
        "SELECT command, fingerprint, id, refusal FROM journal WHERE command >= $1 AND last AND id <= $2",
    )
    .bind(window)
    .bind(reached)
    .fetch(&mut *tx);
    while let Some((command, fingerprint, id, refusal)) = commands
        .try_next()
        .await
        .doing("loading the commands of the window")?
    {
        let row = natural(id, "id", id)?;
        restore.known(
            CommandId::from_uuid(command),
            fingerprint.cast_unsigned(),
            row,
            refusal.cast_unsigned(),
        )?;
    }
    drop(commands);
    tx.commit().await.doing("ending a snapshot")?;
    Ok(restore.finish(natural(reached, "journal_id", "projection")?)?)
}

/// Those of these holds that are closed, with their accounts.
pub(crate) async fn closed_holds_by_id(
    db: impl PgExecutor<'_>,
    ids: &[HoldId],
) -> Result<Vec<(HoldId, u32)>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, i32)> = sqlx::query_as("SELECT id, account FROM hold WHERE id = ANY($1) AND closed")
        .bind(ids)
        .fetch_all(db)
        .await
        .doing("looking old holds up")?;
    rows.into_iter()
        .map(|(id, account)| Ok((HoldId::from_uuid(id), natural(account, "account", id)?)))
        .collect()
}
