//! The follower of payment's processes: what it decides is `ferrex_chains`' own, what it records is a transaction a block.

use ferrex_chains::evm::B256;
use ferrex_chains::evm::follower::{AtTip, Cursor, Next, Rewind, Search, at_tip, next};
use ferrex_ids::{DepositId, FlowId, WithdrawalId};
use ferrex_money::{Amount, AssetId, Decimals};
use ferrex_payment::deposit::flow::DepositFlow;
use ferrex_payment::deposit::model as deposit;
use ferrex_payment::withdrawal::flow::WithdrawalFlow;
use ferrex_payment::withdrawal::model as withdrawal;
use ferrex_planted::planted;

use crate::chain::Block;
use crate::event::{Event, Life, Seen};
use crate::payment::{CONFIRMATIONS, DepositRow};
use crate::world::{Fate, World};

/// How long a lease holds, in milliseconds.
const LEASE: u64 = 8_000;
/// How many blocks are kept.
const KEPT: usize = 64;

impl World {
    /// One look at the chain.
    pub(crate) fn follow(&mut self, life: Life, regular: bool) {
        if regular {
            self.to(life, 1_000, 2_500, Event::Follow { regular });
        }
        if self.fate() == Fate::Lost {
            return;
        }
        let Some(epoch) = self.follower_lease(life) else {
            return;
        };
        if !self.nodes_answer() {
            return;
        }
        let Some(cursor) = self.pay.cursor.at() else {
            if let Some(hash) = self.chain.hash_at(0) {
                self.pay.cursor.blocks.insert(0, hash);
            }
            return;
        };
        let Some(seen) = self.observe(cursor) else { return };
        let at = self.now + self.latency();
        self.at(at, Some(life), Event::FollowWrite { epoch, cursor, seen });
    }

    fn follower_lease(&mut self, life: Life) -> Option<u64> {
        let now = self.now;
        let cursor = &mut self.pay.cursor;
        match cursor.owner {
            Some((owner, until)) if owner == life && until > now => {}
            Some((owner, until)) if owner != life && until > now => return None,
            _ => cursor.epoch += 1,
        }
        cursor.owner = Some((life, now + LEASE));
        Some(cursor.epoch)
    }

    /// What the chain shows one step ahead of the cursor.
    fn observe(&mut self, cursor: Cursor) -> Option<Seen> {
        let height = cursor.height + 1;
        match self.chain.hash_at(height) {
            Some(hash) => {
                let parent = self.chain.by_hash[&hash].1.parent;
                match next(cursor, height, hash, parent) {
                    Ok(Next::Advance(_)) => return Some(Seen::Block(hash)),
                    Ok(Next::Reorganised) => {}
                    Err(error) => {
                        self.violate("I12", || error.to_string());
                        return None;
                    }
                }
            }
            None => match at_tip(cursor, self.chain.hash_at(cursor.height)) {
                AtTip::Settled => {
                    self.send_lost();
                    return None;
                }
                AtTip::Behind => return None,
                AtTip::Reorganised => {}
            },
        }
        let stored = self.pay.cursor.blocks.iter().rev().take(KEPT);
        let stored = stored
            .map(|(height, hash)| Cursor {
                height: *height,
                hash: *hash,
            })
            .collect();
        let mut rewind = match Rewind::try_new(stored) {
            Ok(rewind) => rewind,
            Err(gap) => {
                self.violate("I12", || gap.to_string());
                return None;
            }
        };
        let mut search = rewind.state();
        loop {
            search = match search {
                Search::Ask(height) => rewind.answer(self.chain.hash_at(height)?),
                Search::Found(found) if found == cursor => return None,
                Search::Found(back_to) => return Some(Seen::Reorganised(back_to)),
                Search::TooDeep => return None,
            };
        }
    }

    /// Writes what was seen, under the epoch and from the very cursor.
    pub(crate) fn follow_write(&mut self, life: Life, epoch: u64, cursor: Cursor, seen: &Seen) {
        let fate = self.fate();
        let fenced = epoch != self.pay.cursor.epoch;
        if fate == Fate::Lost || fenced || self.pay.cursor.at() != Some(cursor) {
            if planted!("follower.cursor_before_effects")
                && let (Seen::Block(hash), Fate::Lost) = (seen, fate)
                && self.pay.cursor.at() == Some(cursor)
            {
                self.pay.cursor.blocks.insert(cursor.height + 1, *hash);
            }
            return;
        }
        match seen {
            Seen::Block(hash) => {
                let (height, block) = self.chain.by_hash[hash].clone();
                self.pay.cursor.blocks.insert(height, *hash);
                self.find_deposits(height, &block);
                self.find_payments(height, &block);
                self.confirm(height);
            }
            Seen::Reorganised(back_to) => self.take_back(cursor, *back_to),
        }
        self.to(life, 1, 10, Event::Follow { regular: false });
    }

    fn find_deposits(&mut self, height: u64, block: &Block) {
        for hash in &block.payments {
            let payment = self.chain.payments[hash];
            let fresh = DepositId::from_uuid(self.uuid());
            let row = self.pay.deposits.entry(*hash).or_insert(DepositRow {
                id: fresh,
                height: None,
                confirmed: false,
            });
            (row.height, row.confirmed) = (Some(height), false);
            let id = row.id;
            let amount = Amount::new(payment.amount);
            let state = deposit::State::new(deposit::Facts {
                deposit: id,
                user: payment.to,
                asset: AssetId(payment.asset),
                symbol: symbol(payment.asset),
                decimals: Decimals::try_new(6).expect("six is allowed"),
                amount,
                confirmations_needed: CONFIRMATIONS,
            });
            let input = deposit::Input::Seen { height, amount };
            let (at, now) = (self.time(), self.now);
            match self.deposits.start(id.cast(), state, &input, at, now) {
                Ok(Some(taken)) => self.after_step::<DepositFlow>(id.cast(), taken),
                Ok(None) => self.tell_deposit(id, &input),
                Err(fault) => self.violate("I06", || fault.chain()),
            }
        }
    }

