//! People: what they do, what they were told, and the listeners of payment that serve them. Every request has a key and may
//! be sent again, to another process, at any time.

use ferrex_engine_core::{
    Action, Batch, Command, Engine, FeeRate, MarketId, MarketSpec, MarketState, OrderKind, PlaceOrder,
    Reason, Side, Step, Terms, Tif,
};
use ferrex_ids::{CommandId, OrderId, UserId};
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use uuid::Uuid;

use crate::chain::{ETHER, genesis};
use crate::event::{Event, Proc};
use crate::payment::{COIN, TOKEN};
use crate::pg::Appended;
use crate::world::World;

/// The market.
pub const MARKET: MarketId = MarketId(1);
/// Smallest units of a lot.
pub const LOT: u128 = ETHER / 100;
/// Of the token, for a whole coin.
pub const TICK: u128 = 100;
/// What a lot costs at one tick.
pub const UNIT: u128 = TICK * LOT / ETHER;
/// What makers and takers pay, in millionths.
pub const FEES: FeeRate = FeeRate {
    maker_ppm: 1_000,
    taker_ppm: 2_000,
};
/// Things that a person does in a run, at most.
const OPS_EACH: usize = 14;

/// What somebody wants.
#[derive(Clone, Copy, Debug)]
pub enum Wish {
    /// To pay somebody.
    Transfer { to: UserId, asset: u32, amount: u128 },
    /// To be paid out.
    Withdraw {
        asset: u32,
        amount: u128,
        fee: u128,
        internal: Option<UserId>,
        approval: bool,
    },
    /// To trade.
    Order(PlaceOrder),
}

/// What somebody was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is there; whether it is done is seen later.
    Accepted(Uuid),
    /// It is refused.
    Refused(Uuid),
}

/// Something that a person does.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// Who.
    pub user: UserId,
    /// Under which key.
    pub key: u64,
    /// What.
    pub wish: Wish,
    /// The last thing they were told.
    pub told: Option<Answer>,
    /// Where to withdraw to.
    pub payee: [u8; 20],
}

/// Everybody.
#[derive(Debug)]
pub struct People {
    /// Their ids.
    pub users: Vec<UserId>,
    /// What they did.
    pub ops: Vec<Op>,
}

impl People {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// People who have done nothing yet.
    pub fn new() -> Self {
        let user = |number: usize| UserId::from_uuid(Uuid::from_u128((0x7000 << 64) + number as u128 + 1));
        Self {
            users: (0..Self::COUNT).map(user).collect(),
            ops: Vec::new(),
        }
    }
}

/// What everybody has at the beginning, by asset.
pub const fn begins_with(asset: u32) -> u128 {
    if asset == COIN { 3 * ETHER } else { 5_000_000_000 }
}

impl World {
    /// The books of the first moment: the house's funding, everybody's first deposit, a market.
    pub(crate) fn genesis(&mut self) {
        let mut steps = Vec::new();
        let mut put = |debit, credit, asset, amount| {
            let (asset, amount) = (AssetId(asset), Amount::new(amount));
            steps.push(Step::Move {
                debit,
                credit,
                asset,
                amount,
            });
        };
        for asset in [COIN, TOKEN] {
            put(
                Account::house(Purpose::HotWallet),
                Account::house(Purpose::Capital),
                asset,
                genesis(asset),
            );
        }
        let mut commands = vec![(Reason::HouseFunding, Action::Transfer(std::mem::take(&mut steps)))];
        for user in self.people.users.clone() {
            let steps = [COIN, TOKEN].map(|asset| Step::Move {
                debit: Account::house(Purpose::DepositAddresses),
                credit: Account::wallet(user.uuid()),
                asset: AssetId(asset),
                amount: Amount::new(begins_with(asset)),
            });
            commands.push((Reason::Deposit, Action::Transfer(steps.to_vec())));
        }
        let spec = MarketSpec {
            base: AssetId(COIN),
            quote: AssetId(TOKEN),
            per: Amount::new(ETHER),
            tick: Amount::new(TICK),
            lot: Amount::new(LOT),
            price_max: Amount::new(10_000_000_000),
            quantity_min: Amount::new(LOT),
            quantity_max: Amount::new(1_000 * LOT),
            value_min: Amount::new(1),
            band_ppm: 0,
            open_orders_max: 20,
            reference_price: None,
        };
        let (market, state, rates) = (MARKET, MarketState::Open, vec![FEES]);
        commands.push((Reason::MarketAdmin, Action::CreateMarket { market, spec }));
        commands.push((Reason::MarketAdmin, Action::SetFees { market, rates }));
        commands.push((Reason::MarketAdmin, Action::SetMarketState { market, state }));
        let (mut engine, mut batch) = (Engine::new(0), Batch::default());
        for (reason, action) in commands {
            let command = Command {
                id: CommandId::from_uuid(self.uuid()),
                at: self.time(),
                reason,
                reference: self.uuid(),
                action,
            };
            let outcome = engine.apply(&command, &mut batch);
            assert!(outcome.is_applied(), "{command:?}: {outcome:?}");
        }
        let appended = self.ledger.append(0, 0, &batch);
        assert_eq!(appended, Appended::Stored, "the journal is empty");
    }

