//! A market with two people in it.

use axum::http::StatusCode;
use ferrex_contracts::cron::CronTick;
use ferrex_contracts::engine::MarketState;
use ferrex_contracts::payment::{CreateMarket, ListAssets, MarketTerms, SetMarketState};
use ferrex_engine_core::{Action, Command, Reason, Step};
use ferrex_ids::{CommandId, uuid_at};
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::PgU128;
use ferrex_time::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::parts::Person;
use crate::world::{World, by};

pub const ETHER: u128 = 10u128.pow(18);
pub const DOLLAR: u128 = 10u128.pow(6);

/// Coins for dollars, a cent a tick, a thousandth a lot; a maker pays 0.1 %, a taker 0.2 %.
fn terms(base: AssetId, quote: AssetId) -> MarketTerms {
    MarketTerms {
        base,
        quote,
        tick: Amount::new(DOLLAR / 100),
        lot: Amount::new(ETHER / 1_000),
        price_max: Amount::new(100_000 * DOLLAR),
        quantity_min: Amount::new(ETHER / 1_000),
        quantity_max: Amount::new(1_000 * ETHER),
        value_min: Amount::new(DOLLAR),
        band_ppm: 0,
        open_orders_max: 3,
        reference_price: None,
        maker_ppm: 1_000,
        taker_ppm: 2_000,
    }
}

pub struct Floor {
    pub world: World,
    pub anna: Person,
    pub ben: Person,
    pub base: AssetId,
    pub quote: AssetId,
}

impl Floor {
    /// An open market, anna with 10 coins and ben with 10,000 dollars.
    pub async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// As [`Floor::open`], with other terms.
    pub async fn with(change: impl FnOnce(&mut MarketTerms)) -> Self {
        Self::within(World::start().await, change).await
    }

    /// As [`Floor::with`], in this world.
    pub async fn within(world: World, change: impl FnOnce(&mut MarketTerms)) -> Self {
        world.create_token("USDT", 6).await;
        let assets = world.ask(&ListAssets {}).await.unwrap().assets;
        let number = |symbol: &str| assets.iter().find(|asset| asset.symbol == symbol).unwrap().asset;
        let (base, quote) = (number("ETH"), number("USDT"));
        let mut terms = terms(base, quote);
        change(&mut terms);
        let request = CreateMarket { terms, by: by() };
        let made = world.ask(&request).await.unwrap();
        assert_eq!(
            (made.symbol.as_str(), made.state),
            ("ETH-USDT", Some(MarketState::Halted))
        );
        let again = world.ask(&request).await.unwrap_err();
        assert_eq!(again.code, "payment.market.exists");
        let (anna, ben) = (world.person("anna").await, world.person("ben").await);
        let floor = Self {
            world,
            anna,
            ben,
            base,
            quote,
        };
        floor.set_state(MarketState::Open).await;
        floor.fund(anna, base, 10 * ETHER).await;
        floor.fund(ben, quote, 10_000 * DOLLAR).await;
        floor
    }

    pub async fn set_state(&self, state: MarketState) {
        let request = SetMarketState {
            symbol: "ETH-USDT".into(),
            state,
            by: by(),
        };
        assert_eq!(self.world.ask(&request).await.unwrap().state, Some(state));
    }

    /// A deposit of units of an asset; answers what it is known by.
    pub async fn fund(&self, person: Person, asset: AssetId, units: u128) -> Uuid {
        let addresses = Account::house(Purpose::DepositAddresses);
        let wallet = Account::wallet(person.id.uuid());
        let reference = uuid_at(self.world.clock.unix_ms());
        let step = (addresses, wallet, asset, units);
        self.book(Reason::Deposit, reference, step).await;
        reference
    }

