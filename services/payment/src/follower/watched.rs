use std::collections::HashSet;

use ferrex_chains::evm::EvmAddress;
use ferrex_postgres::Error as DbError;
use sqlx::PgConnection;

use crate::address::store;

/// The addresses that are ours, kept in memory and caught up before each block.
///
/// Indexes are taken under the wallet's lock, so they become visible in order, and an address is visible before
/// anybody is told of it: one that is paid in a block is here when the block is read (F21).
#[derive(Debug, Default)]
pub(super) struct Watched {
    addresses: HashSet<EvmAddress>,
    next: i64,
    hot_wallet: Option<EvmAddress>,
}

impl Watched {
    /// Takes in what was given out since the last time.
    pub(super) async fn catch_up(&mut self, connection: &mut PgConnection) -> Result<(), DbError> {
        if self.hot_wallet.is_none()
            && let Some(wallet) = store::find_wallet(connection).await?
        {
            self.hot_wallet = Some(wallet.hot_wallet);
            self.addresses.insert(wallet.hot_wallet);
        }
        for (index, address) in store::list_from(connection, self.next).await? {
            self.next = index + 1;
            self.addresses.insert(address);
        }
        Ok(())
    }

    /// All of them, the hot wallet among them.
    pub(super) fn addresses(&self) -> &HashSet<EvmAddress> {
        &self.addresses
    }

    /// The wallet that pays withdrawals.
    pub(super) fn hot_wallet(&self) -> Option<EvmAddress> {
        self.hot_wallet
    }
}
