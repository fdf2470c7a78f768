//! A chain with pools, fees and reorganisations, and the nodes that show it. Transactions of our wallet are the signer's real
//! bytes; payments to our addresses come from outside.

use std::collections::{BTreeMap, BTreeSet};

use ferrex_chains::evm::fees::FeeMarket;
use ferrex_chains::evm::{B256, Broadcast, Refusal, RpcError, SignedTx, U256};
use ferrex_ids::UserId;
use xxhash_rust::xxh3::xxh3_128;

use crate::event::Event;
use crate::payment::{COIN, CONFIRMATIONS, TOKEN};
use crate::rng::Rng;
use crate::world::World;

/// One thousand millionth of a coin.
pub const GWEI: u128 = 1_000_000_000;
/// A coin.
pub const ETHER: u128 = 1_000_000_000_000_000_000;
/// The most that nodes ask as tip.
const TIP: u128 = GWEI;

/// A payment to one of our addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Whose address; `None` for the hot wallet's.
    pub to: Option<UserId>,
    /// Which asset.
    pub asset: u32,
    /// How much.
    pub amount: u128,
}

/// A transaction of our wallet.
#[derive(Clone, Debug)]
pub struct Ours {
    /// The bytes, decoded.
    pub signed: SignedTx,
    /// Whether it does what it should once it is mined.
    pub succeeds: bool,
}

/// A block.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its hash.
    pub hash: B256,
    /// The hash of the block before.
    pub parent: B256,
    /// Payments to us, by transaction.
    pub payments: Vec<B256>,
    /// Our transactions with what they cost.
    pub ours: Vec<(B256, u128)>,
}

/// The chain and what waits for it.
#[derive(Debug)]
pub struct Chain {
    /// The main chain from height 0.
    pub blocks: Vec<Block>,
    /// Every block there ever was, with its height.
    pub by_hash: BTreeMap<B256, (u64, Block)>,
    /// Every payment to us that was ever made.
    pub payments: BTreeMap<B256, Payment>,
    /// Every transaction of our wallet that a node ever took.
    pub ours: BTreeMap<B256, Ours>,
    waiting_payments: BTreeSet<B256>,
    /// Our transactions in the pools, by nonce.
    pub pool: BTreeMap<u64, B256>,
    /// What had its confirmations at any time.
    pub ever_confirmed: BTreeSet<B256>,
    /// What each nonce cost when it first had its confirmations.
    booked: BTreeMap<u64, u128>,
    /// Payees that no node wants to pay.
    pub shunned: BTreeSet<[u8; 20]>,
    base_fee: u128,
    salt: u64,
    /// How many blocks the node that answers is behind.
    pub lag: u64,
    /// Whether the wallet was asked to pay what it has not, while no reorganisation took anything from it.
    pub overdrawn: bool,
    deep: bool,
}

/// What our wallet has at the beginning, by asset.
pub const fn genesis(asset: u32) -> u128 {
    if asset == COIN { 2 * ETHER } else { 4_000_000_000 }
}

fn hash_of(parts: &[u64]) -> B256 {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_le_bytes()).collect();
    let (low, high) = (xxh3_128(&bytes), xxh3_128(&[&bytes[..], &[1]].concat()));
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(&low.to_be_bytes());
    hash[16..].copy_from_slice(&high.to_be_bytes());
    B256::new(hash)
}

impl Chain {
    /// A chain with its first block.
    pub fn new(rng: &mut Rng) -> Self {
        let salt = rng.bits();
        let block = Block {
            hash: hash_of(&[salt, 0]),
            parent: B256::ZERO,
            payments: Vec::new(),
            ours: Vec::new(),
        };
        Self {
            by_hash: BTreeMap::from([(block.hash, (0, block.clone()))]),
            blocks: vec![block],
            payments: BTreeMap::new(),
            ours: BTreeMap::new(),
            waiting_payments: BTreeSet::new(),
            pool: BTreeMap::new(),
            ever_confirmed: BTreeSet::new(),
            booked: BTreeMap::new(),
            shunned: BTreeSet::new(),
            base_fee: 10 * GWEI,
            salt,
            lag: 0,
            overdrawn: false,
            deep: false,
        }
    }

