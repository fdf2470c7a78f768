//! What everybody must have in the end, added up from what the chain shows, what people were told and the trades' prices:
//! a second account of the whole run that reads no balance of the engine.

use std::collections::BTreeMap;

use ferrex_engine_core::{Engine, JournalRow, RowKind};
use ferrex_flows::Flow as _;
use ferrex_ids::{TransferId, WithdrawalId};
use ferrex_ledger::{Account, AccountKey, Owner, Purpose};
use ferrex_money::AssetId;
use ferrex_payment::transfer::flow::TransferFlow;
use ferrex_payment::withdrawal::model::State as Withdrawal;
use uuid::Uuid;

use crate::payment::{COIN, CONFIRMATIONS, TOKEN};
use crate::people::{FEES, LOT, UNIT, Wish, begins_with};
use crate::world::World;

/// Lots that each order has traded, by the journal's trades.
pub fn traded_lots(rows: &[JournalRow]) -> BTreeMap<u64, u64> {
    let mut lots = BTreeMap::new();
    for part in rows
        .iter()
        .filter(|row| row.kind == RowKind::Trade)
        .filter_map(|row| row.order.as_ref())
    {
        *lots.entry(part.order.0).or_default() += part.lots;
    }
    lots
}

/// Balances that may be negative while they are added up.
#[derive(Debug, Default)]
struct Sums(BTreeMap<(Option<Uuid>, Purpose, u32), i128>);

impl Sums {
    fn add(&mut self, owner: Option<Uuid>, purpose: Purpose, asset: u32, amount: i128) {
        *self.0.entry((owner, purpose, asset)).or_default() += amount;
    }
}

fn signed(amount: u128) -> i128 {
    i128::try_from(amount).expect("a run moves little")
}

impl World {
    /// Compares what everybody has with what they must have.
    pub(crate) fn check_tally(&mut self, engine: &Engine) {
        let mut sums = Sums::default();
        for user in &self.people.users {
            for asset in [COIN, TOKEN] {
                sums.add(
                    Some(user.uuid()),
                    Purpose::Wallet,
                    asset,
                    signed(begins_with(asset)),
                );
            }
        }
        self.add_deposits(&mut sums);
        self.add_trades(&mut sums);
        self.add_wishes(&mut sums);
        self.add_house(&mut sums);
        let has = |owner: Option<Uuid>, purpose, asset| {
            let account = Account {
                owner: owner.map_or(Owner::House, Owner::User),
                purpose,
            };
            let key = AccountKey {
                account,
                asset: AssetId(asset),
            };
            engine
                .balance(&key)
                .map_or(0, |balance| signed(balance.total.units()))
        };
        for ((owner, purpose, asset), must) in sums.0 {
            // What somebody owes counts against what they have.
            let debt = if purpose == Purpose::Wallet {
                has(owner, Purpose::Debt, asset)
            } else {
                0
            };
            let has = has(owner, purpose, asset) - debt;
            if has != must {
                let invariant = if owner.is_some() { "I04" } else { "I07" };
                self.violate(invariant, || {
                    format!("{purpose:?} of {owner:?} in asset {asset} is {has} and must be {must}")
                });
            }
        }
    }

    /// Payments to us that the chain has confirmed.
    fn add_deposits(&self, sums: &mut Sums) {
        let deep = (self.chain.blocks.len()).saturating_sub(CONFIRMATIONS as usize - 1);
        for block in &self.chain.blocks[..deep] {
            for payment in block.payments.iter().map(|hash| self.chain.payments[hash]) {
                if let Some(user) = payment.to {
                    sums.add(
                        Some(user.uuid()),
                        Purpose::Wallet,
                        payment.asset,
                        signed(payment.amount),
                    );
                }
            }
        }
    }

