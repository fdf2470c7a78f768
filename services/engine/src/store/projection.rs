use ferrex_engine_core::{Changes, OrderChanges};
use ferrex_postgres::{Db, PgU128};

use sqlx::PgExecutor;

use super::{natural, stored};
use crate::Error;
use crate::error::Doing as _;

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
    let number = |id: u32| i32::try_from(id).map_err(|_| stored("account", id));
    let accounts = changes
        .accounts
        .iter()
        .map(|a| number(a.id.0))
        .collect::<Result<Vec<i32>, _>>()?;
    let hold_accounts = changes
        .holds
        .iter()
        .map(|h| number(h.account.0))
        .collect::<Result<Vec<i32>, _>>()?;
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
    if !accounts.is_empty() {
        sqlx::query(
            "INSERT INTO balance (account, total, held)
             SELECT * FROM unnest($1::integer[], $2::numeric[], $3::numeric[])
             ON CONFLICT (account) DO UPDATE SET total = excluded.total, held = excluded.held",
        )
        .bind(accounts)
        .bind(
            changes
                .accounts
                .iter()
                .map(|account| PgU128(account.total))
                .collect::<Vec<_>>(),
        )
        .bind(
            changes
                .accounts
                .iter()
                .map(|account| PgU128(account.held))
                .collect::<Vec<_>>(),
        )
        .execute(&mut *tx)
        .await
        .doing("projecting balances")?;
    }
    if !hold_accounts.is_empty() {
        sqlx::query(
            "INSERT INTO hold (id, account, amount, expires_at, closed)
             SELECT * FROM unnest($1::uuid[], $2::integer[], $3::numeric[], $4::timestamptz[], $5::boolean[])
             ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, closed = excluded.closed",
        )
        .bind(
            changes
                .holds
                .iter()
                .map(|hold| hold.id.uuid())
                .collect::<Vec<_>>(),
        )
        .bind(hold_accounts)
        .bind(
            changes
                .holds
                .iter()
                .map(|hold| PgU128(hold.left))
                .collect::<Vec<_>>(),
        )
        .bind(
            changes
                .holds
                .iter()
                .map(|hold| hold.expires_at)
                .collect::<Vec<_>>(),
        )
        .bind(changes.holds.iter().map(|hold| hold.closed).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .doing("projecting holds")?;
    }
    super::orders::project(&mut tx, orders).await?;
    tx.commit().await.doing("committing the projection")
}

/// The journal row up to which the tables are true.
pub(crate) async fn projected(db: impl PgExecutor<'_>) -> Result<u64, Error> {
    let id: i64 = sqlx::query_scalar("SELECT journal_id FROM projection")
        .fetch_one(db)
        .await
        .doing("reading the projection's row")?;
    natural(id, "journal_id", "projection")
}
