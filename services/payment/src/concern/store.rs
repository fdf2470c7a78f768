//! What waits for people, in PostgreSQL.

use ferrex_chains::evm::B256;
use ferrex_contracts::StaffAction;
use ferrex_contracts::engine::LedgerAudited;
use ferrex_contracts::payment::{Concern, ConcernKind};
use ferrex_ids::{DepositId, UserId};
use ferrex_money::AssetId;
use ferrex_postgres::{Error as DbError, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::registry::store::column;

/// The number that stands for all assets; no asset has it.
const ALL: i32 = 0;

/// Takes over what an audit found. An older one that arrives later changes nothing; a halt keeps the moment it began.
pub async fn take_audit(tx: &mut PgConnection, audit: &LedgerAudited) -> Result<bool, DbError> {
    let newest = sqlx::query(
        "INSERT INTO ledger_audit (audited_at, findings) VALUES ($1, $2)
         ON CONFLICT (one) DO UPDATE SET audited_at = excluded.audited_at, findings = excluded.findings
          WHERE ledger_audit.audited_at <= excluded.audited_at",
    )
    .bind(audit.at)
    .bind(i64::try_from(audit.findings).unwrap_or(i64::MAX))
    .execute(&mut *tx)
    .await
    .doing("writing what an audit found")?;
    if newest.rows_affected() == 0 {
        return Ok(false);
    }
    let mut halted: Vec<i32> = audit.assets.iter().map(|asset| column(*asset)).collect();
    if audit.concerns_all {
        halted.push(ALL);
    }
    sqlx::query("DELETE FROM audit_halt WHERE NOT asset = ANY ($1)")
        .bind(&halted)
        .execute(&mut *tx)
        .await
        .doing("ending halts")?;
    sqlx::query(
        "INSERT INTO audit_halt (asset, since) SELECT DISTINCT asset, $2 FROM unnest($1) AS asset
         ON CONFLICT (asset) DO NOTHING",
    )
    .bind(&halted)
    .bind(audit.at)
    .execute(tx)
    .await
    .doing("halting assets")?;
    Ok(true)
}

/// Whether an audit found the books of an asset to differ.
pub async fn is_halted(connection: &mut PgConnection, asset: AssetId) -> Result<bool, DbError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM audit_halt WHERE asset IN ($1, $2))")
        .bind(column(asset))
        .bind(ALL)
        .fetch_one(connection)
        .await
        .doing("reading whether the books differ")
}

#[derive(sqlx::FromRow)]
struct Row {
    subject: String,
    reason: String,
    since: Timestamp,
    network: Option<String>,
    asset: Option<String>,
    amount: Option<String>,
    txid: Option<[u8; 32]>,
    user_id: Option<Uuid>,
}

const HALTED_ASSETS: &str = "
    SELECT coalesce(a.symbol, '#' || h.asset) AS subject,
           'the ledger audit found the books of this asset to differ; its withdrawals rest until an audit is clean of it' AS reason,
           h.since, a.network, a.symbol AS asset, NULL AS amount, NULL::bytea AS txid, NULL::uuid AS user_id
      FROM audit_halt h LEFT JOIN asset a ON a.id = h.asset OR h.asset = 0 ORDER BY 1";

const HALTED_NETWORKS: &str = "
    SELECT key AS subject, halted_because AS reason, changed_at AS since, key AS network, NULL AS asset, NULL AS amount,
           NULL::bytea AS txid, NULL::uuid AS user_id
      FROM network WHERE halted_because IS NOT NULL ORDER BY key";

const FOREIGN: &str = "
    SELECT f.network AS subject, 'nonce ' || f.nonce || ' in block ' || f.height AS reason, f.seen_at AS since, f.network,
           NULL AS asset, NULL AS amount, f.hash AS txid, NULL::uuid AS user_id
      FROM foreign_transaction f JOIN network n ON n.key = f.network
     WHERE n.halted_because IS NOT NULL
       AND f.seen_at > coalesce((SELECT max(r.released_at) FROM wallet_release r WHERE r.network = f.network), '-infinity')
     ORDER BY f.network, f.nonce";