    fn tell_deposit(&mut self, id: DepositId, input: &deposit::Input) {
        let (at, now) = (self.time(), self.now);
        match self.deposits.take(id.cast(), input, at, now) {
            Ok(taken) => self.after_step::<DepositFlow>(id.cast(), taken),
            Err(fault) => self.violate("I06", || fault.chain()),
        }
    }

    /// A withdrawal is told what the chain did; the label that it has afterwards.
    fn tell_withdrawal(&mut self, id: WithdrawalId, input: &withdrawal::Input) -> &'static str {
        let (at, now) = (self.time(), self.now);
        let flow: FlowId = id.cast();
        match self.withdrawals.take(flow, input, at, now) {
            Ok(taken) => {
                let label = taken.labels.1;
                self.after_step::<WithdrawalFlow>(flow, taken);
                label
            }
            Err(fault) => {
                self.violate("I17", || fault.chain());
                "refused"
            }
        }
    }

    fn find_payments(&mut self, height: u64, block: &Block) {
        for (hash, fee) in &block.ours {
            let succeeds = self.chain.ours[hash].succeeds;
            let Some(row) = self.pay.payments.get_mut(hash) else {
                self.halt(*hash);
                continue;
            };
            (row.height, row.succeeded, row.fee_paid, row.confirmed) = (Some(height), succeeds, *fee, false);
            let (id, filler) = (row.withdrawal, row.filler);
            let mined = withdrawal::Mined {
                hash: hash.to_string(),
                succeeded: succeeds,
                fee_paid: Amount::new(*fee),
            };
            let label = self.tell_withdrawal(id, &withdrawal::Input::Mined { mined });
            if succeeds && !filler && ["cancelled", "rejected", "failed", "refused"].contains(&label) {
                self.halt(*hash);
            }
        }
    }

    fn halt(&mut self, hash: B256) {
        self.pay.halted = Some(format!("{hash} is not ours to pay"));
        self.violate("I07", || {
            format!("the hot wallet paid what it should not have: {hash}")
        });
    }

    fn confirm(&mut self, height: u64) {
        let needed = u64::from(CONFIRMATIONS) - u64::from(planted!("follower.confirms_one_early"));
        let deep = |at: Option<u64>| at.is_some_and(|at| at + needed - 1 <= height);
        let mut deposits = Vec::new();
        for row in self.pay.deposits.values_mut() {
            if !row.confirmed && deep(row.height) {
                row.confirmed = true;
                deposits.push(row.id);
            }
        }
        deposits.sort_unstable();
        for id in deposits {
            self.tell_deposit(id, &deposit::Input::Confirmed);
        }
        let mut payments = Vec::new();
        for (hash, row) in &mut self.pay.payments {
            if !row.confirmed && deep(row.height) {
                row.confirmed = true;
                let mined = withdrawal::Mined {
                    hash: hash.to_string(),
                    succeeded: row.succeeded,
                    fee_paid: Amount::new(row.fee_paid),
                };
                payments.push((row.withdrawal, mined));
            }
        }
        payments.sort_unstable_by_key(|(id, _)| *id);
        for (id, mined) in payments {
            self.tell_withdrawal(id, &withdrawal::Input::Confirmed { mined });
        }
    }

    fn take_back(&mut self, cursor: Cursor, back_to: Cursor) {
        let depth = cursor.height - back_to.height;
        self.say(|| format!("the follower goes back from block {} by {depth}", cursor.height));
        self.pay
            .cursor
            .blocks
            .retain(|height, _| *height <= back_to.height);
        let mut gone = Vec::new();
        for row in self.pay.deposits.values_mut() {
            if row.height.is_some_and(|height| height > back_to.height) {
                (row.height, row.confirmed) = (None, false);
                gone.push(row.id);
            }
        }
        gone.sort_unstable();
        for id in gone {
            self.tell_deposit(id, &deposit::Input::Gone);
        }
        let mut unmined = Vec::new();
        for (hash, row) in &mut self.pay.payments {
            if row.height.is_some_and(|height| height > back_to.height) {
                (row.height, row.confirmed) = (None, false);
                unmined.push((row.withdrawal, hash.to_string()));
            }
        }
        unmined.sort_unstable();
        for (id, hash) in unmined {
            self.tell_withdrawal(id, &withdrawal::Input::Unmined { hash });
        }
    }

    /// Sends again what ended a withdrawal and a reorganisation took off the chain.
    fn send_lost(&mut self) {
        let lost: Vec<Vec<u8>> = self
            .pay
            .payments
            .values()
            .filter(|row| {
                let label = self
                    .withdrawals
                    .state(row.withdrawal.cast())
                    .map_or("", withdrawal::State::label);
                let ends = label == "settled" && !row.filler || label == "failed" && row.filler;
                ends && row.height.is_none() && !self.is_in_a_block(row.withdrawal)
            })
            .map(|row| row.raw.clone())
            .collect();
        for raw in lost {
            self.chain.send_raw(&raw);
        }
    }

    fn is_in_a_block(&self, withdrawal: WithdrawalId) -> bool {
        let mut rows = self.pay.payments.values();
        rows.any(|row| row.withdrawal == withdrawal && row.height.is_some())
    }
}

/// The symbol of an asset.
pub fn symbol(asset: u32) -> String {
    if asset == crate::payment::COIN {
        "ETH"
    } else {
        "USDT"
    }
    .to_owned()
}