    /// A person does something.
    pub(crate) fn person(&mut self, user: usize) {
        let user_id = self.people.users[user];
        self.after(500, 5_000, Event::Person(user));
        let mine: Vec<usize> = (0..self.people.ops.len())
            .filter(|op| self.people.ops[*op].user == user_id)
            .collect();
        let undecided = mine
            .iter()
            .copied()
            .find(|op| self.people.ops[*op].told.is_none());
        let dice = self.rng.below(1_000);
        if let Some(op) = undecided.filter(|_| self.draining || dice < 600) {
            self.send(op, false);
        } else if self.draining {
            // When all ends, orders are taken back.
            if let Some(op) = mine.into_iter().find(|op| self.is_open_order(*op)) {
                self.send(op, true);
            }
        } else if mine.len() >= OPS_EACH {
            // Whoever is unsure asks again.
            if let Some(op) = mine.get(self.rng.place(mine.len().max(1))).copied() {
                self.send(op, false);
            }
        } else if dice < 850 {
            let wish = self.wish(user_id);
            let op = Op {
                user: user_id,
                key: self.rng.bits(),
                wish,
                told: None,
                payee: [0; 20],
            };
            self.people.ops.push(op);
            let op = self.people.ops.len() - 1;
            let mut payee = [0x11; 20];
            payee[12..].copy_from_slice(&(op as u64 + 1).to_be_bytes());
            self.people.ops[op].payee = payee;
            if self.rng.permille(50) {
                self.chain.shunned.insert(payee);
            }
            self.send(op, false);
        } else if let Some(op) = mine.get(self.rng.place(mine.len().max(1))).copied() {
            let cancel = self.rng.permille(600);
            self.send(op, cancel);
        }
    }

    fn is_open_order(&self, op: usize) -> bool {
        let Op { user, key, .. } = &self.people.ops[op];
        let id = self.pay.keys.get(&(*user, *key));
        let row = id.and_then(|id| self.pay.orders.get(&OrderId::from_uuid(*id)));
        row.is_some_and(|row| row.status == "open")
    }

    fn wish(&mut self, user: UserId) -> Wish {
        let asset = if self.rng.permille(500) { COIN } else { TOKEN };
        let unit = begins_with(asset) / 1_000;
        let amount = unit * u128::from(self.rng.within(1, 700));
        let other = self.people.users[self.rng.place(People::COUNT)];
        match self.rng.below(100) {
            0..35 if other != user => Wish::Transfer {
                to: other,
                asset,
                amount,
            },
            0..65 => Wish::Withdraw {
                asset,
                amount,
                fee: if self.rng.permille(300) { 0 } else { unit / 2 },
                internal: (other != user && self.rng.permille(100)).then_some(other),
                approval: self.rng.permille(250),
            },
            _ => {
                let price = TICK * u128::from(self.rng.within(19_990_000, 20_010_000));
                let quantity = LOT * u128::from(self.rng.within(1, 60));
                let tif = [Tif::Gtc, Tif::Gtc, Tif::Gtc, Tif::Ioc][self.rng.place(4)];
                Wish::Order(PlaceOrder {
                    market: MARKET,
                    owner: user.uuid(),
                    side: if self.rng.permille(500) {
                        Side::Buy
                    } else {
                        Side::Sell
                    },
                    kind: OrderKind::Limit {
                        price: Amount::new(price),
                        quantity: Amount::new(quantity),
                        tif,
                    },
                    terms: Terms::default(),
                })
            }
        }
    }

    fn send(&mut self, op: usize, cancel: bool) {
        if self.rng.permille(self.faults.lost) {
            return;
        }
        let at = Proc::PAYMENTS[self.rng.place(2)];
        let when = self.now + self.latency();
        self.at(when, None, Event::Request { op, at, cancel });
        if self.rng.permille(self.faults.twice) {
            let at = Proc::PAYMENTS[self.rng.place(2)];
            let when = self.now + self.latency();
            self.at(when, None, Event::Request { op, at, cancel });
        }
    }
}
