//! Reads the books for the independent audit. Uses the driver and `ferrex-audit` and nothing of the engine's.
//!
//! What changes is read in one snapshot of the database, so it may run beside a working engine; the rows of the journal up to
//! its end there never change, and are read after it, for as long as a snapshot lasts no old version of any row can go. The
//! schema is named, so any role that may read it will do.

use ferrex_audit::{
    AccountFact, Auditor, BalanceFact, HoldFact, OpenOrderFact, OrderFact, Projection, Report, Rights,
    RowFact, Units,
};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

/// Ids of the batches that are read at once, and so of their rows.
const PAGE: i64 = 20_000;

/// Why an audit could not be made. It says nothing about the books.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database cannot be reached.
    #[error("connecting to audit the ledger")]
    Connect(#[source] sqlx::Error),
    /// A table cannot be read.
    #[error("reading {what} to audit the ledger")]
    Read {
        /// What was being read.
        what: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A stored number is not one.
    #[error("the number \"{0}\" is stored as an amount")]
    Number(String),
}

fn reading(what: &'static str) -> impl Fn(sqlx::Error) -> AuditError {
    move |source| AuditError::Read { what, source }
}

fn units(text: &str) -> Result<Units, AuditError> {
    Units::parse(text).ok_or_else(|| AuditError::Number(text.to_owned()))
}

/// Audits the ledger of a database, as any role that may read the schema `engine`.
pub async fn run(db_url: &str) -> Result<Report, AuditError> {
    let mut connection = PgConnection::connect(db_url).await.map_err(AuditError::Connect)?;
    let report = audit(&mut connection).await;
    let _ = connection.close().await;
    report
}

/// As [`run`], on a connection that is in no transaction.
pub async fn audit(connection: &mut PgConnection) -> Result<Report, AuditError> {
    let mut auditor = Auditor::new();
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0")
        .execute(&mut *connection)
        .await
        .map_err(reading("a snapshot"))?;
    let ends = state(connection, &mut auditor).await;
    let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
    let (head, end) = ends?;
    let mut from = i64::MIN;
    while let Some((rows, next)) = page(connection, from, end).await? {
        for row in &rows {
            auditor.row(row);
        }
        from = next;
    }
    Ok(auditor.finish(head))
}

/// Hands over all but the rows; answers the id that the head says is the last, and the last batch there is.
async fn state(connection: &mut PgConnection, auditor: &mut Auditor) -> Result<(i64, i64), AuditError> {
    auditor.rights(&rights(connection).await?);
    let accounts: Vec<(i32, Option<Uuid>, i16, i32)> =
        sqlx::query_as("SELECT id, owner, purpose, asset FROM engine.account ORDER BY id")
            .fetch_all(&mut *connection)
            .await
            .map_err(reading("the accounts"))?;
    for (id, owner, purpose, asset) in accounts {
        auditor.account(AccountFact {
            id: id.into(),
            owner,
            purpose: purpose.into(),
            asset: asset.into(),
        });
    }
    auditor.projection(projection(connection).await?);
    let head: i64 = sqlx::query_scalar("SELECT last_id FROM engine.head")
        .fetch_one(&mut *connection)
        .await
        .map_err(reading("the journal's end"))?;
    let last: Option<i64> = sqlx::query_scalar("SELECT max(first_id) FROM engine.journal_batch")
        .fetch_one(connection)
        .await
        .map_err(reading("the journal's last batch"))?;
    Ok((head, last.unwrap_or(0)))
}

async fn rights(connection: &mut PgConnection) -> Result<Rights, AuditError> {
    // A right to a single column counts too; membership in another role is seen through by the has_… functions.
    let writers: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT r.rolname::text FROM pg_roles r, pg_class c
          WHERE c.oid IN ('engine.journal_batch'::regclass, 'engine.journal_span'::regclass) AND r.rolcanlogin AND NOT r.rolsuper AND r.oid <> c.relowner
            AND (has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                 OR has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE'))
          ORDER BY 1",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(reading("the rights to the journal"))?;
    let owner: String = sqlx::query_scalar(
        "SELECT relowner::regrole::text FROM pg_class WHERE oid = 'engine.journal_batch'::regclass",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(reading("the journal's owner"))?;
    // BEFORE (2) UPDATE (16), DELETE (8), TRUNCATE (32), for each statement (not 1), enabled
    let guarded: bool = sqlx::query_scalar(
        "SELECT count(*) = 2 FROM pg_trigger
          WHERE (tgrelid, tgname) IN (('engine.journal_batch'::regclass, 'journal_batch_is_append_only'),
                                      ('engine.journal_span'::regclass, 'journal_span_is_append_only'))
            AND tgtype & 59 = 58 AND tgenabled IN ('O', 'A')",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(reading("the journal's triggers"))?;
    Ok(Rights {
        writers,
        owner,
        guarded,
    })
}

async fn projection(connection: &mut PgConnection) -> Result<Projection, AuditError> {
    let journal_id: i64 = sqlx::query_scalar("SELECT journal_id FROM engine.projection")
        .fetch_one(&mut *connection)
        .await
        .map_err(reading("the projection's row"))?;
    let balances: Vec<(i32, String, String)> =
        sqlx::query_as("SELECT account, total::text, held::text FROM engine.balance")
            .fetch_all(&mut *connection)
            .await
            .map_err(reading("the balances"))?;
    let holds: Vec<(Uuid, i32, String, bool)> =
        sqlx::query_as("SELECT id, account, amount::text, closed FROM engine.hold")
            .fetch_all(&mut *connection)
            .await
            .map_err(reading("the holds"))?;
    let balances = balances
        .into_iter()
        .map(|(account, total, held)| {
            Ok(BalanceFact {
                account: account.into(),
                total: units(&total)?,
                held: units(&held)?,
            })
        })
        .collect::<Result<_, AuditError>>()?;
    let holds = holds
        .into_iter()
        .map(|(id, account, left, closed)| {
            Ok(HoldFact {
                id,
                account: account.into(),
                left: units(&left)?,
                closed,
            })
        })
        .collect::<Result<_, AuditError>>()?;
    Ok(Projection {
        journal_id,
        balances,
        holds,
        orders: open_orders(connection).await?,
    })
}

async fn open_orders(connection: &mut PgConnection) -> Result<Vec<OpenOrderFact>, AuditError> {
    let orders: Vec<(i32, i64, i32, String)> =
        sqlx::query_as("SELECT market, order_no, account, held::text FROM engine.open_order")
            .fetch_all(connection)
            .await
            .map_err(reading("the open orders"))?;
    orders
        .into_iter()
        .map(|(market, order, account, held)| {
            Ok(OpenOrderFact {
                market: market.into(),
                order,
                account: account.into(),
                held: units(&held)?,
            })
        })
        .collect()
}

/// Bit of `journal_order.flags`: the paying order of a trade had set the amount aside.
const MAKER: i32 = 1 << 8;

/// The columns of `journal` that count, read by their places: by their names costs a search for each.
type StoredRow = (
    i64,
    Uuid,
    i64,
    i16,
    Uuid,
    i16,
    i32,
    i32,
    i32,
    String,
    Option<Uuid>,
    i16,
    bool,
);

/// The columns of `journal_order` that count.
type StoredOrder = (i64, i32, i64, i32, String);

fn row_fact(row: StoredRow, order: Option<&StoredOrder>) -> Result<RowFact, AuditError> {
    let (
        id,
        command,
        fingerprint,
        reason,
        reference,
        kind,
        debit,
        credit,
        asset,
        amount,
        hold,
        refusal,
        last,
    ) = row;
    let order = order.map(|(_, market, order, flags, fee)| {
        Ok(OrderFact {
            market: (*market).into(),
            order: *order,
            maker: flags & MAKER != 0,
            fee: units(fee)?,
        })
    });
    Ok(RowFact {
        id,
        command,
        fingerprint,
        reason: reason.into(),
        reference,
        kind: kind.into(),
        debit: debit.into(),
        credit: credit.into(),
        asset: asset.into(),
        amount: units(&amount)?,
        hold,
        refusal: refusal.into(),
        last,
        order: order.transpose()?,
    })
}

/// The rows of the next batches, from batch `from` on up to batch `end`, and where those after them begin; none when there are no more.
/// Whole batches, whatever the ids of their rows: a row that is in two of them is seen twice.
async fn page(
    connection: &mut PgConnection,
    from: i64,
    end: i64,
) -> Result<Option<(Vec<RowFact>, i64)>, AuditError> {
    let next: Option<i64> = sqlx::query_scalar(
        "SELECT min(first_id) FROM engine.journal_batch WHERE first_id >= $1 AND first_id <= $2",
    )
    .bind(from)
    .bind(end)
    .fetch_one(&mut *connection)
    .await
    .map_err(reading("the journal's batches"))?;
    let Some(from) = next else { return Ok(None) };
    let before = from + PAGE;
    let rows: Vec<StoredRow> = sqlx::query_as(
        "SELECT id, command, fingerprint, reason, reference, kind, debit, credit, asset, amount::text, hold, refusal, last
           FROM engine.journal WHERE batch >= $1 AND batch < $2 AND batch <= $3 ORDER BY batch, id",
    )
    .bind(from)
    .bind(before)
    .bind(end)
    .fetch_all(&mut *connection)
    .await
    .map_err(reading("the journal"))?;
    // Put together here: a plan that joins them as if they were empty, which is all that is known of them at first, looks
    // through one for each row of the other.
    let orders: Vec<StoredOrder> = sqlx::query_as(
        "SELECT id, market, order_no, flags, fee::text
           FROM engine.journal_order WHERE batch >= $1 AND batch < $2 AND batch <= $3 ORDER BY batch, id",
    )
    .bind(from)
    .bind(before)
    .bind(end)
    .fetch_all(&mut *connection)
    .await
    .map_err(reading("what the journal says of orders"))?;
    let mut orders = orders.iter().peekable();
    let facts: Result<Vec<RowFact>, AuditError> = rows
        .into_iter()
        .map(|row| {
            while orders.next_if(|order| order.0 < row.0).is_some() {}
            let order = orders.peek().copied().filter(|order| order.0 == row.0);
            row_fact(row, order)
        })
        .collect();
    Ok(Some((facts?, before)))
}
