//! Reads the books for the independent audit. Uses the driver and `ferrex-audit` and nothing of the engine's.
//!
//! One snapshot of the database, so it may run beside a working engine; the schema is named, so any role that may read
//! it will do.

use ferrex_audit::{
    AccountFact, Auditor, BalanceFact, HoldFact, OpenOrderFact, OrderFact, Projection, Report, Rights,
    RowFact, Units,
};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

/// Journal rows read at once.
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
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0")
        .execute(&mut *connection)
        .await
        .map_err(reading("a snapshot"))?;
    let report = read(connection).await;
    let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
    report
}

async fn read(connection: &mut PgConnection) -> Result<Report, AuditError> {
    let mut auditor = Auditor::new();
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
    let mut last = 0;
    loop {
        let rows = page(connection, last).await?;
        let Some(end) = rows.last().map(|row| row.id) else {
            break;
        };
        for row in &rows {
            auditor.row(row);
        }
        last = end;
    }
    let head: i64 = sqlx::query_scalar("SELECT last_id FROM engine.head")
        .fetch_one(&mut *connection)
        .await
        .map_err(reading("the journal's end"))?;
    Ok(auditor.finish(head))
}

async fn rights(connection: &mut PgConnection) -> Result<Rights, AuditError> {
    // A right to a single column counts too; membership in another role is seen through by the has_… functions.
    let writers: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT r.rolname::text FROM pg_roles r, pg_class c
          WHERE c.oid IN ('engine.journal'::regclass, 'engine.journal_order'::regclass) AND r.rolcanlogin AND NOT r.rolsuper AND r.oid <> c.relowner
            AND (has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                 OR has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE'))
          ORDER BY 1",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(reading("the rights to the journal"))?;
    let owner: String = sqlx::query_scalar(
        "SELECT relowner::regrole::text FROM pg_class WHERE oid = 'engine.journal'::regclass",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(reading("the journal's owner"))?;
    // BEFORE (2) UPDATE (16), DELETE (8), TRUNCATE (32), for each statement (not 1), enabled
    let guarded: bool = sqlx::query_scalar(
        "SELECT count(*) = 2 FROM pg_trigger
          WHERE (tgrelid, tgname) IN (('engine.journal'::regclass, 'journal_is_append_only'),
                                      ('engine.journal_order'::regclass, 'journal_order_is_append_only'))
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

#[derive(sqlx::FromRow)]
struct StoredRow {
    id: i64,
    command: Uuid,
    fingerprint: i64,
    reason: i16,
    reference: Uuid,
    kind: i16,
    debit: i32,
    credit: i32,
    asset: i32,
    amount: String,
    hold: Option<Uuid>,
    refusal: i16,
    last: bool,
    market: Option<i32>,
    order_no: Option<i64>,
    flags: Option<i32>,
    fee: Option<String>,
}

impl StoredRow {
    fn order(&self) -> Result<Option<OrderFact>, AuditError> {
        let (Some(market), Some(order), Some(flags), Some(fee)) =
            (self.market, self.order_no, self.flags, &self.fee)
        else {
            return Ok(None);
        };
        Ok(Some(OrderFact {
            market: market.into(),
            order,
            maker: flags & MAKER != 0,
            fee: units(fee)?,
        }))
    }
}

/// The rows that follow `after`. A gap wider than a page is looked over by asking for the next row there is.
async fn page(connection: &mut PgConnection, after: i64) -> Result<Vec<RowFact>, AuditError> {
    let next: Option<i64> = sqlx::query_scalar(
        "SELECT CASE WHEN EXISTS (SELECT FROM engine.journal WHERE id > $1 AND id <= $1 + $2) THEN $1
                     ELSE (SELECT min(id) - 1 FROM engine.journal WHERE id > $1) END",
    )
    .bind(after)
    .bind(PAGE)
    .fetch_one(&mut *connection)
    .await
    .map_err(reading("the journal"))?;
    let Some(after) = next else { return Ok(Vec::new()) };
    let rows: Vec<StoredRow> = sqlx::query_as(
        "SELECT j.id, j.command, j.fingerprint, j.reason, j.reference, j.kind, j.debit, j.credit, j.asset, j.amount::text AS amount,
                j.hold, j.refusal, j.last, o.market, o.order_no, o.flags, o.fee::text AS fee
           FROM (SELECT * FROM engine.journal WHERE id > $1 AND id <= $1 + $2) j
           LEFT JOIN (SELECT * FROM engine.journal_order WHERE id > $1 AND id <= $1 + $2) o ON o.id = j.id
          ORDER BY j.id",
    )
    .bind(after)
    .bind(PAGE)
    .fetch_all(&mut *connection)
    .await
    .map_err(reading("the journal"))?;
    rows.into_iter()
        .map(|row| {
            Ok(RowFact {
                id: row.id,
                command: row.command,
                fingerprint: row.fingerprint,
                reason: row.reason.into(),
                reference: row.reference,
                kind: row.kind.into(),
                debit: row.debit.into(),
                credit: row.credit.into(),
                asset: row.asset.into(),
                amount: units(&row.amount)?,
                hold: row.hold,
                refusal: row.refusal.into(),
                last: row.last,
                order: row.order()?,
            })
        })
        .collect()
}
