//! An order as it is asked for and as it stands, and the words that the tables have for both.

use ferrex_contracts::engine::{OrderEnd, Side, Tif};
use ferrex_engine_core::{
    self as core, MarketId, OrderKind, OrderReport, PlaceOrder, Refusal, SelfTrade, Terms,
};
use ferrex_ids::{OrderId, UserId};
use ferrex_money::Amount;
use ferrex_time::Timestamp;

/// An order as it was asked for.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// Which.
    pub id: OrderId,
    /// Whose.
    pub user: UserId,
    /// What the engine is asked.
    pub place: PlaceOrder,
    /// The person's own name for it.
    pub client_order_id: Option<String>,
    /// `limit` or `market`.
    pub kind: &'static str,
    /// Limit, or worst price.
    pub price: Amount,
    /// How much; none for a buy by value.
    pub quantity: Option<Amount>,
    /// For how much to buy.
    pub value: Option<Amount>,
    /// What becomes of what does not trade at once.
    pub tif: Tif,
    /// When.
    pub at: Timestamp,
}

impl NewOrder {
    /// `buy` or `sell`.
    pub(super) const fn side(&self) -> &'static str {
        match self.place.side {
            core::Side::Buy => "buy",
            core::Side::Sell => "sell",
        }
    }

    /// As it stands before it is decided.
    pub(super) fn into_row(self) -> OrderRow {
        OrderRow {
            side: self.side().to_owned(),
            id: self.id,
            user: self.user,
            market: self.place.market,
            client_order_id: self.client_order_id,
            kind: self.kind.to_owned(),
            tif: tif_word(self.tif).to_owned(),
            price: self.price,
            quantity: self.quantity,
            value: self.value,
            expires_at: self.place.terms.expires_at,
            placed_at: self.at,
            status: "requested".to_owned(),
            refusal: None,
            filled: Amount::ZERO,
            filled_value: Amount::ZERO,
            fee: Amount::ZERO,
            stop: self.place.terms.stop,
            display: self.place.terms.display,
            self_trade: Some(self_trade_word(self.place.terms.self_trade).to_owned()),
            waiting: false,
        }
    }
}

/// An order where it stands.
#[derive(Clone, Debug)]
pub struct OrderRow {
    /// Which.
    pub id: OrderId,
    /// Whose.
    pub user: UserId,
    /// Where.
    pub market: MarketId,
    /// The person's own name for it.
    pub client_order_id: Option<String>,
    /// `buy` or `sell`.
    pub side: String,
    /// `limit` or `market`.
    pub kind: String,
    /// `gtc`, `ioc`, `fok` or `post_only`.
    pub tif: String,
    /// Limit, or worst price.
    pub price: Amount,
    /// How much; none for a buy by value.
    pub quantity: Option<Amount>,
    /// For how much to buy.
    pub value: Option<Amount>,
    /// From when on it may expire.
    pub expires_at: Option<Timestamp>,
    /// When it was asked for.
    pub placed_at: Timestamp,
    /// Where it stands.
    pub status: String,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
    /// What has traded, of the base asset.
    pub filled: Amount,
    /// What that cost or brought, of the quote asset.
    pub filled_value: Amount,
    /// The fee, of what is received.
    pub fee: Amount,
    /// Of a stop, the last price that triggers it.
    pub stop: Option<Amount>,
    /// Of an iceberg, the most that others see.
    pub display: Option<Amount>,
    /// What happens when it meets an order of the same person; none for one that was not asked for here.
    pub self_trade: Option<String>,
    /// Whether it is a stop that was not triggered.
    pub waiting: bool,
}

impl OrderRow {
    /// What the engine is asked for it; `None` for one that was not asked for here.
    pub(super) fn place(&self) -> Option<PlaceOrder> {
        let kind = match (self.kind.as_str(), self.quantity, self.value) {
            ("limit", Some(quantity), None) => OrderKind::Limit {
                price: self.price,
                quantity,
                tif: tif(&self.tif)?,
            },
            ("market", Some(quantity), None) => OrderKind::Market {
                quantity,
                protection: self.price,
            },
            ("market", None, Some(value)) => OrderKind::MarketByValue {
                value,
                protection: self.price,
            },
            _ => return None,
        };
        Some(PlaceOrder {
            market: self.market,
            owner: self.user.uuid(),
            side: if self.side == "buy" {
                core::Side::Buy
            } else {
                core::Side::Sell
            },
            kind,
            terms: Terms {
                stop: self.stop,
                display: self.display,
                expires_at: self.expires_at,
                self_trade: self_trade(self.self_trade.as_deref()?)?,
                client: Some(self.id.uuid()),
            },
        })
    }

    /// As cancelled: the engine has said so, even if the read model is late.
    pub(super) fn cancelled(mut self) -> Self {
        "cancelled".clone_into(&mut self.status);
        self
    }

