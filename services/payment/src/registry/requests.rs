//! What staff ask of the registry: load, check against the chain, write.

use ferrex_chains::evm::{CallRequest, EvmAddress, EvmRpc, erc20};
use ferrex_contracts::payment::{
    AssetRegistry, AssetView, CreateAsset, ListAssets, NetworkView, PutNetwork, UpdateAsset,
};
use ferrex_fault::Fault;
use ferrex_postgres::Error as DbError;

use super::{Error, Node, model, store};
use crate::Context;
use crate::address;

/// Makes a network known, or changes it. Its nodes must answer with its chain id.
pub async fn put_network(context: &Context, request: PutNetwork) -> Result<NetworkView, Fault> {
    model::check_network(&request)?;
    let refused = |reason: String| Error::Nodes {
        network: request.key.clone(),
        reason,
    };
    let config = context.nodes.config(request.chain_id, &request.rpc_urls);
    EvmRpc::connect(&config)
        .await
        .map_err(|error| refused(error.to_string()))?;
    let mut tx = context.db.begin().await?;
    if let Some(present) = store::find_network(&mut tx, &request.key).await?
        && present.chain_id != request.chain_id
    {
        return Err(Error::Fixed("the chain id of a network").into());
    }
    store::put_network(&mut tx, &request, context.clock.now()).await?;
    let network = store::get_network(&mut tx, &request.key).await?;
    let height = store::find_height(&mut tx, &request.key).await?;
    let wallet = address::store::find_wallet(&mut tx).await?;
    tx.commit().await.map_err(DbError::Commit)?;
    tracing::info!(network = network.key, staff = %request.by.staff, reason = request.by.reason, "network put");
    Ok(network.view(wallet.map(|wallet| wallet.hot_wallet), height))
}

/// Makes an asset known. A token's decimals must be those of its contract (F24).
pub async fn create_asset(context: &Context, request: CreateAsset) -> Result<AssetView, Fault> {
    let contract = model::check_asset(&request)?;
    let mut connection = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let network = store::get_network(&mut connection, &request.network).await?;
    let native = store::find_native(&mut connection, &network.key).await?;
    drop(connection);
    if let Some(contract) = contract {
        if native.is_none() {
            let message = "register the network's own coin first; its tokens cost fees in it";
            return Err(Error::field("network", message).into());
        }
        let rpc = context.nodes.of(&network)?;
        check_decimals(&rpc, &network.key, contract, request.decimals.places()).await?;
    }
    let mut tx = context.db.begin().await?;
    let id = store::insert_asset(&mut tx, &request, contract, context.clock.now()).await?;
    let asset = store::get_asset(&mut tx, id).await?;
    tx.commit().await.map_err(DbError::Commit)?;
    tracing::info!(asset = asset.symbol, staff = %request.by.staff, reason = request.by.reason, "asset created");
    Ok(asset.view())
}

async fn check_decimals(rpc: &Node, network: &str, contract: EvmAddress, asked: u8) -> Result<(), Error> {
    let call = CallRequest {
        to: Some(contract),
        input: erc20::encode_decimals(),
        ..CallRequest::default()
    };
    let nodes = |error: ferrex_chains::evm::RpcError| Error::Nodes {
        network: network.to_owned(),
        reason: error.to_string(),
    };
    let output = rpc.call(&call).await.map_err(nodes)?;
    let Some(number) = erc20::decode_number(&output) else {
        return Err(Error::field(
            "contract",
            "there is no token with `decimals()` at this address",
        ));
    };
    if number.to_string() == asked.to_string() {
        Ok(())
    } else {
        Err(Error::DecimalsDiffer {
            contract: number.to_string(),
            asked,
        })
    }
}

/// Changes an asset's terms.
pub async fn update_asset(context: &Context, request: UpdateAsset) -> Result<AssetView, Fault> {
    let mut tx = context.db.begin().await?;
    if !store::update_terms(&mut tx, request.asset, &request.terms, context.clock.now()).await? {
        return Err(Error::AssetUnknown(request.asset.to_string()).into());
    }
    let asset = store::get_asset(&mut tx, request.asset).await?;
    tx.commit().await.map_err(DbError::Commit)?;
    tracing::info!(asset = asset.symbol, staff = %request.by.staff, reason = request.by.reason, "asset terms changed");
    Ok(asset.view())
}

/// The whole registry.
pub async fn list(context: &Context, _: ListAssets) -> Result<AssetRegistry, Fault> {
    let mut connection = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let wallet = address::store::find_wallet(&mut connection).await?;
    let mut networks = Vec::new();
    for network in store::list_networks(&mut connection).await? {
        let height = store::find_height(&mut connection, &network.key).await?;
        networks.push(network.view(wallet.as_ref().map(|wallet| wallet.hot_wallet), height));
    }
    let assets = store::list_assets(&mut connection)
        .await?
        .iter()
        .map(super::Asset::view)
        .collect();
    Ok(AssetRegistry { networks, assets })
}