    /// Height of the last block.
    pub fn head(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    /// The last block that the answering node shows.
    pub fn shown(&self) -> u64 {
        self.head().saturating_sub(self.lag)
    }

    /// The hash at a height, as the answering node shows it.
    pub fn hash_at(&self, height: u64) -> Option<B256> {
        let place = usize::try_from(height).ok()?;
        (height <= self.shown()).then(|| self.blocks.get(place).map(|block| block.hash))?
    }

    /// Our next nonce after the block at a height.
    pub fn nonce_at(&self, height: u64) -> u64 {
        let blocks = self
            .blocks
            .iter()
            .take(usize::try_from(height + 1).unwrap_or(usize::MAX));
        blocks.map(|block| block.ours.len() as u64).sum()
    }

    /// What the chain asks at present.
    pub const fn market(&self) -> FeeMarket {
        FeeMarket {
            base_fee: self.base_fee,
            tip: TIP,
        }
    }

    /// Whether a node knows a transaction of ours, mined or not.
    pub fn knows(&self, hash: B256) -> bool {
        self.pool.values().any(|known| *known == hash)
            || self
                .blocks
                .iter()
                .any(|block| block.ours.iter().any(|(mined, _)| *mined == hash))
    }

    /// What our wallet has on the chain.
    pub fn balance(&self, asset: u32) -> u128 {
        let mut balance = genesis(asset);
        for block in &self.blocks {
            for payment in block.payments.iter().map(|hash| self.payments[hash]) {
                if payment.to.is_none() && payment.asset == asset {
                    balance += payment.amount;
                }
            }
            for (hash, fee) in &block.ours {
                let ours = &self.ours[hash];
                balance -= paid(ours, asset);
                if asset == COIN {
                    balance -= fee;
                }
            }
        }
        balance
    }

    /// A payment from outside begins to wait for a block.
    pub fn pay(&mut self, rng: &mut Rng, payment: Payment) -> B256 {
        let hash = hash_of(&[self.salt, 2, rng.bits(), rng.bits()]);
        self.payments.insert(hash, payment);
        self.waiting_payments.insert(hash);
        hash
    }

    /// A node is handed signed bytes.
    pub fn send_raw(&mut self, raw: &[u8]) -> Broadcast {
        let Ok(signed) = SignedTx::decode(raw) else {
            return Broadcast::Refused(Refusal::Other, "rlp: malformed".to_owned());
        };
        let (hash, tx) = (signed.hash(), signed.tx().clone());
        let next = self.nonce_at(self.head());
        if self.pool.get(&tx.nonce) == Some(&hash) {
            return Broadcast::AlreadyKnown;
        }
        if tx.nonce < next {
            return Broadcast::Refused(Refusal::NonceTooLow, "nonce too low".to_owned());
        }
        let pays = tx.meaning().map(|meaning| meaning.payee.bytes());
        if pays.is_some_and(|payee| self.shunned.contains(&payee)) {
            return Broadcast::Refused(Refusal::Other, "the sequencer does not like this".to_owned());
        }
        if let Some(before) = self.pool.get(&tx.nonce).and_then(|hash| self.ours.get(hash)) {
            let old = before.signed.tx();
            let enough = |new: u128, old: u128| new * 10 >= old * 11;
            if !enough(tx.max_fee_per_gas, old.max_fee_per_gas)
                || !enough(tx.max_priority_fee_per_gas, old.max_priority_fee_per_gas)
            {
                return Broadcast::Refused(
                    Refusal::ReplacementUnderpriced,
                    "replacement transaction underpriced".to_owned(),
                );
            }
        }
        let cost = tx
            .value
            .saturating_add(U256::from(tx.fee_max().unwrap_or(u128::MAX)));
        if cost > U256::from(self.balance(COIN)) {
            self.overdrawn |= !self.deep;
            return Broadcast::Refused(Refusal::InsufficientFunds, "insufficient funds".to_owned());
        }
        // Some contracts undo what they are asked for, always the same ones.
        let succeeds = tx.input.is_empty() || hash[0] >= 24;
        self.ours.entry(hash).or_insert(Ours { signed, succeeds });
        self.pool.insert(tx.nonce, hash);
        Broadcast::Accepted
    }

    /// The node that was asked did not answer.
    pub fn silent() -> RpcError {
        RpcError::RateLimited {
            node: "node".to_owned(),
            method: "eth_sendRawTransaction",
        }
    }

    fn mine_block(&mut self, rng: &mut Rng, calm: bool) {
        let parent = self.blocks.last().expect("there is a first block").hash;
        let height = self.blocks.len() as u64;
        let mut block = Block {
            hash: hash_of(&[self.salt, 1, height, rng.bits()]),
            parent,
            payments: Vec::new(),
            ours: Vec::new(),
        };
        if calm {
            self.base_fee = 10 * GWEI;
        } else if rng.permille(250) {
            self.base_fee = [5, 10, 20, 60, 150][rng.place(5)] * GWEI;
        }
        for hash in self.waiting_payments.clone() {
            if calm || rng.permille(700) {
                self.waiting_payments.remove(&hash);
                block.payments.push(hash);
            }
        }
        let mut nonce = self.nonce_at(self.head());
        let mut spent = [0, 0];
        while let Some(hash) = self.pool.get(&nonce).copied() {
            let ours = &self.ours[&hash];
            let tx = ours.signed.tx();
            let fee_max = tx.fee_max().unwrap_or(u128::MAX / 2);
            // What came in with this very block is not spent in it.
            let affordable = paid(ours, COIN) + fee_max + spent[0] <= self.balance(COIN)
                && paid(ours, TOKEN) + spent[1] <= self.balance(TOKEN);
            self.overdrawn |= !affordable && !self.deep;
            if tx.max_fee_per_gas < self.base_fee || !affordable || !(calm || rng.permille(700)) {
                break;
            }
            let gas = if tx.input.is_empty() {
                21_000
            } else {
                47_000.min(tx.gas_limit)
            };
            let price = tx
                .max_fee_per_gas
                .min(self.base_fee + tx.max_priority_fee_per_gas);
            // The product does not book again what a reorganisation deeper than the confirmations changes of a fee.
            let fee = self
                .booked
                .get(&nonce)
                .copied()
                .unwrap_or(price * u128::from(gas));
            block.ours.push((hash, fee));
            spent[0] += fee + paid(ours, COIN);
            spent[1] += paid(ours, TOKEN);
            self.pool.remove(&nonce);
            nonce += 1;
            if block.ours.len() == 4 {
                break;
            }
        }
        self.by_hash.insert(block.hash, (height, block.clone()));
        self.blocks.push(block);
        if let Some(deep) = (height + 1).checked_sub(CONFIRMATIONS.into()) {
            let block = &self.blocks[usize::try_from(deep).expect("a run has few blocks")];
            self.ever_confirmed.extend(&block.payments);
            for (hash, fee) in &block.ours {
                self.ever_confirmed.insert(*hash);
                let nonce = self.ours[hash].signed.tx().nonce;
                self.booked.entry(nonce).or_insert(*fee);
            }
        }
    }

    fn drop_blocks(&mut self, rng: &mut Rng, depth: u64) {
        self.deep |= depth >= u64::from(CONFIRMATIONS);
        for _ in 0..depth.min(self.head()) {
            let block = self.blocks.pop().expect("the first block stays");
            for hash in block.payments {
                // Some payers spend their coins elsewhere on the new branch; the house does not.
                if self.payments[&hash].to.is_none() || rng.permille(700) {
                    self.waiting_payments.insert(hash);
                }
            }
            for (hash, _) in block.ours {
                let nonce = self.ours[&hash].signed.tx().nonce;
                // Pools forget some of what was mined; what was undone and booked so is a case for people if it is lost.
                let booked = self.ever_confirmed.contains(&hash) && !self.ours[&hash].succeeds;
                if booked || rng.permille(700) {
                    self.pool.insert(nonce, hash);
                }
            }
        }
    }
}

/// What a transaction of ours pays of an asset.
pub fn paid(ours: &Ours, asset: u32) -> u128 {
    let Some(meaning) = ours.signed.tx().meaning().filter(|_| ours.succeeds) else {
        return 0;
    };
    let of = if meaning.contract.is_some() { TOKEN } else { COIN };
    if of == asset && meaning.payee != ours.signed.from() {
        u128::try_from(meaning.amount).unwrap_or(u128::MAX)
    } else {
        0
    }
}

impl World {
    /// Whether the nodes answer now.
    pub(crate) fn nodes_answer(&mut self) -> bool {
        self.chain.lag = if self.rng.permille(self.faults.lag) {
            self.rng.within(1, 4)
        } else {
            0
        };
        self.now >= self.faults.node_down_until && !self.rng.permille(self.faults.tx_lost)
    }

