use ferrex_engine_core::Batch;
use ferrex_ledger::Owner;
use ferrex_postgres::PgU128;
use sqlx::PgConnection;

use super::orders::Parts;
use super::stored;
use crate::Error;
use crate::error::Doing as _;

/// SQLSTATE that `append` raises for a writer that is not the owner or does not know the journal's end.
const FENCED: &str = "FX001";

/// Writes a batch as one statement, which is its own transaction. `Ok` means committed, [`Error::Fenced`] means refused,
/// any other error means unknown.
pub(crate) async fn append(
    connection: &mut PgConnection,
    epoch: u64,
    previous: u64,
    shard: u16,
    batch: &Batch,
) -> Result<(), Error> {
    let accounts = &batch.accounts;
    let rows = &batch.rows;
    // Bit patterns: a fingerprint has all 64 bits, account ids and row ids stay far below 2^31 and 2^63.
    let number = |id: u32, what: &'static str| i32::try_from(id).map_err(|_| stored(what, id));
    let row_id = |id: u64| i64::try_from(id).map_err(|_| stored("id", id));
    let account_ids = accounts
        .iter()
        .map(|a| number(a.id, "account"))
        .collect::<Result<Vec<i32>, _>>()?;
    let account_assets = accounts
        .iter()
        .map(|a| number(a.key.asset.0, "asset"))
        .collect::<Result<Vec<i32>, _>>()?;
    let owner = |owner| match owner {
        Owner::House => None,
        Owner::User(user) => Some(user),
    };
    let debits = rows
        .iter()
        .map(|row| number(row.debit, "debit"))
        .collect::<Result<Vec<i32>, _>>()?;
    let credits = rows
        .iter()
        .map(|row| number(row.credit, "credit"))
        .collect::<Result<Vec<i32>, _>>()?;
    let assets = rows
        .iter()
        .map(|row| number(row.asset, "asset"))
        .collect::<Result<Vec<i32>, _>>()?;
    let orders = Parts::of(rows)?;
    let small = |code: u16| code.cast_signed();
    // `execute` reads to the end of the exchange: an error at commit, after the statement's own answer, is seen.
    let written = sqlx::query(
        "SELECT append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                       $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)",
    )
    .bind(row_id(epoch)?)
    .bind(row_id(previous)?)
    .bind(small(shard))
    .bind(account_ids)
    .bind(accounts.iter().map(|a| owner(a.key.account.owner)).collect::<Vec<_>>())
    .bind(accounts.iter().map(|a| i16::from(a.key.account.purpose.code())).collect::<Vec<_>>())
    .bind(account_assets)
    .bind(rows.iter().map(|row| row.command.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.fingerprint.cast_signed()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.at).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.reference).collect::<Vec<_>>())
    .bind(debits)
    .bind(credits)
    .bind(assets)
    .bind(rows.iter().map(|row| small(row.reason)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| i16::from(row.kind.code())).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| small(row.refusal)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.last).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| PgU128(row.amount)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.hold.map(ferrex_ids::HoldId::uuid)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.expires_at).collect::<Vec<_>>())
    .bind(orders.places)
    .bind(orders.markets)
    .bind(orders.orders)
    .bind(orders.others)
    .bind(orders.prices)
    .bind(orders.lots)
    .bind(orders.left)
    .bind(orders.displays)
    .bind(orders.stops)
    .bind(orders.flags)
    .bind(orders.fees)
    .bind(orders.clients)
    .bind(orders.details)
    .execute(connection)
    .await;
    match written {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(refusal)) if refusal.code().as_deref() == Some(FENCED) => {
            Err(Error::Fenced { epoch, previous })
        }
        Err(error) => Err(error).doing("appending to the journal"),
    }
}
