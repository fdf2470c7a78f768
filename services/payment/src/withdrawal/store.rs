//! Withdrawals, their signed payments and their claims in PostgreSQL. Lock order: network, withdrawal, payments.

use ferrex_chains::evm::{B256, EvmAddress};
use ferrex_ids::{UserId, WithdrawalId};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::{Error as DbError, PgU128, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{Candidate, Facts, Mined};
use crate::registry::store::column;

/// A withdrawal as people see it.
#[derive(Clone, Debug)]
pub struct WithdrawalRow {
    /// Which.
    pub id: WithdrawalId,
    /// Whose.
    pub user: UserId,
    /// What.
    pub asset: AssetId,
    /// Key of the network.
    pub network: String,
    /// Where to.
    pub address: EvmAddress,
    /// What the payee receives.
    pub amount: Amount,
    /// What it costs on top.
    pub fee: Amount,
    /// Whether it was paid inside the house.
    pub internal: bool,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Where it stands.
    pub status: String,
    /// What it waits for.
    pub waiting_for: Option<String>,
    /// The transaction that is in a block, or the last that was made.
    pub transaction: Option<B256>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    asset: i32,
    network: String,
    address: [u8; 20],
    amount: PgU128,
    fee: PgU128,
    internal_user: Option<Uuid>,
    requested_at: Timestamp,
    status: String,
    waiting_for: Option<String>,
    transaction: Option<[u8; 32]>,
}

impl From<Row> for WithdrawalRow {
    fn from(row: Row) -> Self {
        Self {
            id: WithdrawalId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            asset: AssetId(row.asset.cast_unsigned()),
            network: row.network,
            address: EvmAddress::from_bytes(row.address),
            amount: row.amount.into(),
            fee: row.fee.into(),
            internal: row.internal_user.is_some(),
            requested_at: row.requested_at,
            status: row.status,
            waiting_for: row.waiting_for,
            transaction: row.transaction.map(B256::new),
        }
    }
}

/// Writes a new withdrawal; its flow is started in the same transaction.
pub async fn insert(tx: &mut PgConnection, facts: &Facts, payee: EvmAddress) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO withdrawal (id, user_id, asset, network, address, amount, fee, internal_user, requested_at, status)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'requested')",
    )
    .bind(facts.withdrawal.uuid())
    .bind(facts.user.uuid())
    .bind(column(facts.asset))
    .bind(&facts.network)
    .bind(payee.bytes())
    .bind(PgU128::from(facts.amount))
    .bind(PgU128::from(facts.fee))
    .bind(facts.internal.map(UserId::uuid))
    .bind(facts.requested_at)
    .execute(tx)
    .await
    .doing("writing a withdrawal")
    .map(drop)
}

/// Writes where a withdrawal stands; one that has ended gives up its claim on the hot wallet.
pub async fn set_status(
    tx: &mut PgConnection,
    id: WithdrawalId,
    status: &str,
    waiting_for: Option<&str>,
    is_final: bool,
) -> Result<(), DbError> {
    sqlx::query("UPDATE withdrawal SET status = $2, waiting_for = $3, is_final = $4 WHERE id = $1")
        .bind(id.uuid())
        .bind(status)
        .bind(waiting_for)
        .bind(is_final)
        .execute(&mut *tx)
        .await
        .doing("writing a withdrawal's status")?;
    if is_final {
        sqlx::query("DELETE FROM hot_wallet_claim WHERE withdrawal = $1")
            .bind(id.uuid())
            .execute(tx)
            .await
            .doing("giving up a claim on the hot wallet")?;
    }
    Ok(())
}

const SELECT_ONE: &str = "
    SELECT w.id, w.user_id, w.asset, w.network, w.address, w.amount, w.fee, w.internal_user, w.requested_at, w.status, w.waiting_for,
           (SELECT o.hash FROM outgoing_transaction o WHERE o.withdrawal = w.id
             ORDER BY (o.height IS NOT NULL) DESC, o.attempt DESC LIMIT 1) AS transaction
      FROM withdrawal w WHERE w.id = $1";

const SELECT_PAGE: &str = "
    SELECT w.id, w.user_id, w.asset, w.network, w.address, w.amount, w.fee, w.internal_user, w.requested_at, w.status, w.waiting_for,
           (SELECT o.hash FROM outgoing_transaction o WHERE o.withdrawal = w.id
             ORDER BY (o.height IS NOT NULL) DESC, o.attempt DESC LIMIT 1) AS transaction
      FROM withdrawal w
     WHERE w.user_id = $1 AND ($2::uuid IS NULL OR w.id < $2) ORDER BY w.id DESC LIMIT $3";

/// One withdrawal.
pub async fn find(connection: &mut PgConnection, id: WithdrawalId) -> Result<Option<WithdrawalRow>, DbError> {
    let row: Option<Row> = sqlx::query_as(SELECT_ONE)
        .bind(id.uuid())
        .fetch_optional(connection)
        .await
        .doing("reading a withdrawal")?;
    Ok(row.map(Into::into))
}