    /// Moves units of an asset from the first account to the second.
    pub async fn book(&self, reason: Reason, reference: Uuid, step: (Account, Account, AssetId, u128)) {
        let (debit, credit, asset, units) = step;
        let step = Step::Move {
            debit,
            credit,
            asset,
            amount: Amount::new(units),
        };
        let command = Command {
            id: CommandId::new_at(self.world.clock.unix_ms()),
            at: self.world.clock.now(),
            reason,
            reference,
            action: Action::Transfer(vec![step]),
        };
        assert!(self.world.engine.submit(command).await.unwrap().is_applied());
    }

    pub async fn post(&self, person: Person, body: Value, key: &str) -> (StatusCode, Value) {
        self.world
            .call_with(person, "POST", "/v1/orders", Some(body), Some(key))
            .await
    }

    /// Places an order. What the engine answers for it is what is then shown, and all that it did is shown with it.
    pub async fn place(&self, person: Person, side: &str, price: &str, quantity: &str) -> Value {
        self.taken(person, limit(side, price, quantity)).await
    }

    /// As [`Self::place`], of any kind.
    pub async fn taken(&self, person: Person, body: Value) -> Value {
        let (status, order) = self.post(person, body, &self.world.key()).await;
        assert_eq!(status, StatusCode::CREATED, "{order}");
        assert_eq!(order, self.order(person, &order).await);
        order
    }

    pub async fn refused(&self, person: Person, change: Value, status: u16, code: &str, field: Option<&str>) {
        let mut body = limit("buy", "100", "1");
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let (got, problem) = self.post(person, body.clone(), &self.world.key()).await;
        assert_eq!(
            (
                got.as_u16(),
                problem["code"].as_str(),
                problem["errors"][0]["field"].as_str()
            ),
            (status, Some(code), field),
            "{body}: {problem}"
        );
    }

    /// Writes limit orders for one coin that the engine is not asked for, as if who wrote them had died in between. The price is in
    /// dollars.
    pub async fn write_unasked(
        &self,
        person: Person,
        orders: &[Uuid],
        side: &str,
        price: u128,
        at: Timestamp,
    ) {
        let mut connection = self.world.superuser().await;
        sqlx::query(
            "INSERT INTO payment.asked_order (user_id, id, market, side, kind, tif, price, quantity, placed_at, self_trade)
             SELECT $1, id, 1, $3, 'limit', 'gtc', $4, $5, $6, 'cancel_newest' FROM unnest($2::uuid[]) AS id",
        )
        .bind(person.id.uuid())
        .bind(orders)
        .bind(side)
        .bind(PgU128(price * DOLLAR))
        .bind(PgU128(ETHER))
        .bind(at)
        .execute(&mut connection)
        .await
        .unwrap();
    }

    pub async fn cancel(&self, person: Person, order: &Value) -> (StatusCode, Value) {
        let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
        self.world.call(person, "DELETE", &path, None).await
    }

    /// Calls with a fresh idempotency key.
    pub async fn call(&self, person: Person, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.world
            .call_with(person, method, path, Some(body), Some(&self.world.key()))
            .await
    }

    /// An order as its person sees it.
    pub async fn order(&self, person: Person, order: &Value) -> Value {
        let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
        self.world.get(person, &path).await
    }

    /// Has a job of the clock done once more.
    pub async fn tick(&self, job: &str) {
        let now = self.world.clock.now();
        let tick = CronTick {
            job: job.into(),
            scheduled_for: now,
        };
        let id = ferrex_ids::MessageId::new_at(self.world.clock.unix_ms());
        let event = ferrex_bus::Outgoing::event("cron", id, job, now, &tick);
        self.world.staff.publish(vec![event]).await.unwrap();
    }

    pub async fn balances(&self, person: Person) -> [String; 4] {
        let (coins, dollars) = (
            self.world.balance(person, "ETH").await,
            self.world.balance(person, "USDT").await,
        );
        [&coins[0], &coins[1], &dollars[0], &dollars[1]].map(Clone::clone)
    }
}

pub fn limit(side: &str, price: &str, quantity: &str) -> Value {
    json!({ "market": "ETH-USDT", "side": side, "type": "limit", "price": price, "quantity": quantity })
}

/// An order with other members than [`limit`]'s.
pub fn with(mut body: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}
