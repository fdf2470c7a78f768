//! What staff ask of markets. The engine decides; the table's state follows its events.

use std::time::Duration;

use ferrex_contracts::payment::{
    CreateMarket, ListMarkets, MarketRegistry, MarketView, SetMarketFees, SetMarketState,
};
use ferrex_engine_core::{Action, Command, FeeRate, MarketId, Outcome, Reason, Refusal};
use ferrex_fault::Fault;
use ferrex_ids::CommandId;
use ferrex_postgres::Error as DbError;
use uuid::Uuid;

use super::model::{check, check_fees, engine_state};
use super::{Error, Market, store};
use crate::{Context, derive, registry};

/// How often it is looked.
pub const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long an answer waits until the read model shows what the engine did.
pub const SHOWN_WITHIN: Duration = Duration::from_secs(2);

/// Makes a market. The same request again goes on where the first one stopped.
pub async fn create(context: &Context, request: CreateMarket) -> Result<MarketView, Fault> {
    let mut tx = context.db.begin().await?;
    let base = registry::store::get_asset(&mut tx, request.terms.base).await?;
    let quote = registry::store::get_asset(&mut tx, request.terms.quote).await?;
    check(&request.terms, &base, &quote)?;
    let symbol = format!("{}-{}", base.symbol, quote.symbol);
    let id = ferrex_ids::uuid_at(context.clock.unix_ms());
    let market = store::insert(&mut tx, &symbol, &request.terms, id, context.clock.now()).await?;
    if market.terms != request.terms || (market.request != id && market.state.is_some()) {
        return Err(Error::Exists(symbol).into());
    }
    tx.commit().await.map_err(DbError::Commit)?;
    let actions = [
        Action::CreateMarket {
            market: market.id,
            spec: market.spec(),
        },
        Action::SetFees {
            market: market.id,
            rates: vec![FeeRate {
                maker_ppm: market.terms.maker_ppm,
                taker_ppm: market.terms.taker_ppm,
            }],
        },
    ];
    let mut sequence = 0;
    for (action, purpose) in actions.into_iter().zip(["create", "fees"]) {
        let command = derive::command(market.request, purpose, 0);
        sequence = submit(context, command, market.request, action).await?;
    }
    tracing::info!(market = symbol, staff = %request.by.staff, reason = request.by.reason, "market created");
    shown(context, &market, sequence).await
}

/// Changes what may happen in a market. The state that it has already is no fault.
pub async fn set_state(context: &Context, request: SetMarketState) -> Result<MarketView, Fault> {
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let market = store::find(&mut open, &request.symbol).await?;
    let market = market.ok_or_else(|| Error::NotFound(request.symbol.clone()))?;
    drop(open);
    let id = ferrex_ids::uuid_at(context.clock.unix_ms());
    let action = Action::SetMarketState {
        market: market.id,
        state: engine_state(request.state),
    };
    let sequence = submit(context, CommandId::from_uuid(id), market.request, action).await?;
    tracing::info!(market = market.symbol, state = ?request.state, staff = %request.by.staff, reason = request.by.reason,
        "market state changed");
    shown(context, &market, sequence).await
}

/// Changes the fees of a market by tier. They hold for what is traded from then on.
pub async fn set_fees(context: &Context, request: SetMarketFees) -> Result<MarketView, Fault> {
    let rates = check_fees(&request.fees)?;
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let market = store::find(&mut open, &request.symbol).await?;
    let market = market.ok_or_else(|| Error::NotFound(request.symbol.clone()))?;
    drop(open);
    let id = ferrex_ids::uuid_at(context.clock.unix_ms());
    let action = Action::SetFees {
        market: market.id,
        rates,
    };
    let sequence = submit(context, CommandId::from_uuid(id), market.request, action).await?;
    tracing::info!(market = market.symbol, fees = ?request.fees, staff = %request.by.staff, reason = request.by.reason,
        "fees of a market changed");
    shown(context, &market, sequence).await
}

/// All markets.
pub async fn list(context: &Context, _: ListMarkets) -> Result<MarketRegistry, Fault> {
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let markets = store::list(&mut open).await?;
    Ok(MarketRegistry {
        markets: markets.iter().map(Market::view).collect(),
    })
}

async fn submit(context: &Context, id: CommandId, reference: Uuid, action: Action) -> Result<u64, Fault> {
    let command = Command {
        id,
        at: context.clock.now(),
        reason: Reason::MarketAdmin,
        reference,
        action,
    };
    match context.engine.submit(command).await? {
        Outcome::Applied { sequence } => Ok(sequence),
        Outcome::Refused {
            refusal: Refusal::NothingToDo,
            ..
        } => Ok(0),
        Outcome::Refused { refusal, .. } => Err(Error::Refused(refusal).into()),
    }
}

/// The market once the read model has followed; what is known when it does not in time.
async fn shown(context: &Context, market: &Market, sequence: u64) -> Result<MarketView, Fault> {
    follow(context, market.id, sequence).await?;
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let market = store::find(&mut open, &market.symbol)
        .await?
        .unwrap_or_else(|| market.clone());
    Ok(market.view())
}

/// Waits, not for ever, until what is told of a market is applied up to a journal id; says whether it is.
pub async fn follow(context: &Context, market: MarketId, sequence: u64) -> Result<bool, Fault> {
    let started = tokio::time::Instant::now();
    loop {
        let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
        let reached = store::sequence(&mut open, market).await? >= sequence;
        drop(open);
        if reached || started.elapsed() >= SHOWN_WITHIN {
            return Ok(reached);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