/// A person's withdrawals, newest first, before a given one.
pub async fn list(
    connection: &mut PgConnection,
    user: UserId,
    before: Option<WithdrawalId>,
    limit: i64,
) -> Result<Vec<WithdrawalRow>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(SELECT_PAGE)
        .bind(user.uuid())
        .bind(before.map(WithdrawalId::uuid))
        .bind(limit)
        .fetch_all(connection)
        .await
        .doing("reading withdrawals")?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Locks a withdrawal's row and says where it stands: of a cancel and a claim on the hot wallet, one comes second.
pub async fn lock_status(tx: &mut PgConnection, id: WithdrawalId) -> Result<Option<String>, DbError> {
    sqlx::query_scalar("SELECT status FROM withdrawal WHERE id = $1 FOR UPDATE")
        .bind(id.uuid())
        .fetch_optional(tx)
        .await
        .doing("locking a withdrawal")
}

/// What payments under way take from a network's hot wallet, without the one named: of an asset, and in fees at most.
pub async fn claimed(
    tx: &mut PgConnection,
    network: &str,
    asset: AssetId,
    without: WithdrawalId,
) -> Result<(Amount, Amount), DbError> {
    let (amount, fees): (PgU128, PgU128) = sqlx::query_as(
        "SELECT coalesce(sum(amount) FILTER (WHERE asset = $2), 0)::numeric(39,0), coalesce(sum(fee_cap), 0)::numeric(39,0)
           FROM hot_wallet_claim WHERE network = $1 AND withdrawal <> $3",
    )
    .bind(network)
    .bind(column(asset))
    .bind(without.uuid())
    .fetch_one(tx)
    .await
    .doing("summing the claims on a hot wallet")?;
    Ok((amount.into(), fees.into()))
}

/// Claims the hot wallet's money for a payment; once a withdrawal.
pub async fn claim(
    tx: &mut PgConnection,
    facts: &Facts,
    fee_cap: Amount,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO hot_wallet_claim (withdrawal, network, asset, amount, fee_cap, claimed_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (withdrawal) DO UPDATE SET fee_cap = excluded.fee_cap",
    )
    .bind(facts.withdrawal.uuid())
    .bind(&facts.network)
    .bind(column(facts.asset))
    .bind(PgU128::from(facts.amount))
    .bind(PgU128::from(fee_cap))
    .bind(at)
    .execute(tx)
    .await
    .doing("claiming the hot wallet's money")
    .map(drop)
}

/// How many withdrawals of an asset wait for the hot wallet and were asked for before this one.
pub async fn count_before(connection: &mut PgConnection, facts: &Facts) -> Result<i64, DbError> {
    sqlx::query_scalar(
        "SELECT count(*) FROM withdrawal
          WHERE network = $1 AND asset = $2 AND NOT is_final AND status = 'preparing' AND id < $3",
    )
    .bind(&facts.network)
    .bind(column(facts.asset))
    .bind(facts.withdrawal.uuid())
    .fetch_one(connection)
    .await
    .doing("counting the withdrawals before one")
}

/// Keeps signed bytes before they are sent for the first time (H022). The same bytes again change nothing.
pub async fn insert_payment(
    connection: &mut PgConnection,
    facts: &Facts,
    candidate: &Candidate,
    hash: B256,
    raw: &[u8],
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO outgoing_transaction (hash, network, withdrawal, attempt, nonce, raw, stored_at, filler)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (hash) DO NOTHING",
    )
    .bind(hash.0)
    .bind(&facts.network)
    .bind(facts.withdrawal.uuid())
    .bind(candidate.attempt.cast_signed())
    .bind(candidate.nonce.cast_signed())
    .bind(raw)
    .bind(at)
    .bind(candidate.filler)
    .execute(connection)
    .await
    .doing("keeping signed bytes")
    .map(drop)
}

type MinedRow = (Uuid, [u8; 32], bool, PgU128);

fn mined((withdrawal, hash, succeeded, fee_paid): MinedRow) -> (WithdrawalId, Mined) {
    let hash = B256::new(hash).to_string();
    (
        WithdrawalId::from_uuid(withdrawal),
        Mined {
            hash,
            succeeded,
            fee_paid: fee_paid.into(),
        },
    )
}

/// A transaction in a block.
#[derive(Clone, Copy, Debug)]
pub struct InBlock {
    /// Its hash.
    pub hash: B256,
    /// Whether it did what it should.
    pub succeeded: bool,
    /// What the chain charged.
    pub fee_paid: Amount,
}