    /// A block is mined.
    pub(crate) fn mine(&mut self) {
        self.after(1_000, 3_000, Event::Mine);
        self.chain.mine_block(&mut self.rng, self.draining);
        if self.chain.overdrawn {
            self.violate("I04", || {
                "the hot wallet was to pay what it does not have".to_owned()
            });
        }
        let (head, block) = (self.chain.head(), self.chain.blocks.last().cloned());
        if let Some(block) = block {
            self.say(|| {
                let (payments, ours) = (block.payments.len(), block.ours.len());
                format!("block {head} is mined: {payments} payments to us, {ours} of ours")
            });
        }
    }

    /// The chain is reorganised.
    pub(crate) fn reorganise(&mut self) {
        if self.draining {
            return;
        }
        let every = self.faults.reorganise_every;
        self.after(every / 2, every * 3 / 2, Event::Reorganise);
        let most = u64::from(CONFIRMATIONS);
        let depth = if self.rng.permille(self.faults.deep) {
            self.rng.within(most, most + 4)
        } else {
            self.rng.within(1, most - 1)
        };
        self.chain.drop_blocks(&mut self.rng, depth);
        let head = self.chain.head();
        self.say(|| format!("the chain is reorganised down to block {head}, {depth} deep"));
        for _ in 0..=self.rng.below(depth + 1) {
            self.chain.mine_block(&mut self.rng, false);
        }
    }

    /// Somebody pays to one of our addresses.
    pub(crate) fn incoming(&mut self) {
        if self.draining {
            return;
        }
        self.after(1_000, 9_000, Event::Incoming);
        let to = (!self.rng.permille(250)).then(|| {
            let place = self.rng.place(crate::people::People::COUNT);
            self.people.users[place]
        });
        let asset = if self.rng.permille(500) { COIN } else { TOKEN };
        let amount = if asset == COIN {
            u128::from(self.rng.within(1, 2_000)) * ETHER / 1_000
        } else {
            u128::from(self.rng.within(1, 3_000)) * 1_000_000
        };
        let payment = Payment { to, asset, amount };
        let hash = self.chain.pay(&mut self.rng, payment);
        self.say(|| format!("{hash} pays {amount} of asset {asset} to {to:?}"));
    }

    /// Pays enough to the hot wallet for everything that waits.
    pub(crate) fn fund(&mut self) {
        for (asset, amount) in [(COIN, 100 * ETHER), (TOKEN, 200_000_000_000)] {
            let payment = Payment {
                to: None,
                asset,
                amount,
            };
            self.chain.pay(&mut self.rng, payment);
        }
    }
}
