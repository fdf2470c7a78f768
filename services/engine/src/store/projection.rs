use ferrex_engine_core::{AccountBlock, AccountState, Changes, HoldState, OrderChanges};
use ferrex_ledger::AccountId;
use ferrex_postgres::{Db, PgU128, column_of, entry};
use sqlx::{PgConnection, PgExecutor};

use super::{natural, stored};
use crate::Error;
use crate::error::Doing as _;

/// Rows a statement. To put one together takes the processor from everything else that runs on its thread, the answers to
/// the engine's callers among them, so it must not take long.
pub(super) const TOGETHER: usize = 1_000;
/// Blocks of accounts a statement, for the same reason.
const BLOCKS_TOGETHER: usize = 2 * TOGETHER / AccountBlock::SIZE;

/// What a projection writes: the values, as of row `to`, of all that changed after row `from`.
#[derive(Clone, Debug)]
pub(crate) struct Projected {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) changes: Changes,
    pub(crate) orders: OrderChanges,
}

/// Brings the tables to row `to`. May be repeated; refused when the tables are not between `from` and `to`.
///
/// It rests on committed rows only, so a former owner can write nothing wrong here, at most something that is out of
/// date; its `to` is then below where the new owner began, and what the new owner writes contains it.
pub(crate) async fn project(db: &Db, projected: &Projected) -> Result<(), Error> {
    let Projected {
        from,
        to,
        changes,
        orders,
    } = projected;
    let mut tx = db.begin().await?;
    // The row lock puts two projections in line.
    let moved =
        sqlx::query("UPDATE projection SET journal_id = $2 WHERE journal_id >= $1 AND journal_id <= $2")
            .bind(from.cast_signed())
            .bind(to.cast_signed())
            .execute(&mut *tx)
            .await
            .doing("moving the projection")?;
    if moved.rows_affected() != 1 {
        return Err(Error::ProjectionSuperseded { from: *from, to: *to });
    }
    for blocks in changes.accounts.chunks(BLOCKS_TOGETHER) {
        project_balances(&mut tx, blocks).await?;
    }
    for holds in changes.holds.chunks(TOGETHER) {
        project_holds(&mut tx, holds).await?;
    }
    super::orders::project(&mut tx, orders).await?;
    tx.commit().await.doing("committing the projection")
}

fn number(id: AccountId) -> Result<i32, Error> {
    i32::try_from(id.0).map_err(|_| stored("account", id.0))
}

/// A row of `balance_block` as it is sent.
#[derive(sqlx::Encode)]
struct BalanceBlock {
    first_account: i32,
    available: Vec<PgU128>,
    held: Vec<PgU128>,
}

entry!(BalanceBlock, "balance_block_entry");

impl BalanceBlock {
    fn of(block: &AccountBlock) -> Result<Self, Error> {
        let available = |state: AccountState| {
            let available = state.total.checked_sub(state.held);
            available.map(PgU128).ok_or_else(|| stored("held", state.held))
        };
        Ok(Self {
            first_account: number(block.first())?,
            available: block.states().map(available).collect::<Result<_, _>>()?,
            held: block.states().map(|state| PgU128(state.held)).collect(),
        })
    }
}

async fn project_balances(tx: &mut PgConnection, blocks: &[AccountBlock]) -> Result<(), Error> {
    let blocks: Result<Vec<_>, Error> = blocks.iter().map(BalanceBlock::of).collect();
    sqlx::query(
        "INSERT INTO balance_block (first_account, available, held)
         SELECT first_account, available, held FROM unnest($1)
         ON CONFLICT (first_account) DO UPDATE SET available = excluded.available, held = excluded.held",
    )
    .bind(blocks?)
    .execute(tx)
    .await
    .doing("projecting balances")?;
    Ok(())
}

async fn project_holds(tx: &mut PgConnection, holds: &[HoldState]) -> Result<(), Error> {
    let accounts: Vec<i32> = holds
        .iter()
        .map(|hold| number(hold.account))
        .collect::<Result<_, _>>()?;
    sqlx::query(
        "INSERT INTO hold (id, account, amount, expires_at, closed)
         SELECT * FROM unnest($1::uuid[], $2::integer[], $3::numeric[], $4::timestamptz[], $5::boolean[])
         ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, closed = excluded.closed",
    )
    .bind(column_of(holds, |hold| hold.id.uuid()))
    .bind(accounts)
    .bind(column_of(holds, |hold| PgU128(hold.left)))
    .bind(column_of(holds, |hold| hold.expires_at))
    .bind(column_of(holds, |hold| hold.closed))
    .execute(tx)
    .await
    .doing("projecting holds")?;
    Ok(())
}

/// The journal row up to which the tables are true.
pub(crate) async fn projected(db: impl PgExecutor<'_>) -> Result<u64, Error> {
    let id: i64 = sqlx::query_scalar("SELECT journal_id FROM projection")
        .fetch_one(db)
        .await
        .doing("reading the projection's row")?;
    natural(id, "journal_id", "projection")
}
