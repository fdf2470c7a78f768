//! The rows of intents. Lock order: the intent's advisory lock, then its wallet's row.

use ferrex_chains::evm::fees::FeeQuote;
use ferrex_chains::evm::{EvmAddress, SignedTx};
use ferrex_contracts::signer::AdvanceNonce;
use ferrex_ids::IntentId;
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::{PgU128, SqlResult as _, Tx};
use ferrex_time::Timestamp;

use super::model::{Body, Candidate, Intent, Offer, Purpose};
use crate::Error;

/// Makes all work on one intent sequential, also before it has a row: a cancel and a signature never pass each other.
pub(super) async fn lock_intent(tx: &mut Tx, intent: IntentId) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('intent ' || $1::text, 0))")
        .bind(intent.uuid())
        .execute(&mut **tx)
        .await
        .doing("locking an intent")?;
    Ok(())
}

/// Locks the wallet's row and returns its next nonce. The row is made with `first` when there is none.
pub(super) async fn lock_wallet(
    tx: &mut Tx,
    chain_id: u64,
    address: EvmAddress,
    first: u64,
    at: Timestamp,
) -> Result<u64, Error> {
    const LOCK: &str = "SELECT next_nonce FROM wallet WHERE chain_id = $1 AND address = $2 FOR UPDATE";
    let (chain, bytes) = (int(chain_id, "chain_id")?, address.bytes());
    let mut found: Option<i64> = sqlx::query_scalar(LOCK)
        .bind(chain)
        .bind(&bytes[..])
        .fetch_optional(&mut **tx)
        .await
        .doing("locking a wallet")?;
    if found.is_none() {
        // Two signers may meet here; the second waits for the first and then finds its row.
        sqlx::query(
            "INSERT INTO wallet (chain_id, address, next_nonce, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(chain)
        .bind(&bytes[..])
        .bind(int(first, "chain_nonce")?)
        .bind(at)
        .execute(&mut **tx)
        .await
        .doing("adding a wallet")?;
        found = sqlx::query_scalar(LOCK)
            .bind(chain)
            .bind(&bytes[..])
            .fetch_optional(&mut **tx)
            .await
            .doing("locking a new wallet")?;
    }
    found
        .and_then(|next| u64::try_from(next).ok())
        .ok_or(Error::Stored("wallet"))
}

/// Counts the wallet's next nonce up. The caller holds its row.
pub(super) async fn take_nonce(
    tx: &mut Tx,
    chain_id: u64,
    address: EvmAddress,
    taken: u64,
) -> Result<(), Error> {
    let updated = sqlx::query(
        "UPDATE wallet SET next_nonce = $3 + 1 WHERE chain_id = $1 AND address = $2 AND next_nonce = $3",
    )
    .bind(int(chain_id, "chain_id")?)
    .bind(&address.bytes()[..])
    .bind(int(taken, "chain_nonce")?)
    .execute(&mut **tx)
    .await
    .doing("taking a nonce")?;
    if updated.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::Stored("wallet"))
    }
}