const TOO_LARGE: &str = "
    SELECT d.id::text AS subject, 'the amount is above 2^128 - 1 and stands in no account' AS reason, d.seen_at AS since,
           d.network, a.symbol AS asset, d.amount::text AS amount, d.txid, d.user_id
      FROM deposit d JOIN asset a ON a.id = d.asset
     WHERE d.handling = 'too_large' AND d.height IS NOT NULL
       AND NOT EXISTS (SELECT FROM deposit_closing c WHERE c.deposit = d.id)
     ORDER BY d.id";

const REFUSED: &str = "
    SELECT d.id::text AS subject, f.waiting_for AS reason, d.seen_at AS since, d.network, a.symbol AS asset,
           d.amount::text AS amount, d.txid, d.user_id
      FROM deposit d JOIN asset a ON a.id = d.asset JOIN flow f ON f.id = d.id
     WHERE d.status IN ('crediting', 'reversing') AND f.waiting_for IS NOT NULL
     ORDER BY d.id";

/// All concerns of a kind.
pub async fn list(connection: &mut PgConnection, kind: ConcernKind) -> Result<Vec<Concern>, DbError> {
    let sql = match kind {
        ConcernKind::BooksDiffer => HALTED_ASSETS,
        ConcernKind::NetworkHalted => HALTED_NETWORKS,
        ConcernKind::ForeignTransaction => FOREIGN,
        ConcernKind::DepositTooLarge => TOO_LARGE,
        ConcernKind::DepositRefused => REFUSED,
    };
    let rows: Vec<Row> = sqlx::query_as(sql)
        .fetch_all(connection)
        .await
        .doing("listing what waits for people")?;
    let is_deposit = matches!(kind, ConcernKind::DepositTooLarge | ConcernKind::DepositRefused);
    let concern = |row: Row| Concern {
        kind,
        subject: match row.subject.parse() {
            Ok(id) if is_deposit => DepositId::from_uuid(id).to_string(),
            _ => row.subject,
        },
        reason: row.reason,
        since: row.since,
        network: row.network,
        asset: row.asset,
        amount: row.amount,
        transaction: row.txid.map(|txid| B256::new(txid).to_string()),
        user: row.user_id.map(UserId::from_uuid),
    };
    Ok(rows.into_iter().map(concern).collect())
}

/// How a deposit is handled.
pub async fn find_handling(connection: &mut PgConnection, id: DepositId) -> Result<Option<String>, DbError> {
    sqlx::query_scalar("SELECT handling FROM deposit WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(connection)
        .await
        .doing("reading how a deposit is handled")
}

/// Closes a deposit; the first closing stays.
pub async fn close_deposit(
    connection: &mut PgConnection,
    id: DepositId,
    by: &StaffAction,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO deposit_closing (deposit, staff, reason, closed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (deposit) DO NOTHING",
    )
    .bind(id.uuid())
    .bind(by.staff.uuid())
    .bind(&by.reason)
    .bind(at)
    .execute(connection)
    .await
    .doing("closing a deposit")
    .map(drop)
}

/// The highest nonce of the wallet's transactions that were not signed here.
pub async fn find_foreign_nonce(
    connection: &mut PgConnection,
    network: &str,
) -> Result<Option<u64>, DbError> {
    let nonce: Option<i64> =
        sqlx::query_scalar("SELECT max(nonce) FROM foreign_transaction WHERE network = $1")
            .bind(network)
            .fetch_one(connection)
            .await
            .doing("reading the wallet's foreign transactions")?;
    Ok(nonce.map(i64::cast_unsigned))
}

/// Ends a network's halt, and writes down who did.
pub async fn release_wallet(
    tx: &mut PgConnection,
    network: &str,
    next_nonce: u64,
    by: &StaffAction,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO wallet_release (network, next_nonce, staff, reason, released_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(network)
    .bind(next_nonce.cast_signed())
    .bind(by.staff.uuid())
    .bind(&by.reason)
    .bind(at)
    .execute(&mut *tx)
    .await
    .doing("writing down that a wallet may pay again")?;
    sqlx::query("UPDATE network SET halted_because = NULL, changed_at = $2 WHERE key = $1")
        .bind(network)
        .bind(at)
        .execute(tx)
        .await
        .doing("ending a network's halt")
        .map(drop)
}
