//! Deposits in PostgreSQL. Written by the follower in the transaction of a block, and by the flow's projection.

use ferrex_chains::evm::{B256, EvmAddress, TransferFound, U256};
use ferrex_ids::{DepositId, UserId};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::{Error as DbError, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::registry::{Asset, Network, store::column};

/// What becomes of a payment that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// A flow carries it to its credit.
    Credit(Amount),
    /// Recorded and shown, not credited (H014).
    BelowMinimum,
    /// More than the ledger can hold: recorded, for people to look at.
    TooLarge,
}

impl Handling {
    /// Decides by the amount.
    pub fn of(amount: U256, minimum: Amount, to_the_house: bool) -> Self {
        match u128::try_from(amount) {
            Err(_) => Self::TooLarge,
            Ok(units) if !to_the_house && units < minimum.units() => Self::BelowMinimum,
            Ok(units) => Self::Credit(Amount::new(units)),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Credit(_) => "credit",
            Self::BelowMinimum => "below_minimum",
            Self::TooLarge => "too_large",
        }
    }
}

/// A deposit as people see it.
#[derive(Clone, Debug)]
pub struct DepositRow {
    /// Which.
    pub id: DepositId,
    /// Key of the network.
    pub network: String,
    /// Hash of the transaction.
    pub txid: B256,
    /// What.
    pub asset: AssetId,
    /// The address that was paid.
    pub address: EvmAddress,
    /// How much, in smallest units; may be more than fits an [`Amount`].
    pub amount: U256,
    /// Where it stands.
    pub status: String,
    /// Height of its block.
    pub height: Option<u64>,
    /// Confirmations it needs.
    pub confirmations_needed: u32,
    /// Height up to which the network was read.
    pub read_to: Option<u64>,
    /// When it was first seen.
    pub seen_at: Timestamp,
}

impl DepositRow {
    /// Blocks on top of its transaction, its own included, at most as many as it needs.
    pub fn confirmations(&self) -> u32 {
        let blocks = match (self.height, self.read_to) {
            (Some(height), Some(read_to)) => (read_to + 1).saturating_sub(height),
            _ => 0,
        };
        u32::try_from(blocks)
            .unwrap_or(u32::MAX)
            .min(self.confirmations_needed)
    }
}

/// What [`upsert_found`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The deposit's id, the same for the same payment whatever block it is in.
    pub id: DepositId,
    /// Whether a flow carries it.
    pub has_flow: bool,
}

/// Records a payment in a block; one that was in another block before keeps its identity (F10, H002). `None` if what
/// stands in its place now pays another address or asset than before.
#[expect(clippy::too_many_arguments, reason = "the parts of one row")]
pub async fn upsert_found(
    tx: &mut PgConnection,
    id: DepositId,
    network: &Network,
    asset: &Asset,
    user: Option<UserId>,
    found: &TransferFound,
    handling: Handling,
    (height, block): (u64, B256),
    at: Timestamp,
) -> Result<Option<Recorded>, DbError> {
    let status = if let Handling::Credit(_) = handling {
        "confirming"
    } else {
        handling.text()
    };
    let row: Option<(Uuid, String)> = sqlx::query_as(
        "INSERT INTO deposit AS d (id, network, txid, position, asset, address, sender, user_id, amount, handling, status,
                                   confirmations_needed, height, block_hash, seen_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::numeric, $10, $11, $12, $13, $14, $15)
         ON CONFLICT ON CONSTRAINT deposit_identity_unique DO UPDATE
            SET height = excluded.height, block_hash = excluded.block_hash, confirmed = false, amount = excluded.amount,
                status = CASE WHEN d.handling = 'credit' THEN d.status ELSE d.handling END
          WHERE d.asset = excluded.asset AND d.address = excluded.address
         RETURNING d.id, d.handling",
    )
    .bind(id.uuid())
    .bind(&network.key)
    .bind(found.tx.0)
    .bind(found.kind.position().cast_signed())
    .bind(column(asset.id))
    .bind(found.to.bytes())
    .bind(found.from.map(EvmAddress::bytes))
    .bind(user.map(UserId::uuid))
    .bind(found.amount.to_string())
    .bind(handling.text())
    .bind(status)
    .bind(network.confirmations.cast_signed())
    .bind(height.cast_signed())
    .bind(block.0)
    .bind(at)
    .fetch_optional(tx)
    .await
    .doing("recording a deposit")?;
    Ok(row.map(|(id, handling)| Recorded {
        id: DepositId::from_uuid(id),
        has_flow: handling == "credit",
    }))
}

/// Takes deposits off the chain whose blocks lie above a height; answers those with a flow.
pub async fn take_back(tx: &mut PgConnection, network: &str, above: u64) -> Result<Vec<DepositId>, DbError> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "UPDATE deposit SET height = NULL, block_hash = NULL, confirmed = false,
                status = CASE WHEN handling = 'credit' THEN status ELSE 'dropped' END
          WHERE network = $1 AND height > $2
         RETURNING id, handling",
    )
    .bind(network)
    .bind(above.cast_signed())
    .fetch_all(tx)
    .await
    .doing("taking deposits off the chain")?;
    Ok(with_flow(rows))
}

