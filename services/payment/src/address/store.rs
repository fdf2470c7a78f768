//! Addresses in PostgreSQL. Lock order: the wallet's row, then addresses.

use ferrex_chains::evm::EvmAddress;
use ferrex_ids::UserId;
use ferrex_postgres::{Error as DbError, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

/// The public side of the wallet.
#[expect(
    clippy::struct_field_names,
    reason = "a hot wallet is what the glossary calls it"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Extended public key of the account.
    pub xpub: String,
    /// The address that pays withdrawals.
    pub hot_wallet: EvmAddress,
    /// The next unused index of deposit addresses.
    pub next_index: u32,
}

/// An address given to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositAddress {
    /// The address.
    pub address: EvmAddress,
    /// Key of the network it was given for.
    pub network: String,
    /// Whether it is the one to show.
    pub current: bool,
    /// When it was given.
    pub created_at: Timestamp,
}

type WalletRow = (String, [u8; 20], i64);

fn wallet((xpub, hot_wallet, next_index): WalletRow) -> Wallet {
    let next_index = u32::try_from(next_index).expect("the table checks the range of the index");
    Wallet {
        xpub,
        hot_wallet: EvmAddress::from_bytes(hot_wallet),
        next_index,
    }
}

/// The wallet, once the signer told it.
pub async fn find_wallet(connection: &mut PgConnection) -> Result<Option<Wallet>, DbError> {
    let row: Option<WalletRow> = sqlx::query_as("SELECT xpub, hot_wallet, next_index FROM wallet")
        .fetch_optional(connection)
        .await
        .doing("reading the wallet")?;
    Ok(row.map(wallet))
}

/// The wallet with its row locked, so that indexes are taken one after the other and become visible in order.
pub async fn lock_wallet(tx: &mut PgConnection) -> Result<Option<Wallet>, DbError> {
    let row: Option<WalletRow> = sqlx::query_as("SELECT xpub, hot_wallet, next_index FROM wallet FOR UPDATE")
        .fetch_optional(tx)
        .await
        .doing("locking the wallet")?;
    Ok(row.map(wallet))
}

/// Keeps the wallet that the signer told first.
pub async fn insert_wallet(
    connection: &mut PgConnection,
    xpub: &str,
    hot_wallet: EvmAddress,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO wallet (family, xpub, hot_wallet, learned_at) VALUES ('evm', $1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(xpub)
        .bind(hot_wallet.bytes())
        .bind(at)
        .execute(connection)
        .await
        .doing("writing the wallet")
        .map(drop)
}

/// Says which index is the next.
pub async fn set_next_index(tx: &mut PgConnection, next: u32) -> Result<(), DbError> {
    sqlx::query("UPDATE wallet SET next_index = $1")
        .bind(i64::from(next))
        .execute(tx)
        .await
        .doing("taking an index")
        .map(drop)
}

type AddressRow = ([u8; 20], String, bool, Timestamp);

fn address((address, network, current, created_at): AddressRow) -> DepositAddress {
    DepositAddress {
        address: EvmAddress::from_bytes(address),
        network,
        current,
        created_at,
    }
}

/// A person's current address.
pub async fn find_current(
    connection: &mut PgConnection,
    user: UserId,
    network: &str,
) -> Result<Option<DepositAddress>, DbError> {
    let row: Option<AddressRow> = sqlx::query_as(
        "SELECT address, network, current, created_at FROM deposit_address WHERE user_id = $1 AND network = $2 AND current",
    )
    .bind(user.uuid())
    .bind(network)
    .fetch_optional(connection)
    .await
    .doing("reading a deposit address")?;
    Ok(row.map(address))
}

/// All addresses of a person, newest first.
pub async fn list(connection: &mut PgConnection, user: UserId) -> Result<Vec<DepositAddress>, DbError> {
    let rows: Vec<AddressRow> = sqlx::query_as(
        "SELECT address, network, current, created_at FROM deposit_address WHERE user_id = $1 ORDER BY index DESC",
    )
    .bind(user.uuid())
    .fetch_all(connection)
    .await
    .doing("reading deposit addresses")?;
    Ok(rows.into_iter().map(address).collect())
}

/// Whether anything was ever paid to an address.
pub async fn is_used(connection: &mut PgConnection, address: EvmAddress) -> Result<bool, DbError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM deposit WHERE address = $1)")
        .bind(address.bytes())
        .fetch_one(connection)
        .await
        .doing("looking for payments to an address")
}

/// Writes an address as a person's current one; the former stays watched.
pub async fn insert_current(
    tx: &mut PgConnection,
    user: UserId,
    network: &str,
    address: EvmAddress,
    index: u32,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("UPDATE deposit_address SET current = false WHERE user_id = $1 AND network = $2 AND current")
        .bind(user.uuid())
        .bind(network)
        .execute(&mut *tx)
        .await
        .doing("retiring a deposit address")?;
    sqlx::query(
        "INSERT INTO deposit_address (address, index, user_id, network, current, created_at) VALUES ($1, $2, $3, $4, true, $5)",
    )
    .bind(address.bytes())
    .bind(i64::from(index))
    .bind(user.uuid())
    .bind(network)
    .bind(at)
    .execute(tx)
    .await
    .doing("writing a deposit address")
    .map(drop)
}

/// Whose an address is.
pub async fn find_owner(
    connection: &mut PgConnection,
    address: EvmAddress,
) -> Result<Option<UserId>, DbError> {
    let user: Option<Uuid> = sqlx::query_scalar("SELECT user_id FROM deposit_address WHERE address = $1")
        .bind(address.bytes())
        .fetch_optional(connection)
        .await
        .doing("looking for the owner of an address")?;
    Ok(user.map(UserId::from_uuid))
}

/// Addresses from an index on, in the order they were given.
pub async fn list_from(connection: &mut PgConnection, index: i64) -> Result<Vec<(i64, EvmAddress)>, DbError> {
    let rows: Vec<(i64, [u8; 20])> =
        sqlx::query_as("SELECT index, address FROM deposit_address WHERE index >= $1 ORDER BY index")
            .bind(index)
            .fetch_all(connection)
            .await
            .doing("reading watched addresses")?;
    Ok(rows
        .into_iter()
        .map(|(index, address)| (index, EvmAddress::from_bytes(address)))
        .collect())
}
