//! Balances: from the engine, with the sequence they are true for; pending from the deposits.

use std::collections::BTreeMap;

use ferrex_fault::Fault;
use ferrex_ids::UserId;
use ferrex_ledger::{Owner, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::Error as DbError;

use crate::registry::Asset;
use crate::{Context, deposit, registry};

/// What a person has of one asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetBalance {
    /// The asset.
    pub asset: Asset,
    /// Spendable.
    pub available: Amount,
    /// Set aside.
    pub held: Amount,
    /// Seen on the chain, not credited.
    pub pending: Amount,
    /// Owed to the house.
    pub owed: Amount,
}

/// What a person has, as of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balances {
    /// Journal id up to which it is true.
    pub sequence: u64,
    /// By asset, those with anything.
    pub assets: Vec<AssetBalance>,
}

#[derive(Default)]
struct Parts {
    available: Amount,
    held: Amount,
    pending: Amount,
    owed: Amount,
}

/// Reads a person's balances.
pub async fn read(context: &Context, user: UserId) -> Result<Balances, Fault> {
    let balances = context.engine.balances(Owner::User(user.uuid())).await?;
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let pending = deposit::store::pending(&mut open, user).await?;
    let assets = registry::store::list_assets(&mut open).await?;
    drop(open);
    let mut parts: BTreeMap<AssetId, Parts> = BTreeMap::new();
    let sequence = balances.iter().map(|balance| balance.sequence).max().unwrap_or(0);
    for balance in balances {
        let part = parts.entry(balance.key.asset).or_default();
        if balance.key.account.purpose == Purpose::Debt {
            part.owed = balance.total;
        } else {
            part.available = balance.total.checked_sub(balance.held).unwrap_or(Amount::ZERO);
            part.held = balance.held;
        }
    }
    for (asset, sum) in pending {
        parts.entry(asset).or_default().pending = sum;
    }
    let assets = assets
        .into_iter()
        .filter_map(|asset| {
            let Parts {
                available,
                held,
                pending,
                owed,
            } = parts.remove(&asset.id)?;
            Some(AssetBalance {
                asset,
                available,
                held,
                pending,
                owed,
            })
        })
        .collect();
    Ok(Balances { sequence, assets })
}