    /// Trades, by price and quantity, with their fees computed here.
    fn add_trades(&mut self, sums: &mut Sums) {
        let owner = |account: u32| {
            let row = self.ledger.accounts.get((account as usize).wrapping_sub(1));
            row.and_then(|row| match row.key.account.owner {
                Owner::User(user) => Some(user),
                Owner::House => None,
            })
        };
        let mut wrong = None;
        for row in self.ledger.rows.iter().filter(|row| row.kind == RowKind::Trade) {
            let Some(part) = &row.order else { continue };
            let amount = if row.asset == COIN {
                u128::from(part.lots) * LOT
            } else {
                u128::from(part.price) * u128::from(part.lots) * UNIT
            };
            // Who is paid by a maker is the taker.
            let ppm = if part.flags.is_maker() {
                FEES.taker_ppm
            } else {
                FEES.maker_ppm
            };
            let fee = (amount * u128::from(ppm)).div_ceil(1_000_000);
            if (amount, fee) != (row.amount, part.fee) {
                wrong = Some(format!("the trade in row {} is {amount} and {fee}", row.id));
            }
            sums.add(owner(row.debit), Purpose::Wallet, row.asset, -signed(amount));
            sums.add(
                owner(row.credit),
                Purpose::Wallet,
                row.asset,
                signed(amount - fee),
            );
            sums.add(None, Purpose::Fees, row.asset, signed(fee));
        }
        if let Some(wrong) = wrong {
            self.violate("I08", || wrong);
        }
    }

    /// Transfers and withdrawals, as people were told and as the chain shows.
    fn add_wishes(&mut self, sums: &mut Sums) {
        for op in self.people.ops.clone() {
            let Some(resource) = self.pay.keys.get(&(op.user, op.key)).copied() else {
                continue;
            };
            let wallet = |sums: &mut Sums, user: Uuid, asset, amount| {
                sums.add(Some(user), Purpose::Wallet, asset, amount);
            };
            match op.wish {
                Wish::Transfer { to, asset, amount } => {
                    let state = self.transfers.state(TransferId::from_uuid(resource).cast());
                    if state.is_some_and(|state| TransferFlow::label(state) == "completed") {
                        wallet(sums, op.user.uuid(), asset, -signed(amount));
                        wallet(sums, to.uuid(), asset, signed(amount));
                    }
                }
                Wish::Withdraw {
                    asset,
                    amount,
                    fee,
                    internal,
                    ..
                } => {
                    let id = WithdrawalId::from_uuid(resource);
                    let settled = self.withdrawals.state(id.cast()).map(Withdrawal::label) == Some("settled");
                    if let Some(receiver) = internal {
                        if settled {
                            wallet(sums, op.user.uuid(), asset, -signed(amount));
                            wallet(sums, receiver.uuid(), asset, signed(amount));
                        }
                        continue;
                    }
                    let paid = self.paid_to(op.payee, asset);
                    if paid.len() > 1
                        || paid.len() != usize::from(settled)
                        || paid.iter().any(|paid| *paid != amount)
                    {
                        self.violate("I07", || {
                            format!("{id} is settled: {settled}, wants {amount}; the chain paid {paid:?}")
                        });
                    }
                    if settled {
                        wallet(sums, op.user.uuid(), asset, -signed(amount) - signed(fee));
                        sums.add(None, Purpose::Fees, asset, signed(fee));
                    }
                }
                Wish::Order(_) => {}
            }
        }
    }

    /// What the chain paid to an address.
    fn paid_to(&self, payee: [u8; 20], asset: u32) -> Vec<u128> {
        let ours = self.chain.blocks.iter().flat_map(|block| &block.ours);
        ours.map(|(hash, _)| &self.chain.ours[hash])
            .filter(|ours| {
                ours.signed
                    .tx()
                    .meaning()
                    .is_some_and(|meaning| meaning.payee.bytes() == payee)
            })
            .map(|ours| crate::chain::paid(ours, asset))
            .filter(|paid| *paid > 0)
            .collect()
    }

    /// The hot wallet as the chain has it, and what the chain charged.
    fn add_house(&self, sums: &mut Sums) {
        for asset in [COIN, TOKEN] {
            sums.add(None, Purpose::HotWallet, asset, signed(self.chain.balance(asset)));
            sums.add(None, Purpose::Fees, asset, 0);
        }
        let charged: u128 = self
            .chain
            .blocks
            .iter()
            .flat_map(|block| &block.ours)
            .map(|(_, fee)| *fee)
            .sum();
        sums.add(None, Purpose::NetworkFees, COIN, signed(charged));
    }
}