/// Raises the wallet's next nonce, and writes down who wanted it. The caller holds its row.
pub(super) async fn advance(
    tx: &mut Tx,
    address: EvmAddress,
    before: u64,
    request: &AdvanceNonce,
    at: Timestamp,
) -> Result<(), Error> {
    let chain = int(request.chain_id, "chain_id")?;
    let next = int(request.next_nonce, "next_nonce")?;
    sqlx::query("UPDATE wallet SET next_nonce = $3 WHERE chain_id = $1 AND address = $2")
        .bind(chain)
        .bind(&address.bytes()[..])
        .bind(next)
        .execute(&mut **tx)
        .await
        .doing("raising a wallet's nonce")?;
    sqlx::query(
        "INSERT INTO nonce_advance (chain_id, address, next_nonce_before, next_nonce, staff, reason, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(chain)
    .bind(&address.bytes()[..])
    .bind(int(before, "next_nonce")?)
    .bind(next)
    .bind(request.by.staff.uuid())
    .bind(&request.by.reason)
    .bind(at)
    .execute(&mut **tx)
    .await
    .doing("writing down why a wallet's nonce was raised")?;
    Ok(())
}

type IntentRow = (i64, i64, i64, Option<Vec<u8>>, Vec<u8>, PgU128);
type SignatureRow = (i32, String, Vec<u8>, PgU128, PgU128);

/// An intent with all its signatures.
pub(super) async fn find(tx: &mut Tx, id: IntentId) -> Result<Option<Intent>, Error> {
    let row: Option<IntentRow> =
        sqlx::query_as("SELECT chain_id, nonce, asset, contract, payee, amount FROM intent WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(&mut **tx)
            .await
            .doing("reading an intent")?;
    let Some((chain_id, nonce, asset, contract, payee, amount)) = row else {
        return Ok(None);
    };
    let rows: Vec<SignatureRow> = sqlx::query_as(
        "SELECT attempt, purpose, raw, max_fee_per_gas, max_priority_fee_per_gas
           FROM signature WHERE intent = $1 ORDER BY attempt",
    )
    .bind(id.uuid())
    .fetch_all(&mut **tx)
    .await
    .doing("reading the signatures of an intent")?;
    let body = Body {
        chain_id: back(chain_id)?,
        asset: AssetId(u32::try_from(asset).map_err(|_| Error::Stored("intent"))?),
        contract: contract.map(address).transpose()?,
        payee: address(payee)?,
        amount: Amount::from(amount),
    };
    let candidates = rows.into_iter().map(candidate).collect::<Result<_, _>>()?;
    Ok(Some(Intent {
        id,
        body,
        nonce: back(nonce)?,
        candidates,
    }))
}

fn candidate((attempt, purpose, raw, fee, tip): SignatureRow) -> Result<Candidate, Error> {
    let purpose = match purpose.as_str() {
        "payment" => Purpose::Payment,
        "filler" => Purpose::Filler,
        _ => return Err(Error::Stored("signature")),
    };
    Ok(Candidate {
        attempt: u32::try_from(attempt).map_err(|_| Error::Stored("signature"))?,
        purpose,
        raw,
        fees: FeeQuote {
            max_fee_per_gas: fee.0,
            max_priority_fee_per_gas: tip.0,
        },
    })
}

/// What would be paid and spent on fees within the window, one intent left out; compared in SQL, where no sum overflows.
pub(super) struct Velocity<'a> {
    pub(super) chain_id: u64,
    pub(super) contract: Option<EvmAddress>,
    pub(super) without: IntentId,
    pub(super) since: Timestamp,
    pub(super) amount: Amount,
    pub(super) amount_max: Amount,
    pub(super) fee: Amount,
    pub(super) fee_max: Amount,
    pub(super) tx: &'a mut Tx,
}

impl Velocity<'_> {
    /// Whether amount and fee fit. The caller holds the wallet's row, so nothing is added meanwhile.
    pub(super) async fn fits(self) -> Result<(bool, bool), Error> {
        sqlx::query_as(
            "SELECT coalesce(sum(amount) FILTER (WHERE contract IS NOT DISTINCT FROM $2), 0) + $5 <= $6,
                    coalesce(sum(fee_max), 0) + $7 <= $8
               FROM intent WHERE chain_id = $1 AND id <> $3 AND created_at > $4",
        )
        .bind(int(self.chain_id, "chain_id")?)
        .bind(self.contract.map(|contract| contract.bytes().to_vec()))
        .bind(self.without.uuid())
        .bind(self.since)
        .bind(PgU128::from(self.amount))
        .bind(PgU128::from(self.amount_max))
        .bind(PgU128::from(self.fee))
        .bind(PgU128::from(self.fee_max))
        .fetch_one(&mut **self.tx)
        .await
        .doing("adding up the payments of a day")
        .map_err(Error::from)
    }
}

