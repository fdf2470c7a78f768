//! What one block, or the loss of blocks, changes: all of it in one transaction.

use std::collections::HashSet;

use ferrex_chains::evm::{self, EvmAddress, TransferFound, TransferKind, VerifiedBlock, follower::Cursor};
use ferrex_fault::Fault;
use ferrex_flows::{Actor, Started};
use ferrex_ids::DepositId;
use ferrex_money::Amount;
use ferrex_postgres::{Error as DbError, Tx};
use ferrex_runtime::kill;

use super::store;
use super::watched::Watched;
use crate::deposit::{self, store::Handling};
use crate::registry::{Asset, Network};
use crate::withdrawal::{self, store::InBlock};
use crate::{Payment, address, registry};

/// The follower's cursor is elsewhere or its lease is lost: another follower works.
#[derive(Debug, thiserror::Error)]
#[error("another follower has the network")]
pub(super) struct Fenced;

/// What a block's transaction works with.
pub(super) struct Work<'a> {
    pub(super) payment: &'a Payment,
    pub(super) network: &'a Network,
    pub(super) epoch: i64,
}

impl Work<'_> {
    /// Writes what a block brought and moves the cursor onto it.
    pub(super) async fn take(
        &self,
        cursor: Cursor,
        block: &VerifiedBlock,
        watched: &mut Watched,
    ) -> Result<Result<Cursor, Fenced>, Fault> {
        let network = self.network;
        let header = block.header();
        let next = Cursor {
            height: header.height,
            hash: header.hash,
        };
        kill::point_with("follower.block_read", &network.key);
        let mut tx = self.payment.context.db.begin().await?;
        if !store::advance(&mut tx, &network.key, self.epoch, cursor, next).await? {
            return Ok(Err(Fenced));
        }
        store::insert_block(&mut tx, &network.key, next).await?;
        store::prune(
            &mut tx,
            &network.key,
            next.height,
            self.payment.context.config.blocks_kept,
        )
        .await?;
        watched.catch_up(&mut tx).await?;
        self.find_deposits(&mut tx, next, block, watched).await?;
        kill::point_with("follower.deposits_written", &network.key);
        self.find_payments(&mut tx, next, block, watched.hot_wallet())
            .await?;
        self.confirm(&mut tx, next.height).await?;
        kill::point_with("follower.before_commit", &network.key);
        tx.commit().await.map_err(DbError::Commit)?;
        kill::point_with("follower.after_commit", &network.key);
        self.nudge();
        Ok(Ok(next))
    }

    /// Takes back everything above the last common block and moves the cursor there.
    pub(super) async fn take_back(
        &self,
        cursor: Cursor,
        back_to: Cursor,
    ) -> Result<Result<Cursor, Fenced>, Fault> {
        let key = &self.network.key;
        let context = &self.payment.context;
        let mut tx = context.db.begin().await?;
        if !store::advance(&mut tx, key, self.epoch, cursor, back_to).await? {
            return Ok(Err(Fenced));
        }
        store::take_back(&mut tx, key, cursor, back_to, context.clock.now()).await?;
        for id in deposit::store::take_back(&mut tx, key, back_to.height).await? {
            self.tell_deposit(&mut tx, id, deposit::model::Input::Gone)
                .await?;
        }
        for (id, hash) in withdrawal::store::take_back(&mut tx, key, back_to.height).await? {
            let input = withdrawal::model::Input::Unmined { hash };
            self.payment
                .withdrawals
                .send_in_tx(&mut tx, id.cast(), input, &Actor::SYSTEM)
                .await?;
        }
        tx.commit().await.map_err(DbError::Commit)?;
        let depth = cursor.height - back_to.height;
        tracing::warn!(
            network = key,
            depth,
            from = cursor.height,
            to = back_to.height,
            "the chain was reorganised"
        );
        metrics::counter!("ferrex_chain_reorganisations_total", "network" => key.clone()).increment(1);
        self.nudge();
        Ok(Ok(back_to))
    }

    fn nudge(&self) {
        self.payment.deposits.nudge();
        self.payment.withdrawals.nudge();
    }

    async fn tell_deposit(
        &self,
        tx: &mut Tx,
        id: DepositId,
        input: deposit::model::Input,
    ) -> Result<(), Fault> {
        self.payment
            .deposits
            .send_in_tx(tx, id.cast(), input, &Actor::SYSTEM)
            .await?;
        Ok(())
    }

    async fn find_deposits(
        &self,
        tx: &mut Tx,
        at: Cursor,
        block: &VerifiedBlock,
        watched: &Watched,
    ) -> Result<(), Fault> {
        let mut assets = registry::store::list_assets(tx).await?;
        assets.retain(|asset| asset.network == self.network.key);
        let tokens: HashSet<EvmAddress> = assets.iter().filter_map(|asset| asset.contract).collect();
        for found in evm::transfers(block, watched.addresses(), &tokens) {
            let contract = match found.kind {
                TransferKind::Native => None,
                TransferKind::Token { contract, .. } => Some(contract),
            };
            // A network whose coin is not registered yet brings no deposits of it.
            let Some(asset) = assets.iter().find(|asset| asset.contract == contract) else {
                continue;
            };
            self.record(tx, at, asset, &found, watched.hot_wallet()).await?;
        }
        Ok(())
    }

    async fn record(
        &self,
        tx: &mut Tx,
        at: Cursor,
        asset: &Asset,
        found: &TransferFound,
        hot_wallet: Option<EvmAddress>,
    ) -> Result<(), Fault> {
        let to_the_house = hot_wallet == Some(found.to);
        // What the hot wallet pays to itself is none of anybody's money (H018).
        if to_the_house && found.from == hot_wallet {
            return Ok(());
        }
        let user = if to_the_house {
            None
        } else {
            address::store::find_owner(tx, found.to).await?
        };
        if user.is_none() && !to_the_house {
            return Ok(());
        }
        let context = &self.payment.context;
        let handling = Handling::of(found.amount, asset.terms.deposit_minimum, to_the_house);
        let id = DepositId::new_at(context.clock.unix_ms());
        let place = (at.height, at.hash);
        let now = context.clock.now();
        let recorded =
            deposit::store::upsert_found(tx, id, self.network, asset, user, found, handling, place, now)
                .await?;
        let Some(recorded) = recorded else {
            let transaction = found.tx;
            tracing::error!(%transaction, "a payment moved to another block and pays somebody else there; staff must look");
            return Ok(());
        };
        if handling == Handling::TooLarge {
            tracing::error!(deposit = %recorded.id, amount = %found.amount, "a deposit is larger than the ledger can hold");
        }
        // What has a flow keeps it, also when the minimum was raised between two blocks that hold the same payment.
        let (true, Ok(units)) = (recorded.has_flow, u128::try_from(found.amount)) else {
            return Ok(());
        };
        let amount = Amount::new(units);
        let state = deposit::model::State::new(deposit::model::Facts {
            deposit: recorded.id,
            user,
            asset: asset.id,
            symbol: asset.symbol.clone(),
            decimals: asset.decimals,
            amount,
            confirmations_needed: self.network.confirmations,
        });
        let seen = deposit::model::Input::Seen {
            height: at.height,
            amount,
        };
        let started = self
            .payment
            .deposits
            .start(tx, recorded.id.cast(), state, seen.clone(), &Actor::SYSTEM)
            .await?;
        if let Started::Already(_) = started {
            self.tell_deposit(tx, recorded.id, seen).await?;
        }
        Ok(())
    }

    /// Our payments in a block; and payments from our wallet that we did not make (H027).
    async fn find_payments(
        &self,
        tx: &mut Tx,
        at: Cursor,
        block: &VerifiedBlock,
        hot_wallet: Option<EvmAddress>,
    ) -> Result<(), Fault> {
        let Some(hot_wallet) = hot_wallet else {
            return Ok(());
        };
        let key = &self.network.key;
        for transaction in block
            .transactions()
            .iter()
            .filter(|tx| tx.from() == Some(hot_wallet))
        {
            let fee = transaction.fee().map_or(Amount::MAX, Amount::new);
            let found = InBlock {
                hash: transaction.hash,
                succeeded: transaction.success,
                fee_paid: fee,
            };
            match withdrawal::store::set_mined(tx, key, found, (at.height, at.hash)).await? {
                Some((id, mined, filler)) => {
                    let input = withdrawal::model::Input::Mined { mined };
                    let state = self
                        .payment
                        .withdrawals
                        .send_in_tx(tx, id.cast(), input, &Actor::SYSTEM)
                        .await?;
                    // Undone on its chain, given back, and now done after all: only a reorganisation deeper than the
                    // confirmations does that.
                    if found.succeeded && !filler && state.is_final() && state.label() != "settled" {
                        self.halt(tx, at, transaction.hash, transaction.nonce()).await?;
                    }
                }
                None => self.halt(tx, at, transaction.hash, transaction.nonce()).await?,
            }
        }
        Ok(())
    }

    async fn halt(&self, tx: &mut Tx, at: Cursor, hash: evm::B256, nonce: u64) -> Result<(), Fault> {
        let (key, now) = (&self.network.key, self.payment.context.clock.now());
        if withdrawal::store::insert_foreign(tx, key, hash, at.height, nonce, now).await? {
            tracing::error!(network = key, transaction = %hash, nonce, "the hot wallet paid what it should not have; payments are halted");
            let reason = "withdrawals rest: the hot wallet paid what it should not have, staff must look";
            registry::store::halt_network(tx, key, reason).await?;
        }
        Ok(())
    }

    async fn confirm(&self, tx: &mut Tx, height: u64) -> Result<(), Fault> {
        let key = &self.network.key;
        for id in deposit::store::confirm(tx, key, height).await? {
            self.tell_deposit(tx, id, deposit::model::Input::Confirmed)
                .await?;
        }
        for (id, mined) in withdrawal::store::confirm(tx, key, height, self.network.confirmations).await? {
            let input = withdrawal::model::Input::Confirmed { mined };
            self.payment
                .withdrawals
                .send_in_tx(tx, id.cast(), input, &Actor::SYSTEM)
                .await?;
        }
        Ok(())
    }
}