/// Marks deposits as confirmed whose blocks are deep enough at `height`; answers those with a flow.
pub async fn confirm(tx: &mut PgConnection, network: &str, height: u64) -> Result<Vec<DepositId>, DbError> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "UPDATE deposit SET confirmed = true
          WHERE network = $1 AND NOT confirmed AND height IS NOT NULL AND height + confirmations_needed - 1 <= $2
         RETURNING id, handling",
    )
    .bind(network)
    .bind(height.cast_signed())
    .fetch_all(tx)
    .await
    .doing("confirming deposits")?;
    Ok(with_flow(rows))
}

/// In the order of ids, so that all who lock flows lock them in one order.
fn with_flow(rows: Vec<(Uuid, String)>) -> Vec<DepositId> {
    let mut ids: Vec<DepositId> = rows
        .into_iter()
        .filter(|(_, handling)| handling == "credit")
        .map(|(id, _)| DepositId::from_uuid(id))
        .collect();
    ids.sort_unstable();
    ids
}

/// Writes where a deposit stands.
pub async fn set_status(tx: &mut PgConnection, id: DepositId, status: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE deposit SET status = $2 WHERE id = $1")
        .bind(id.uuid())
        .bind(status)
        .execute(tx)
        .await
        .doing("writing a deposit's status")
        .map(drop)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    network: String,
    txid: [u8; 32],
    asset: i32,
    address: [u8; 20],
    amount: String,
    status: String,
    height: Option<i64>,
    confirmations_needed: i32,
    read_to: Option<i64>,
    seen_at: Timestamp,
}

impl From<Row> for DepositRow {
    fn from(row: Row) -> Self {
        Self {
            id: DepositId::from_uuid(row.id),
            network: row.network,
            txid: B256::new(row.txid),
            asset: AssetId(row.asset.cast_unsigned()),
            address: EvmAddress::from_bytes(row.address),
            amount: row
                .amount
                .parse()
                .expect("the column holds what a chain's 256-bit amount was written as"),
            status: row.status,
            height: row.height.map(i64::cast_unsigned),
            confirmations_needed: row.confirmations_needed.cast_unsigned(),
            read_to: row.read_to.map(i64::cast_unsigned),
            seen_at: row.seen_at,
        }
    }
}

/// A person's deposits, newest first, before a given one.
pub async fn list(
    connection: &mut PgConnection,
    user: UserId,
    before: Option<DepositId>,
    limit: i64,
) -> Result<Vec<DepositRow>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT d.id, d.network, d.txid, d.asset, d.address, d.amount::text AS amount, d.status, d.height,
                d.confirmations_needed, c.height AS read_to, d.seen_at
           FROM deposit d JOIN chain_cursor c ON c.network = d.network
          WHERE d.user_id = $1 AND ($2::uuid IS NULL OR d.id < $2)
          ORDER BY d.id DESC LIMIT $3",
    )
    .bind(user.uuid())
    .bind(before.map(DepositId::uuid))
    .bind(limit)
    .fetch_all(connection)
    .await
    .doing("reading deposits")?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// One deposit of a person.
pub async fn find(
    connection: &mut PgConnection,
    user: UserId,
    id: DepositId,
) -> Result<Option<DepositRow>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT d.id, d.network, d.txid, d.asset, d.address, d.amount::text AS amount, d.status, d.height,
                d.confirmations_needed, c.height AS read_to, d.seen_at
           FROM deposit d JOIN chain_cursor c ON c.network = d.network
          WHERE d.user_id = $1 AND d.id = $2",
    )
    .bind(user.uuid())
    .bind(id.uuid())
    .fetch_optional(connection)
    .await
    .doing("reading a deposit")?;
    Ok(row.map(Into::into))
}

/// What a person will receive when it is confirmed, by asset.
pub async fn pending(connection: &mut PgConnection, user: UserId) -> Result<Vec<(AssetId, Amount)>, DbError> {
    let rows: Vec<(i32, ferrex_postgres::PgU128)> = sqlx::query_as(
        "SELECT asset, least(sum(amount), 340282366920938463463374607431768211455)::numeric(39,0) FROM deposit
          WHERE user_id = $1 AND status IN ('confirming', 'crediting') AND height IS NOT NULL GROUP BY asset",
    )
    .bind(user.uuid())
    .fetch_all(connection)
    .await
    .doing("summing pending deposits")?;
    Ok(rows
        .into_iter()
        .map(|(asset, sum)| (AssetId(asset.cast_unsigned()), sum.into()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_ledger_cannot_hold_is_not_credited() {
        let minimum = Amount::new(10);
        assert_eq!(
            Handling::of(U256::from(10), minimum, false),
            Handling::Credit(Amount::new(10))
        );
        assert_eq!(
            Handling::of(U256::from(9), minimum, false),
            Handling::BelowMinimum
        );
        assert_eq!(
            Handling::of(U256::from(9), minimum, true),
            Handling::Credit(Amount::new(9))
        );
        assert_eq!(
            Handling::of(U256::from(u128::MAX), minimum, false),
            Handling::Credit(Amount::MAX)
        );
        assert_eq!(
            Handling::of(U256::from(u128::MAX) + U256::from(1), minimum, false),
            Handling::TooLarge
        );
        assert_eq!(Handling::of(U256::MAX, minimum, true), Handling::TooLarge);
    }
}