/// Adds an intent with its nonce; its first signature follows in the same transaction.
pub(super) async fn add_intent(
    tx: &mut Tx,
    id: IntentId,
    body: &Body,
    hot: EvmAddress,
    nonce: u64,
    fee_max: Amount,
    at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO intent (id, chain_id, address, nonce, asset, contract, payee, amount, fee_max, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(id.uuid())
    .bind(int(body.chain_id, "chain_id")?)
    .bind(&hot.bytes()[..])
    .bind(int(nonce, "chain_nonce")?)
    .bind(i64::from(body.asset.0))
    .bind(body.contract.map(|contract| contract.bytes().to_vec()))
    .bind(&body.payee.bytes()[..])
    .bind(PgU128::from(body.amount))
    .bind(PgU128::from(fee_max))
    .bind(at)
    .execute(&mut **tx)
    .await
    .doing("storing an intent")?;
    Ok(())
}

/// Raises the dearest fee of an intent.
pub(super) async fn raise_fee(tx: &mut Tx, id: IntentId, fee_max: Amount) -> Result<(), Error> {
    sqlx::query("UPDATE intent SET fee_max = greatest(fee_max, $2) WHERE id = $1")
        .bind(id.uuid())
        .bind(PgU128::from(fee_max))
        .execute(&mut **tx)
        .await
        .doing("raising the fee of an intent")?;
    Ok(())
}

/// Adds a signature.
pub(super) async fn add_signature(
    tx: &mut Tx,
    id: IntentId,
    attempt: u32,
    purpose: Purpose,
    offer: Offer,
    signed: &SignedTx,
    at: Timestamp,
) -> Result<(), Error> {
    let purpose = match purpose {
        Purpose::Payment => "payment",
        Purpose::Filler => "filler",
    };
    sqlx::query(
        "INSERT INTO signature (intent, attempt, purpose, raw, hash, r, max_fee_per_gas, max_priority_fee_per_gas, signed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id.uuid())
    .bind(i32::try_from(attempt).map_err(|_| Error::field("attempt", "is too large"))?)
    .bind(purpose)
    .bind(signed.raw())
    .bind(&signed.hash()[..])
    .bind(&signed.signature().0.to_be_bytes::<32>()[..])
    .bind(PgU128(offer.fees.max_fee_per_gas))
    .bind(PgU128(offer.fees.max_priority_fee_per_gas))
    .bind(at)
    .execute(&mut **tx)
    .await
    .doing("storing a signature")?;
    Ok(())
}

/// Whether an intent was cancelled.
pub(super) async fn is_cancelled(tx: &mut Tx, id: IntentId) -> Result<bool, Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM cancelled WHERE intent = $1)")
        .bind(id.uuid())
        .fetch_one(&mut **tx)
        .await
        .doing("reading whether an intent was cancelled")
        .map_err(Error::from)
}

/// Cancels an intent that has no row. The caller holds its lock.
pub(super) async fn cancel(tx: &mut Tx, id: IntentId, at: Timestamp) -> Result<(), Error> {
    sqlx::query("INSERT INTO cancelled (intent, cancelled_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(id.uuid())
        .bind(at)
        .execute(&mut **tx)
        .await
        .doing("cancelling an intent")?;
    Ok(())
}

/// Takes the schema for a keystore, or returns the wallet whose it is already.
pub(crate) async fn claim_keystore(
    tx: &mut Tx,
    account_xpub: &str,
    hot: EvmAddress,
    at: Timestamp,
) -> Result<EvmAddress, Error> {
    sqlx::query(
        "INSERT INTO keystore (family, account_xpub, hot_wallet, created_at) VALUES ('evm', $1, $2, $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(account_xpub)
    .bind(&hot.bytes()[..])
    .bind(at)
    .execute(&mut **tx)
    .await
    .doing("storing the keystore's public side")?;
    let stored: Vec<u8> = sqlx::query_scalar("SELECT hot_wallet FROM keystore WHERE family = 'evm'")
        .fetch_one(&mut **tx)
        .await
        .doing("reading the keystore's public side")?;
    address(stored)
}

fn address(bytes: Vec<u8>) -> Result<EvmAddress, Error> {
    bytes
        .try_into()
        .map(EvmAddress::from_bytes)
        .map_err(|_| Error::Stored("address"))
}

fn int(number: u64, field: &'static str) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::field(field, "must be below 2^63"))
}

fn back(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::Stored("number"))
}