/// Marks one of our payments as mined; `None` if it is none of ours. The flag says whether it only fills a nonce.
pub async fn set_mined(
    tx: &mut PgConnection,
    network: &str,
    found: InBlock,
    (height, block): (u64, B256),
) -> Result<Option<(WithdrawalId, Mined, bool)>, DbError> {
    let row: Option<(Uuid, [u8; 32], bool, PgU128, bool)> = sqlx::query_as(
        "UPDATE outgoing_transaction SET height = $3, block_hash = $4, succeeded = $5, fee_paid = $6, confirmed = false
          WHERE network = $1 AND hash = $2 RETURNING withdrawal, hash, succeeded, fee_paid, filler",
    )
    .bind(network)
    .bind(found.hash.0)
    .bind(height.cast_signed())
    .bind(block.0)
    .bind(found.succeeded)
    .bind(PgU128::from(found.fee_paid))
    .fetch_optional(tx)
    .await
    .doing("marking a payment as mined")?;
    Ok(row.map(|(withdrawal, hash, succeeded, fee_paid, filler)| {
        let (id, mined) = mined((withdrawal, hash, succeeded, fee_paid));
        (id, mined, filler)
    }))
}

/// Takes our payments off the chain whose blocks lie above a height.
pub async fn take_back(
    tx: &mut PgConnection,
    network: &str,
    above: u64,
) -> Result<Vec<(WithdrawalId, String)>, DbError> {
    let mut rows: Vec<(Uuid, [u8; 32])> = sqlx::query_as(
        "UPDATE outgoing_transaction SET height = NULL, block_hash = NULL, succeeded = NULL, fee_paid = NULL, confirmed = false
          WHERE network = $1 AND height > $2 RETURNING withdrawal, hash",
    )
    .bind(network)
    .bind(above.cast_signed())
    .fetch_all(tx)
    .await
    .doing("taking payments off the chain")?;
    rows.sort_unstable();
    let row = |(withdrawal, hash): (Uuid, [u8; 32])| {
        (WithdrawalId::from_uuid(withdrawal), B256::new(hash).to_string())
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Marks our payments as confirmed whose blocks are deep enough at `height`.
pub async fn confirm(
    tx: &mut PgConnection,
    network: &str,
    height: u64,
    needed: u32,
) -> Result<Vec<(WithdrawalId, Mined)>, DbError> {
    let mut rows: Vec<MinedRow> = sqlx::query_as(
        "UPDATE outgoing_transaction SET confirmed = true
          WHERE network = $1 AND NOT confirmed AND height IS NOT NULL AND height + $3 - 1 <= $2
         RETURNING withdrawal, hash, succeeded, fee_paid",
    )
    .bind(network)
    .bind(height.cast_signed())
    .bind(i64::from(needed))
    .fetch_all(tx)
    .await
    .doing("confirming payments")?;
    rows.sort_unstable_by_key(|row| row.0);
    Ok(rows.into_iter().map(mined).collect())
}

/// Bytes of what ended a withdrawal and that a reorganisation took off the chain, with no candidate in their place: they
/// are sent again until they are back (F38). Of a settled one the payment, of one that was given up only the filler.
pub async fn list_lost(connection: &mut PgConnection, network: &str) -> Result<Vec<Vec<u8>>, DbError> {
    sqlx::query_scalar(
        "SELECT o.raw FROM outgoing_transaction o JOIN withdrawal w ON w.id = o.withdrawal
          WHERE o.network = $1 AND o.height IS NULL
            AND (w.status = 'settled' AND NOT o.filler OR w.status = 'failed' AND o.filler)
            AND NOT EXISTS (SELECT FROM outgoing_transaction m WHERE m.withdrawal = w.id AND m.height IS NOT NULL)
          ORDER BY o.nonce, o.attempt",
    )
    .bind(network)
    .fetch_all(connection)
    .await
    .doing("looking for payments that a reorganisation lost")
}

/// Hashes of all signed payments of a withdrawal.
pub async fn list_payments(connection: &mut PgConnection, id: WithdrawalId) -> Result<Vec<B256>, DbError> {
    let rows: Vec<[u8; 32]> =
        sqlx::query_scalar("SELECT hash FROM outgoing_transaction WHERE withdrawal = $1 ORDER BY attempt")
            .bind(id.uuid())
            .fetch_all(connection)
            .await
            .doing("reading the payments of a withdrawal")?;
    Ok(rows.into_iter().map(B256::new).collect())
}

/// Records a transaction of the hot wallet that is none of ours; false if it is recorded already.
pub async fn insert_foreign(
    tx: &mut PgConnection,
    network: &str,
    hash: B256,
    height: u64,
    nonce: u64,
    at: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO foreign_transaction (hash, network, height, nonce, seen_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (hash) DO NOTHING",
    )
    .bind(hash.0)
    .bind(network)
    .bind(height.cast_signed())
    .bind(nonce.cast_signed())
    .bind(at)
    .execute(tx)
    .await
    .doing("recording a foreign transaction")?;
    Ok(done.rows_affected() == 1)
}
