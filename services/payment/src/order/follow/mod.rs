//! What the engine tells of a market, as rows of orders and trades. In the order of the journal, each event once.

use std::collections::BTreeMap;

use ferrex_contracts::engine::{MarketChange, MarketChanged, TradeSide};
use ferrex_contracts::payment::MarketTerms;
use ferrex_fault::{Fault, Kind};
use ferrex_money::Amount;
use ferrex_postgres::{PgU128, SqlResult as _};
use sqlx::PgConnection;
use uuid::Uuid;

use super::store::{end_word, side_word, tif_word};
use crate::market;

/// Applies an event. One that was applied before, or of a market that did not come through here, changes nothing.
pub async fn apply(tx: &mut PgConnection, event: &MarketChanged) -> Result<(), Fault> {
    let Some(terms) = market::store::advance(tx, event.market, event.sequence).await? else {
        return Ok(());
    };
    let following = Following {
        event,
        market: event.market.cast_signed(),
        terms: &terms,
    };
    // The order that comes is told after its trades, and they refer to it.
    for change in &event.changes {
        if matches!(change, MarketChange::Placed { .. }) {
            following.placed(tx, change).await?;
        }
    }
    for (place, change) in (0..).zip(&event.changes) {
        match change {
            MarketChange::Trade { .. } => following.trade(tx, place, change).await?,
            MarketChange::Set {
                order, price, lots, ..
            } => following.set(tx, *order, *price, *lots).await?,
            MarketChange::Ended { order, why } => following.end(tx, *order, end_word(*why)).await?,
            MarketChange::State { state } => market::store::set_state(tx, event.market, *state).await?,
            MarketChange::Created { .. } => {
                let halted = ferrex_contracts::engine::MarketState::Halted;
                market::store::set_state(tx, event.market, halted).await?;
            }
            MarketChange::Fees { rates } => market::store::set_fees(tx, event.market, rates).await?,
            MarketChange::Lifted {
                order,
                triggered: true,
            } => following.triggered(tx, *order).await?,
            // An amended order is set or ended by what follows.
            MarketChange::Placed { .. } | MarketChange::Lifted { .. } | MarketChange::Other => {}
        }
    }
    following.totals(tx).await
}

struct Following<'a> {
    event: &'a MarketChanged,
    market: i32,
    terms: &'a MarketTerms,
}

