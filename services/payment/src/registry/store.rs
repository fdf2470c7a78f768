//! Networks and assets in PostgreSQL.

use ferrex_chains::evm::EvmAddress;
use ferrex_contracts::payment::{AssetTerms, CreateAsset, PutNetwork};
use ferrex_fault::Fault;
use ferrex_money::{AssetId, Decimals};
use ferrex_postgres::{Error as DbError, PgU128, SqlResult as _, is_unique_violation};
use ferrex_time::Timestamp;
use sqlx::PgConnection;

use super::{Asset, Error, Network};

/// Serialises the numbering of assets, so that the numbers stay dense.
const NUMBERING: i64 = 0x7061_7961_7373_6574;

#[derive(sqlx::FromRow)]
struct NetworkRow {
    key: String,
    name: String,
    chain_id: i64,
    rpc_urls: Vec<String>,
    confirmations: i32,
    enabled: bool,
    halted_because: Option<String>,
}

impl From<NetworkRow> for Network {
    fn from(row: NetworkRow) -> Self {
        Self {
            key: row.key,
            name: row.name,
            chain_id: row.chain_id.cast_unsigned(),
            rpc_urls: row.rpc_urls,
            confirmations: row.confirmations.cast_unsigned(),
            enabled: row.enabled,
            halted_because: row.halted_because,
        }
    }
}

#[derive(sqlx::FromRow)]
struct AssetRow {
    id: i32,
    symbol: String,
    name: String,
    network: String,
    contract: Option<[u8; 20]>,
    decimals: i16,
    deposit_minimum: PgU128,
    withdrawal_minimum: PgU128,
    withdrawal_fee: PgU128,
    approval_threshold: PgU128,
    deposits_enabled: bool,
    withdrawals_enabled: bool,
}

impl From<AssetRow> for Asset {
    fn from(row: AssetRow) -> Self {
        let places = u8::try_from(row.decimals)
            .ok()
            .and_then(|places| Decimals::try_new(places).ok());
        Self {
            id: AssetId(row.id.cast_unsigned()),
            symbol: row.symbol,
            name: row.name,
            network: row.network,
            contract: row.contract.map(EvmAddress::from_bytes),
            decimals: places.expect("the table checks that decimals are 0 to 30"),
            terms: AssetTerms {
                deposit_minimum: row.deposit_minimum.into(),
                withdrawal_minimum: row.withdrawal_minimum.into(),
                withdrawal_fee: row.withdrawal_fee.into(),
                approval_threshold: row.approval_threshold.into(),
                deposits_enabled: row.deposits_enabled,
                withdrawals_enabled: row.withdrawals_enabled,
            },
        }
    }
}

/// An asset's number as the column holds it.
pub fn column(asset: AssetId) -> i32 {
    asset.0.cast_signed()
}

