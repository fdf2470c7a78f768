//! Asking for an order: checks, the binding of the key, the command.

use ferrex_contracts::engine::Tif;
use ferrex_engine_client::Unknown;
use ferrex_engine_core::{self as core, Action, Command, OrderKind, Outcome, PlaceOrder, Reason};
use ferrex_fault::Fault;
use ferrex_ids::{OrderId, UserId};
use ferrex_ledger::{Owner, Purpose};
use ferrex_money::Amount;
use ferrex_postgres::Error as DbError;
use ferrex_time::Timestamp;
use sqlx::PgConnection;

use super::read::{self, Asked};
use super::store::{self, NewOrder, OrderRow};
use super::{Error, Placed};
use crate::idempotency::Bound;
use crate::market::requests::follow;
use crate::market::{self, Market};
use crate::{Context, Payment, customer};

/// Places an order. A repeat under the same key is given the first one, as it stands.
pub async fn place(payment: &Payment, user: UserId, key: &str, asked: &Asked) -> Result<Placed, Fault> {
    let context = &payment.context;
    let bound = Bound::new(user, key, "order", asked);
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    if let Some(resource) = bound.find(&mut open).await?? {
        drop(open);
        return finish(context, OrderId::from_uuid(resource)).await;
    }
    let market = market::store::find(&mut open, &asked.market).await?;
    drop(open);
    let market = market.ok_or_else(Error::market_unknown)?;
    let at = context.clock.now();
    let order = Prepared::new(asked, &market, user, context.clock.unix_ms())?;
    may_trade(context, user).await??;
    let mut tx = context.db.begin().await?;
    if !bound.bind(&mut tx, order.id.uuid(), at).await? {
        drop(tx);
        let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
        let first = bound.find(&mut open).await??.ok_or(Error::NotFound)?;
        drop(open);
        return finish(context, OrderId::from_uuid(first)).await;
    }
    if !order.insert(&mut tx, asked, at).await? {
        return Err(Error::ClientIdTaken.into());
    }
    tx.commit().await.map_err(DbError::Commit)?;
    finish(context, order.id).await
}

/// An order that was read and is still to be written.
pub(super) struct Prepared {
    pub(super) id: OrderId,
    user: UserId,
    place: PlaceOrder,
    tif: Tif,
}

impl Prepared {
    pub(super) fn new(asked: &Asked, market: &Market, user: UserId, unix_ms: u64) -> Result<Self, Error> {
        let id = OrderId::new_at(unix_ms);
        let mut place = read::order(asked, market, user)?;
        place.terms.client = Some(id.uuid());
        let tif = read::tif(asked);
        Ok(Self { id, user, place, tif })
    }

    /// Writes it; false when an open order of the person has its name.
    pub(super) async fn insert(
        &self,
        tx: &mut PgConnection,
        asked: &Asked,
        at: Timestamp,
    ) -> Result<bool, DbError> {
        let (price, quantity, value): (Amount, _, _) = match self.place.kind {
            OrderKind::Limit { price, quantity, .. } => (price, Some(quantity), None),
            OrderKind::Market { quantity, protection } => (protection, Some(quantity), None),
            OrderKind::MarketByValue { value, protection } => (protection, None, Some(value)),
        };
        let order = NewOrder {
            id: self.id,
            user: self.user,
            place: &self.place,
            client_order_id: asked.client_order_id.as_deref(),
            kind: if asked.by_market { "market" } else { "limit" },
            price,
            quantity,
            value,
            tif: self.tif,
            at,
        };
        store::insert(tx, &order).await
    }
}

/// Whether a person's money may go into orders at present.
pub(super) async fn may_trade(context: &Context, user: UserId) -> Result<Result<(), Error>, Fault> {
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let person = customer::store::get(&mut open, user).await?;
    drop(open);
    if person.frozen {
        return Ok(Err(Error::Frozen));
    }
    let balances = context.engine.balances(Owner::User(user.uuid())).await?;
    let owes =
        |balance: &core::Balance| balance.key.account.purpose == Purpose::Debt && !balance.total.is_zero();
    Ok(if balances.iter().any(owes) {
        Err(Error::Owing)
    } else {
        Ok(())
    })
}

/// Has an order decided, if it is not yet, and waits until it is shown.
async fn finish(context: &Context, id: OrderId) -> Result<Placed, Fault> {
    let (mut order, market) = load(context, id).await?;
    let decided = decide(context, &order, &market).await??;
    if let Decided::Applied(sequence) = decided {
        follow(context, market.id, sequence).await?;
        order = load(context, id).await?.0;
    }
    Ok(Placed {
        order,
        market,
        accepted: !matches!(decided, Decided::Unknown(_)),
    })
}

/// Where an order stands after it was asked for.
pub(super) enum Decided {
    /// It was told before.
    Before,
    /// The engine took it in this moment, as of a journal id.
    Applied(u64),
    /// No answer is no refusal: the same command is given again by a repeat or by the clock.
    Unknown(Unknown),
}

/// Has an order decided, if it is not yet; a refusal is the same each time it is asked for.
pub(super) async fn decide(
    context: &Context,
    order: &OrderRow,
    market: &Market,
) -> Result<Result<Decided, Error>, Fault> {
    if let Some(refusal) = order.refusal {
        return Ok(Err(Error::refused(refusal, market)));
    }
    if order.status != "requested" {
        return Ok(Ok(Decided::Before));
    }
    Ok(match context.engine.submit(command(order)?).await {
        Ok(Outcome::Applied { sequence }) => Ok(Decided::Applied(sequence)),
        Ok(Outcome::Refused { refusal, .. }) => {
            let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
            store::set_refused(&mut open, order.id, "refused", refusal).await?;
            Err(Error::refused(refusal, market))
        }
        Err(unknown) => Ok(Decided::Unknown(unknown)),
    })
}

/// An order and its market.
pub(super) async fn load(context: &Context, id: OrderId) -> Result<(OrderRow, Market), Fault> {
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let order = store::find(&mut open, id).await?.ok_or(Error::NotFound)?;
    let markets = market::store::list(&mut open).await?;
    let market = markets.into_iter().find(|market| market.id == order.market);
    Ok((order, market.ok_or(Error::NotFound)?))
}

/// The command that places an order: a function of its row alone.
pub(super) fn command(order: &OrderRow) -> Result<Command, Error> {
    Ok(Command {
        id: order.id.cast(),
        at: order.placed_at,
        reason: Reason::Trading,
        reference: order.id.uuid(),
        action: Action::PlaceOrder(order.command.ok_or(Error::NotFound)?),
    })
}
