use ferrex_engine_core::{AccountRow, Batch, JournalRow};
use ferrex_ledger::Owner;
use ferrex_postgres::{PgU128, entry};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use sqlx::error::DatabaseError;
use uuid::Uuid;

use super::{journal, orders, stored};
use crate::Error;
use crate::error::Doing as _;

/// SQLSTATE that `append` raises for a writer that is not the owner, or after whose predecessor others have come.
const FENCED: &str = "FX001";
/// SQLSTATE that it raises for a batch whose predecessor is not there.
const EARLY: &str = "FX004";
/// SQLSTATE of a wait for a lock that took too long: for the head row, which the batch before has until it is committed.
const WAITED: &str = "55P03";

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is committed.
    Stored,
    /// The batch that it follows has not come, or took too long, and nothing was done.
    Early,
}

/// An account as `append()` takes it.
#[derive(sqlx::Encode)]
struct AccountEntry {
    id: i32,
    owner: Option<Uuid>,
    purpose: i16,
    asset: i32,
}

/// A row as `append()` takes it, which gives it its id. The fingerprint is stored by its bit pattern.
#[derive(sqlx::Encode)]
struct Entry {
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
}

entry!(AccountEntry, "account_entry");
entry!(Entry, "journal_entry");

fn number(id: u32, what: &'static str) -> Result<i32, Error> {
    i32::try_from(id).map_err(|_| stored(what, id))
}

impl AccountEntry {
    fn of(row: &AccountRow) -> Result<Self, Error> {
        Ok(Self {
            id: number(row.id, "account")?,
            owner: match row.key.account.owner {
                Owner::House => None,
                Owner::User(user) => Some(user),
            },
            purpose: row.key.account.purpose.code().into(),
            asset: number(row.key.asset.0, "asset")?,
        })
    }
}

impl Entry {
    fn of(row: &JournalRow) -> Result<Self, Error> {
        Ok(Self {
            command: row.command.uuid(),
            fingerprint: row.fingerprint.cast_signed(),
            at: row.at,
            reference: row.reference,
            debit: number(row.debit, "debit")?,
            credit: number(row.credit, "credit")?,
            asset: number(row.asset, "asset")?,
            reason: row.reason.cast_signed(),
            kind: row.kind.code().into(),
            refusal: row.refusal.cast_signed(),
            last: row.last,
            amount: PgU128(row.amount),
            hold: row.hold.map(ferrex_ids::HoldId::uuid),
            expires_at: row.expires_at,
        })
    }
}

/// Writes a batch as one statement, which is its own transaction. `follows`: the batch before it is on its way as well.
/// [`Error::Fenced`] means refused, any other error means unknown.
pub(crate) async fn append(
    connection: &mut PgConnection,
    epoch: u64,
    previous: u64,
    shard: u16,
    batch: &Batch,
    follows: bool,
) -> Result<Appended, Error> {
    let row_id = |id: u64| i64::try_from(id).map_err(|_| stored("id", id));
    let accounts: Result<Vec<_>, Error> = batch.accounts.iter().map(AccountEntry::of).collect();
    let entries: Result<Vec<_>, Error> = batch.rows.iter().map(Entry::of).collect();
    // `execute` reads to the end of the exchange: an error at commit, after the statement's own answer, is seen.
    let written = sqlx::query("SELECT append($1, $2, $3, $4, $5, $6, $7)")
        .bind(row_id(epoch)?)
        .bind(row_id(previous)?)
        .bind(shard.cast_signed())
        .bind(journal::spans(&batch.rows))
        .bind(accounts?)
        .bind(entries?)
        .bind(orders::entries(&batch.rows)?)
        .execute(connection)
        .await;
    let Err(error) = written else {
        return Ok(Appended::Stored);
    };
    let code = error.as_database_error().and_then(DatabaseError::code);
    match code.as_deref() {
        Some(EARLY | WAITED) if follows => Ok(Appended::Early),
        Some(FENCED | EARLY) => Err(Error::Fenced { epoch, previous }),
        _ => Err(error).doing("appending to the journal"),
    }
}