/// All networks by key.
pub async fn list_networks(connection: &mut PgConnection) -> Result<Vec<Network>, DbError> {
    let rows: Vec<NetworkRow> = sqlx::query_as("SELECT * FROM network ORDER BY key")
        .fetch_all(connection)
        .await
        .doing("reading the networks")?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// A network.
pub async fn find_network(connection: &mut PgConnection, key: &str) -> Result<Option<Network>, DbError> {
    let row: Option<NetworkRow> = sqlx::query_as("SELECT * FROM network WHERE key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await
        .doing("reading a network")?;
    Ok(row.map(Into::into))
}

/// A network, or the fault that there is none.
pub async fn get_network(connection: &mut PgConnection, key: &str) -> Result<Network, Fault> {
    let network = find_network(connection, key).await?;
    network.ok_or_else(|| Error::NetworkUnknown(key.to_owned()).into())
}

/// Locks a network's row, which makes claims on its hot wallet one after the other.
pub async fn lock_network(connection: &mut PgConnection, key: &str) -> Result<(), DbError> {
    sqlx::query("SELECT 1 FROM network WHERE key = $1 FOR UPDATE")
        .bind(key)
        .execute(connection)
        .await
        .doing("locking a network")
        .map(drop)
}

/// All assets by number.
pub async fn list_assets(connection: &mut PgConnection) -> Result<Vec<Asset>, DbError> {
    let rows: Vec<AssetRow> = sqlx::query_as("SELECT * FROM asset ORDER BY id")
        .fetch_all(connection)
        .await
        .doing("reading the assets")?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// An asset by symbol.
pub async fn find_asset_by_symbol(
    connection: &mut PgConnection,
    symbol: &str,
) -> Result<Option<Asset>, DbError> {
    let row: Option<AssetRow> = sqlx::query_as("SELECT * FROM asset WHERE symbol = $1")
        .bind(symbol)
        .fetch_optional(connection)
        .await
        .doing("reading an asset")?;
    Ok(row.map(Into::into))
}

/// An asset by number, or the fault that there is none.
pub async fn get_asset(connection: &mut PgConnection, asset: AssetId) -> Result<Asset, Fault> {
    let row: Option<AssetRow> = sqlx::query_as("SELECT * FROM asset WHERE id = $1")
        .bind(column(asset))
        .fetch_optional(connection)
        .await
        .doing("reading an asset")?;
    row.map(Into::into)
        .ok_or_else(|| Error::AssetUnknown(asset.to_string()).into())
}

/// The coin of a network.
pub async fn find_native(connection: &mut PgConnection, network: &str) -> Result<Option<Asset>, DbError> {
    let row: Option<AssetRow> = sqlx::query_as("SELECT * FROM asset WHERE network = $1 AND contract IS NULL")
        .bind(network)
        .fetch_optional(connection)
        .await
        .doing("reading the coin of a network")?;
    Ok(row.map(Into::into))
}

/// Writes a network, new or changed; what is fixed was compared before. Ends a halt of its payments.
pub async fn put_network(
    connection: &mut PgConnection,
    request: &PutNetwork,
    at: Timestamp,
) -> Result<(), Fault> {
    let result = sqlx::query(
        "INSERT INTO network (key, name, chain_id, rpc_urls, confirmations, enabled, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         ON CONFLICT (key) DO UPDATE SET name = excluded.name, rpc_urls = excluded.rpc_urls,
             confirmations = excluded.confirmations, enabled = excluded.enabled,
             halted_because = NULL, changed_at = excluded.changed_at",
    )
    .bind(&request.key)
    .bind(&request.name)
    .bind(request.chain_id.cast_signed())
    .bind(&request.rpc_urls)
    .bind(request.confirmations.cast_signed())
    .bind(request.enabled)
    .bind(at)
    .execute(&mut *connection)
    .await;
    match result {
        Err(error) if is_unique_violation(&error, "network_chain_id_unique") => {
            return Err(Error::Exists("a network of this chain id").into());
        }
        result => result.doing("writing a network")?,
    };
    sqlx::query(
        "INSERT INTO chain_cursor (network, start_height) VALUES ($1, $2) ON CONFLICT (network) DO NOTHING",
    )
    .bind(&request.key)
    .bind(request.start_height.map(u64::cast_signed))
    .execute(connection)
    .await
    .doing("writing a network's cursor")?;
    Ok(())
}

/// Lets payments of a network rest until staff put it anew.
pub async fn halt_network(connection: &mut PgConnection, key: &str, reason: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE network SET halted_because = $2 WHERE key = $1 AND halted_because IS NULL")
        .bind(key)
        .bind(reason)
        .execute(connection)
        .await
        .doing("halting a network")
        .map(drop)
}

/// Writes a new asset and answers its number.
pub async fn insert_asset(
    connection: &mut PgConnection,
    request: &CreateAsset,
    contract: Option<EvmAddress>,
    at: Timestamp,
) -> Result<AssetId, Fault> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(NUMBERING)
        .execute(&mut *connection)
        .await
        .doing("waiting for the numbering of assets")?;
    let terms = &request.terms;
    let result: Result<i32, sqlx::Error> = sqlx::query_scalar(
        "INSERT INTO asset (id, symbol, name, network, contract, decimals, deposit_minimum, withdrawal_minimum,
                            withdrawal_fee, approval_threshold, deposits_enabled, withdrawals_enabled, created_at, changed_at)
         SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12 FROM asset
         RETURNING id",
    )
    .bind(&request.symbol)
    .bind(&request.name)
    .bind(&request.network)
    .bind(contract.map(EvmAddress::bytes))
    .bind(i16::from(request.decimals.places()))
    .bind(PgU128::from(terms.deposit_minimum))
    .bind(PgU128::from(terms.withdrawal_minimum))
    .bind(PgU128::from(terms.withdrawal_fee))
    .bind(PgU128::from(terms.approval_threshold))
    .bind(terms.deposits_enabled)
    .bind(terms.withdrawals_enabled)
    .bind(at)
    .fetch_one(connection)
    .await;
    match result {
        Ok(id) => Ok(AssetId(id.cast_unsigned())),
        Err(error) if is_unique_violation(&error, "asset_symbol_unique") => {
            Err(Error::Exists("an asset of this symbol").into())
        }
        Err(error) if is_unique_violation(&error, "asset_contract_unique") => {
            Err(Error::Exists("this coin or contract").into())
        }
        Err(error) => Err(Err::<(), _>(error)
            .doing("writing an asset")
            .expect_err("it is an error")
            .into()),
    }
}

/// Changes an asset's terms; false if there is no such asset.
pub async fn update_terms(
    connection: &mut PgConnection,
    asset: AssetId,
    terms: &AssetTerms,
    at: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE asset SET deposit_minimum = $2, withdrawal_minimum = $3, withdrawal_fee = $4, approval_threshold = $5,
                deposits_enabled = $6, withdrawals_enabled = $7, changed_at = $8
          WHERE id = $1",
    )
    .bind(column(asset))
    .bind(PgU128::from(terms.deposit_minimum))
    .bind(PgU128::from(terms.withdrawal_minimum))
    .bind(PgU128::from(terms.withdrawal_fee))
    .bind(PgU128::from(terms.approval_threshold))
    .bind(terms.deposits_enabled)
    .bind(terms.withdrawals_enabled)
    .bind(at)
    .execute(connection)
    .await
    .doing("changing an asset's terms")?;
    Ok(done.rows_affected() == 1)
}

/// How far a network was read.
pub async fn find_height(connection: &mut PgConnection, network: &str) -> Result<Option<u64>, DbError> {
    let height: Option<Option<i64>> =
        sqlx::query_scalar("SELECT height FROM chain_cursor WHERE network = $1")
            .bind(network)
            .fetch_optional(connection)
            .await
            .doing("reading a network's cursor")?;
    Ok(height.flatten().map(i64::cast_unsigned))
}