impl Following<'_> {
    fn amount(&self, steps: u64, step: Amount) -> Result<Amount, Fault> {
        let units = step.units().checked_mul(steps.into());
        units.map(Amount::new).ok_or_else(|| {
            let detail = format!("command {} tells more than 128 bits hold", self.event.command);
            Fault::new(Kind::Invalid, "payment.order.overflow", detail)
        })
    }

    async fn placed(&self, tx: &mut PgConnection, change: &MarketChange) -> Result<(), Fault> {
        let MarketChange::Placed {
            order,
            owner,
            side,
            price,
            lots,
            tif,
            by_market,
            by_value,
            stop,
            expires_at,
            end,
            ..
        } = change
        else {
            return Ok(());
        };
        let quantity = self.amount(*lots, self.terms.lot)?;
        let stop = self.amount(*stop, self.terms.tick)?;
        // What met an order of the same person may have shrunk. A stop waits even if its price was reached already: that it is triggered is told as another change.
        sqlx::query(
            "INSERT INTO placed_order (id, user_id, market, number, side, kind, tif, price, quantity, expires_at, placed_at, status,
                                       stop, waiting)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13 IS NOT NULL)
             ON CONFLICT (id) DO UPDATE SET number = excluded.number, status = excluded.status, waiting = excluded.waiting,
                quantity = excluded.quantity",
        )
        .bind(self.event.command.uuid())
        .bind(owner)
        .bind(self.market)
        .bind(order.cast_signed())
        .bind(side_word(*side))
        .bind(if *by_market { "market" } else { "limit" })
        .bind(tif_word(*tif))
        .bind(PgU128::from(self.amount(*price, self.terms.tick)?))
        .bind((!by_value).then(|| PgU128::from(quantity)))
        .bind(expires_at)
        .bind(self.event.at)
        .bind(end.map_or("open", end_word))
        .bind((!stop.is_zero()).then(|| PgU128::from(stop)))
        .execute(tx)
        .await
        .doing("writing an order that was placed")
        .map(drop)
        .map_err(Into::into)
    }

    async fn trade(&self, tx: &mut PgConnection, place: i32, change: &MarketChange) -> Result<(), Fault> {
        let MarketChange::Trade {
            price,
            taker,
            buy,
            sell,
            ..
        } = change
        else {
            return Ok(());
        };
        let buy_order = self.fill(tx, buy, sell.pays, buy.pays).await?;
        let sell_order = self.fill(tx, sell, sell.pays, buy.pays).await?;
        sqlx::query(
            "INSERT INTO trade (sequence, place, market, at, price, quantity, value, taker, buyer, buy_order, buy_fee,
                                seller, sell_order, sell_fee)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(self.event.sequence.cast_signed())
        .bind(place)
        .bind(self.market)
        .bind(self.event.at)
        .bind(PgU128::from(self.amount(*price, self.terms.tick)?))
        .bind(PgU128::from(sell.pays))
        .bind(PgU128::from(buy.pays))
        .bind(taker.map(side_word))
        .bind(buy.person)
        .bind(buy_order)
        .bind(PgU128::from(buy.fee))
        .bind(sell.person)
        .bind(sell_order)
        .bind(PgU128::from(sell.fee))
        .execute(tx)
        .await
        .doing("writing a trade")
        .map(drop)
        .map_err(Into::into)
    }

    /// Adds a trade to one of its orders; one with nothing left is filled. Answers the order's id.
    async fn fill(
        &self,
        tx: &mut PgConnection,
        side: &TradeSide,
        quantity: Amount,
        value: Amount,
    ) -> Result<Uuid, Fault> {
        let id: Option<Uuid> = sqlx::query_scalar(
            "UPDATE placed_order
                SET filled = filled + $3, filled_value = filled_value + $4, fee = fee + $5,
                    status = CASE WHEN status = 'open' AND $6 THEN 'filled' ELSE status END
              WHERE market = $1 AND number = $2 RETURNING id",
        )
        .bind(self.market)
        .bind(side.order.cast_signed())
        .bind(PgU128::from(quantity))
        .bind(PgU128::from(value))
        .bind(PgU128::from(side.fee))
        .bind(side.left == 0)
        .fetch_optional(tx)
        .await
        .doing("adding a trade to an order")?;
        id.ok_or_else(|| {
            let detail = format!(
                "order {} of market {} trades and was never placed",
                side.order, self.market
            );
            Fault::new(Kind::Internal, "payment.order.missing", detail)
        })
    }

    /// What the event's trades add to the market's last price and to each person's volume of the day.
    async fn totals(&self, tx: &mut PgConnection) -> Result<(), Fault> {
        let mut last = None;
        let mut traded: BTreeMap<Uuid, (u128, u128)> = BTreeMap::new();
        for change in &self.event.changes {
            let MarketChange::Trade { price, buy, sell, .. } = change else {
                continue;
            };
            last = Some(*price);
            for person in [buy.person, sell.person].into_iter().flatten() {
                let (quantity, value) = traded.entry(person).or_default();
                *quantity = quantity.saturating_add(sell.pays.units());
                *value = value.saturating_add(buy.pays.units());
            }
        }
        let Some(last) = last else { return Ok(()) };
        let last = self.amount(last, self.terms.tick)?;
        market::store::set_last_price(tx, self.event.market, last).await?;
        let people: Vec<Uuid> = traded.keys().copied().collect();
        let sums = |of: fn(&(u128, u128)) -> u128| -> Vec<PgU128> {
            traded.values().map(|sums| PgU128(of(sums))).collect()
        };
        sqlx::query(
            "INSERT INTO daily_volume AS v (user_id, market, day, quantity, value)
             SELECT person, $1, ($2::timestamptz AT TIME ZONE 'UTC')::date, quantity, value
               FROM unnest($3::uuid[], $4::numeric[], $5::numeric[]) AS side (person, quantity, value)
             ON CONFLICT (user_id, market, day) DO UPDATE
                SET quantity = v.quantity + excluded.quantity, value = v.value + excluded.value",
        )
        .bind(self.market)
        .bind(self.event.at)
        .bind(people)
        .bind(sums(|(quantity, _)| *quantity))
        .bind(sums(|(_, value)| *value))
        .execute(tx)
        .await
        .doing("adding trades to volumes")
        .map(drop)
        .map_err(Into::into)
    }

    /// A stop's price was reached: it is an order like any other from here on.
    async fn triggered(&self, tx: &mut PgConnection, order: u64) -> Result<(), Fault> {
        sqlx::query("UPDATE placed_order SET waiting = false WHERE market = $1 AND number = $2")
            .bind(self.market)
            .bind(order.cast_signed())
            .execute(tx)
            .await
            .doing("writing that a stop was triggered")
            .map(drop)
            .map_err(Into::into)
    }

    async fn set(&self, tx: &mut PgConnection, order: u64, price: u64, lots: u64) -> Result<(), Fault> {
        sqlx::query("UPDATE placed_order SET price = $3, quantity = $4, status = 'open' WHERE market = $1 AND number = $2")
            .bind(self.market)
            .bind(order.cast_signed())
            .bind(PgU128::from(self.amount(price, self.terms.tick)?))
            .bind(PgU128::from(self.amount(lots, self.terms.lot)?))
            .execute(tx)
            .await
            .doing("writing an order's new values")
            .map(drop)
            .map_err(Into::into)
    }

    async fn end(&self, tx: &mut PgConnection, order: u64, status: &str) -> Result<(), Fault> {
        sqlx::query("UPDATE placed_order SET status = $3 WHERE market = $1 AND number = $2")
            .bind(self.market)
            .bind(order.cast_signed())
            .bind(status)
            .execute(tx)
            .await
            .doing("writing an order's end")
            .map(drop)
            .map_err(Into::into)
    }
}
