//! What the book did, as money and as rows.

use ferrex_ledger::{AccountId, Impossible, Ledger};
use ferrex_matching::{End, Event, Lots, OrderNo, Party, Place, Side, Ticks};
use ferrex_planted::planted;
use uuid::Uuid;

use super::fees::{Trading, fee, rate};
use super::market::Market;
use super::{MarketId, OrderFlags, OrderPart};
use crate::engine::Head;
use crate::{Batch, JournalRow, RowKind};

/// One market and all that its orders move.
pub(crate) struct Desk<'a> {
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) market: &'a mut Market,
    pub(crate) events: &'a mut Vec<Event>,
    sequence: &'a mut u64,
    head: &'a Head<'a>,
    out: &'a mut Batch,
}

/// A trade as the book tells it.
#[derive(Clone, Copy)]
struct Trade {
    buyer: Party,
    seller: Party,
    taker_side: Side,
    price: Ticks,
    lots: Lots,
    auction: bool,
}

/// One direction of a trade: who pays whom how much of what.
#[derive(Clone, Copy)]
struct Leg {
    payer: Party,
    paid: Party,
    side: Side,
    maker: bool,
    debit: AccountId,
    credit: AccountId,
    fees: AccountId,
    asset: u32,
    amount: u128,
    fee: u128,
}

/// Money moves as it was checked before the book was asked, so that nothing can be refused here.
fn sure(moved: Result<(), Impossible>) {
    moved.expect(
        "the taker's worst case was available, a maker's is set aside, and an asset's issue fits a balance",
    );
}

impl<'a> Desk<'a> {
    pub(crate) fn new(
        ledger: &'a mut Ledger,
        trading: &'a mut Trading,
        sequence: &'a mut u64,
        head: &'a Head<'a>,
        id: MarketId,
        out: &'a mut Batch,
    ) -> Option<Self> {
        let (market, events) = trading.parts(id)?;
        Some(Self {
            ledger,
            market,
            events,
            sequence,
            head,
            out,
        })
    }

    /// Books everything the book did, in its order. `placing` is the order that the command places.
    pub(crate) fn settle(mut self, placing: Option<(&Place, Option<Uuid>)>) {
        let mut events = std::mem::take(self.events);
        for event in &events {
            match *event {
                Event::Trade {
                    maker,
                    taker,
                    taker_side,
                    price,
                    lots,
                    auction,
                } => {
                    let (buyer, seller) = match taker_side {
                        Side::Buy => (taker, maker),
                        Side::Sell => (maker, taker),
                    };
                    self.trade(&Trade {
                        buyer,
                        seller,
                        taker_side,
                        price,
                        lots,
                        auction,
                    });
                }
                Event::Placed {
                    order,
                    slot,
                    filled,
                    left,
                    end,
                } => {
                    let (place, client) =
                        placing.expect("only a command that places an order makes this event");
                    self.placed(place, client, (order, slot), (filled, left), end);
                }
                Event::Lifted {
                    order,
                    slot,
                    left,
                    triggered,
                } => {
                    let amount = self.give_back(slot);
                    let view = self.market.book.view(slot);
                    let mut part = OrderPart::new(self.market.id, order);
                    part.left = left;
                    part.flags = OrderFlags(0).with(OrderFlags::TRIGGERED, triggered);
                    let account = self.market.payer(view.owner, view.side);
                    self.push(RowKind::OrderLifted, account, amount, part);
                }
                Event::Set {
                    order,
                    slot,
                    limit,
                    total,
                    left,
                    requeued,
                } => {
                    let view = self.market.book.view(slot);
                    let held = self.market.hold_of(view.side, limit, left, 0);
                    self.hold(slot, held);
                    let mut part = OrderPart::new(self.market.id, order);
                    (part.price, part.lots, part.left) = (limit, total, left);
                    part.flags = OrderFlags(0).with(OrderFlags::REQUEUED, requeued);
                    let account = self.market.payer(view.owner, view.side);
                    self.push(RowKind::OrderSet, account, held, part);
                }
                Event::Ended { order, slot, why, .. } => self.ended(order, slot, why),
            }
        }
        events.clear();
        *self.events = events;
    }

    fn push(&mut self, kind: RowKind, account: AccountId, amount: u128, part: OrderPart) {
        let asset = self.ledger.account_key(account).map_or(0, |key| key.asset.0);
        let row = self.row(kind, amount, asset, part);
        self.out.rows.push(JournalRow {
            debit: account.0,
            ..row
        });
    }

    fn row(&mut self, kind: RowKind, amount: u128, asset: u32, part: OrderPart) -> JournalRow {
        *self.sequence += 1;
        JournalRow {
            asset,
            amount,
            order: Some(part),
            ..self.head.row(*self.sequence, kind)
        }
    }

    /// Makes `held` what an order has set aside.
    fn hold(&mut self, slot: u32, held: u128) {
        let view = self.market.book.view(slot);
        let account = self.market.payer(view.owner, view.side);
        let before = std::mem::replace(&mut self.market.extra_mut(slot).held, held);
        if held >= before {
            sure(self.ledger.set_aside(account, held - before));
        } else {
            sure(self.ledger.give_back(account, before - held));
        }
    }

    fn give_back(&mut self, slot: u32) -> u128 {
        let held = self.market.extra(slot).held;
        self.hold(slot, 0);
        held
    }

