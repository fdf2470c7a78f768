use ferrex_engine_core::{AccountRow, JournalRow, Known, RowKind};
use ferrex_ids::{CommandId, HoldId};
use ferrex_postgres::{Copied, CopiedRow, copy_out, present};
use ferrex_time::from_micros;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::orders::{part, parts_between};
use super::{account_key, natural, stored};
use crate::Error;
use crate::beside::blocking;
use crate::error::Doing as _;

/// A row without what it has about a market or an order.
fn plain(row: &mut CopiedRow<'_>) -> Result<JournalRow, Error> {
    let id = row.i64()?;
    Ok(JournalRow {
        id: natural(id, "id", id)?,
        command: CommandId::from_uuid(present(row.uuid()?)?),
        fingerprint: row.i64()?.cast_unsigned(),
        at: from_micros(present(row.micros()?)?),
        reference: present(row.uuid()?)?,
        debit: natural(row.i32()?, "debit", id)?,
        credit: natural(row.i32()?, "credit", id)?,
        asset: natural(row.i32()?, "asset", id)?,
        reason: row.i16()?.cast_unsigned(),
        kind: u8::try_from(row.i16()?)
            .ok()
            .and_then(RowKind::from_code)
            .ok_or_else(|| stored("kind", id))?,
        refusal: row.i16()?.cast_unsigned(),
        last: row.bool()?,
        amount: row.amount()?,
        hold: row.uuid()?.map(HoldId::from_uuid),
        expires_at: row.micros()?.map(from_micros),
        order: None,
        details: None,
    })
}

/// Which 256 ms an id is of. A batch is found by those of its commands.
fn span(id: CommandId) -> i64 {
    let mut bytes = [0; 8];
    bytes[3..].copy_from_slice(&id.uuid().as_bytes()[..5]);
    i64::from_be_bytes(bytes)
}

/// Those of the commands of a batch, each once, that of the first command first.
pub(super) fn spans(rows: &[JournalRow]) -> Vec<i64> {
    let mut spans: Vec<i64> = rows.iter().map(|row| span(row.command)).collect();
    if let Some((first, others)) = spans.split_first_mut() {
        let first = *first;
        others.sort_unstable_by_key(|span| (*span != first, *span));
        spans.dedup();
    }
    spans
}

/// Id of the journal's last row.
pub(crate) async fn last_id(db: impl PgExecutor<'_>) -> Result<u64, Error> {
    let id: i64 = sqlx::query_scalar("SELECT last_id FROM head")
        .fetch_one(db)
        .await
        .doing("reading the journal's end")?;
    natural(id, "last_id", "head")
}

/// Rows of the journal as they came from the database.
pub(crate) struct Page {
    rows: Copied,
    parts: Copied,
}

impl Page {
    /// Reads the rows, which takes a while: not where somebody waits.
    pub(crate) fn rows(&self) -> Result<Vec<JournalRow>, Error> {
        let mut rows = self.rows.rows(plain)?;
        let mut parts = self.parts.rows(part)?.into_iter();
        for row in rows.iter_mut().filter(|row| row.kind.is_trading()) {
            let (id, part, details) = parts.next().ok_or_else(|| stored("journal_order", row.id))?;
            if id != row.id {
                return Err(stored("journal_order", row.id));
            }
            (row.order, row.details) = (Some(part), details);
        }
        Ok(rows)
    }
}

/// What holds for the rows after `after` up to `upto`, of the journal and of what it has about orders.
pub(super) fn within(after: u64, upto: u64) -> String {
    // The batches first, which have an index.
    format!("batch >= (SELECT batch_of({after} + 1)) AND batch <= {upto} AND id > {after} AND id <= {upto}")
}

/// The rows after `after` up to `upto`, in order. Only for a connection of one's own, which an error leaves in no state to go on with.
pub(crate) async fn page(connection: &mut PgConnection, after: u64, upto: u64) -> Result<Page, Error> {
    let rows = format!(
        "SELECT id, command, fingerprint, at, reference, debit, credit, asset, reason, kind, refusal, last, amount, hold, expires_at
           FROM journal WHERE {} ORDER BY batch, id",
        within(after, upto)
    );
    Ok(Page {
        rows: copy_out(connection, &rows, "reading the journal").await?,
        parts: parts_between(connection, after, upto).await?,
    })
}

/// As [`page`], read.
pub(crate) async fn rows_between(
    connection: &mut PgConnection,
    after: u64,
    upto: u64,
) -> Result<Vec<JournalRow>, Error> {
    let page = page(connection, after, upto).await?;
    blocking(move || page.rows()).await
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
    let commands: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let spans: Vec<i64> = ids.iter().map(|id| span(*id)).collect();
    let rows: Vec<(Uuid, i64, i64, i16)> = sqlx::query_as(
        "SELECT j.command, j.fingerprint, j.id, j.refusal
           FROM (SELECT first_id FROM journal_batch WHERE span = ANY($2)
                 UNION SELECT first_id FROM journal_span WHERE span = ANY($2)) AS found
           -- Each by its id: a table that nobody has analysed would be read as a whole.
          CROSS JOIN LATERAL (SELECT * FROM journal WHERE batch = found.first_id AND command = ANY($1) AND last OFFSET 0) AS j",
    )
    .bind(commands)
    .bind(spans)
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