    /// As the engine has answered for it: what the read model is about to show. `lot` is the step of its market's quantities.
    pub(super) fn reported(mut self, report: &OrderReport, lot: Amount) -> Self {
        report
            .end
            .map_or("open", engine_end_word)
            .clone_into(&mut self.status);
        let quantity = lot.units().checked_mul(report.lots.into()).map(Amount::new);
        self.quantity = self.quantity.and(quantity);
        self.filled = report.filled;
        self.filled_value = report.value;
        self.fee = report.fee;
        self.waiting = report.waiting;
        self
    }
}

pub(super) const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

pub(super) const fn tif_word(tif: Tif) -> &'static str {
    match tif {
        Tif::Gtc => "gtc",
        Tif::Ioc => "ioc",
        Tif::Fok => "fok",
        Tif::PostOnly => "post_only",
    }
}

pub(super) const fn self_trade_word(mode: SelfTrade) -> &'static str {
    match mode {
        SelfTrade::CancelNewest => "cancel_newest",
        SelfTrade::CancelOldest => "cancel_oldest",
        SelfTrade::CancelBoth => "cancel_both",
        SelfTrade::Decrement => "decrement",
    }
}

/// What a word of the table says of the engine's times in force.
fn tif(word: &str) -> Option<core::Tif> {
    Some(match word {
        "gtc" => core::Tif::Gtc,
        "ioc" => core::Tif::Ioc,
        "fok" => core::Tif::Fok,
        "post_only" => core::Tif::PostOnly,
        _ => return None,
    })
}

fn self_trade(word: &str) -> Option<SelfTrade> {
    Some(match word {
        "cancel_newest" => SelfTrade::CancelNewest,
        "cancel_oldest" => SelfTrade::CancelOldest,
        "cancel_both" => SelfTrade::CancelBoth,
        "decrement" => SelfTrade::Decrement,
        _ => return None,
    })
}

pub(super) const fn end_word(end: OrderEnd) -> &'static str {
    match end {
        OrderEnd::Filled => "filled",
        OrderEnd::Cancelled => "cancelled",
        OrderEnd::Expired => "expired",
        OrderEnd::Unfilled => "unfilled",
        OrderEnd::SelfTrade => "self_trade",
    }
}

const fn engine_end_word(end: core::End) -> &'static str {
    match end {
        core::End::Filled => "filled",
        core::End::Cancelled => "cancelled",
        core::End::Expired => "expired",
        core::End::Unfilled => "unfilled",
        core::End::SelfTrade => "self_trade",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(by_market: bool, kind: OrderKind, terms: Terms) -> NewOrder {
        let id = OrderId::new_at(1_000);
        let (price, quantity, value, tif) = match kind {
            OrderKind::Limit { price, quantity, tif } => (price, Some(quantity), None, Some(tif)),
            OrderKind::Market { quantity, protection } => (protection, Some(quantity), None, None),
            OrderKind::MarketByValue { value, protection } => (protection, None, Some(value), None),
        };
        let words = [Tif::Gtc, Tif::Ioc, Tif::Fok, Tif::PostOnly];
        let same = |word: &Tif| tif.is_none_or(|tif| super::tif(tif_word(*word)) == Some(tif));
        NewOrder {
            id,
            user: UserId::new_at(1_000),
            place: PlaceOrder {
                market: MarketId(7),
                owner: uuid::Uuid::nil(),
                side: core::Side::Buy,
                kind,
                terms: Terms {
                    client: Some(id.uuid()),
                    ..terms
                },
            },
            client_order_id: None,
            kind: if by_market { "market" } else { "limit" },
            price,
            quantity,
            value,
            tif: words.into_iter().find(same).expect("each has a word"),
            at: ferrex_time::from_micros(1_000),
        }
    }

    #[test]
    fn what_the_engine_is_asked_follows_from_the_row() {
        let (price, quantity) = (Amount::new(5), Amount::new(6));
        let limits = [
            core::Tif::Gtc,
            core::Tif::Ioc,
            core::Tif::Fok,
            core::Tif::PostOnly,
        ];
        let limits = limits.map(|tif| (false, OrderKind::Limit { price, quantity, tif }));
        let protection = price;
        let markets = [
            (true, OrderKind::Market { quantity, protection }),
            (
                true,
                OrderKind::MarketByValue {
                    value: quantity,
                    protection,
                },
            ),
        ];
        let modes = [
            SelfTrade::CancelNewest,
            SelfTrade::CancelOldest,
            SelfTrade::CancelBoth,
            SelfTrade::Decrement,
        ];
        for (by_market, kind) in limits.into_iter().chain(markets) {
            for (self_trade, some) in modes.into_iter().zip([None, Some(7), None, Some(8)]) {
                let terms = Terms {
                    stop: some.map(Amount::new),
                    display: some.map(|units| Amount::new(units + 1)),
                    expires_at: some.map(|_| ferrex_time::from_micros(9)),
                    self_trade,
                    client: None,
                };
                for side in [core::Side::Buy, core::Side::Sell] {
                    let mut order = order(by_market, kind, terms);
                    (order.place.side, order.place.owner) = (side, order.user.uuid());
                    let asked = order.place;
                    assert_eq!(order.into_row().place(), Some(asked));
                }
            }
        }
    }
}