    fn ended(&mut self, order: OrderNo, slot: u32, why: End) {
        let amount = if planted!("orders.end_keeps_money_aside") {
            self.market.extra(slot).held
        } else {
            self.give_back(slot)
        };
        self.market.forget(slot);
        let view = self.market.book.view(slot);
        let mut part = OrderPart::new(self.market.id, order);
        part.flags = part.flags.ended(why);
        let account = self.market.payer(view.owner, view.side);
        self.push(RowKind::OrderEnded, account, amount, part);
    }

    fn placed(
        &mut self,
        place: &Place,
        client: Option<Uuid>,
        (order, slot): (OrderNo, u32),
        (filled, left): (Lots, Lots),
        end: Option<End>,
    ) {
        let market = &mut *self.market;
        // Its number is given, even if it never was open.
        market.changed = true;
        let mut held = 0;
        if end.is_none() {
            market.admit(slot, place.owner, order, 0, client);
            let lots = if planted!("orders.filled_part_set_aside_again") {
                place.lots
            } else {
                left
            };
            held = market.hold_of(place.side, place.limit, lots, place.value);
        }
        let waiting = place.stop != 0;
        let by_value = place.value > 0;
        let seat = market.seats[place.owner as usize];
        let (debit, credit) = match place.side {
            Side::Buy => (seat.quote, seat.base),
            Side::Sell => (seat.base, seat.quote),
        };
        let asset = match place.side {
            Side::Buy => market.spec.quote,
            Side::Sell => market.spec.base,
        };
        let mut part = OrderPart::new(market.id, order);
        part.price = place.limit;
        part.lots = match end {
            None => filled + left,
            Some(_) if by_value => filled,
            Some(_) => place.lots,
        };
        (part.left, part.display, part.stop, part.client) = (left, place.display, place.stop, client);
        part.flags = OrderFlags::order(place.side, place.self_trade, place.tif)
            .with(OrderFlags::MARKET, place.market)
            .with(OrderFlags::BY_VALUE, by_value)
            .with(OrderFlags::WAITING, waiting);
        if let Some(why) = end {
            part.flags = part.flags.ended(why);
        } else {
            self.hold(slot, held);
        }
        let expires_at =
            (place.expires_at != ferrex_matching::NEVER).then(|| ferrex_time::from_micros(place.expires_at));
        let row = self.row(RowKind::OrderPlaced, held, asset.0, part);
        self.out.rows.push(JournalRow {
            debit: debit.0,
            credit: credit.0,
            expires_at,
            ..row
        });
    }

    /// Both legs: the buyer pays the quote asset, the seller the base asset; each pays its fee out of what it receives.
    fn trade(&mut self, trade: &Trade) {
        let market = &*self.market;
        let quote = u128::from(trade.price) * u128::from(trade.lots) * market.unit;
        let base = u128::from(trade.lots) * market.spec.lot.units();
        let is_maker = |side| trade.auction || trade.taker_side != side;
        let ppm = |seat: u32, side| {
            let rate = rate(&market.fees, market.seats[seat as usize].tier);
            if is_maker(side) {
                rate.maker_ppm
            } else {
                rate.taker_ppm
            }
        };
        let buyer = market.seats[trade.buyer.owner as usize];
        let seller = market.seats[trade.seller.owner as usize];
        let legs = [
            Leg {
                payer: trade.buyer,
                paid: trade.seller,
                side: Side::Buy,
                maker: is_maker(Side::Buy),
                debit: buyer.quote,
                credit: seller.quote,
                fees: market.fee_quote,
                asset: market.spec.quote.0,
                amount: quote,
                fee: fee(quote, ppm(trade.seller.owner, Side::Sell)),
            },
            Leg {
                payer: trade.seller,
                paid: trade.buyer,
                side: Side::Sell,
                maker: is_maker(Side::Sell),
                debit: seller.base,
                credit: buyer.base,
                fees: market.fee_base,
                asset: market.spec.base.0,
                amount: base,
                fee: fee(base, ppm(trade.buyer.owner, Side::Buy)),
            },
        ];
        for leg in &legs {
            self.leg(leg, trade);
        }
        self.market.changed = true;
    }

    fn leg(&mut self, leg: &Leg, trade: &Trade) {
        if leg.maker {
            let extra = self.market.extra_mut(leg.payer.slot);
            let held = extra.held.checked_sub(leg.amount);
            extra.held = held.expect("a maker has set its worst case aside");
            let done = leg.payer.left == 0 && extra.held == 0;
            sure(self.ledger.give_back(leg.debit, leg.amount));
            if done {
                self.market.forget(leg.payer.slot);
            }
        }
        sure(self.ledger.pay(leg.debit, leg.credit, leg.amount));
        if leg.fee > 0 {
            sure(self.ledger.pay(leg.credit, leg.fees, leg.fee));
        }
        let mut part = OrderPart::new(self.market.id, leg.payer.order);
        part.other = leg.paid.order;
        (part.price, part.lots, part.fee) = (trade.price, trade.lots, leg.fee);
        part.left = leg.payer.left;
        part.flags = OrderFlags(u16::from(leg.side.code()))
            .with(OrderFlags::MAKER, leg.maker)
            .with(OrderFlags::REQUEUED, leg.payer.requeued)
            .with(OrderFlags::AUCTION, trade.auction);
        let row = self.row(RowKind::Trade, leg.amount, leg.asset, part);
        self.out.rows.push(JournalRow {
            debit: leg.debit.0,
            credit: leg.credit.0,
            ..row
        });
    }
}
