//! A person at the market, who repeats each call under its key until there is an answer.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::{Answer, text_of};
use super::person::Person;
use super::world::World;

/// Where they trade.
pub const MARKET: &str = "ETH-TST";
/// How long the system may be without an answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a client waits before it asks again.
const PAUSE: Duration = Duration::from_millis(200);

/// A limit order.
pub fn limit(side: &str, price: &str, quantity: &str) -> Value {
    json!({ "market": MARKET, "side": side, "type": "limit", "price": price, "quantity": quantity })
}

/// The same with other members.
pub fn with(mut body: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

/// A person who trades.
pub struct Trader {
    /// Who.
    pub person: Person,
    /// How often a call was repeated because there was no answer.
    pub repeats: u32,
    keys: u32,
}

impl Trader {
    /// Somebody who has not traded yet.
    pub const fn new(person: Person) -> Self {
        Self {
            person,
            repeats: 0,
            keys: 0,
        }
    }

    /// Asks under one key until there is an answer that is about the call and not about the server.
    async fn ask(&mut self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        self.keys += 1;
        let key = format!("{}-{}", self.person.name, self.keys);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.person.api.call(method.clone(), path, body, Some(&key)).await;
            let last = match answer {
                // An access token is good for five minutes.
                Ok(answer) if answer.status == 401 => {
                    self.person.renew().await?;
                    "the token has expired".to_owned()
                }
                Ok(answer)
                    if !answer.status.is_server_error() && ![202, 429].contains(&answer.status.as_u16()) =>
                {
                    return Ok(answer);
                }
                Ok(answer) => format!("{}: {}", answer.status, answer.body),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > deadline {
                bail!("{method} {path} had no answer within {PATIENCE:?}; last: {last}");
            }
            self.repeats += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn done(&mut self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let answer = self.ask(method.clone(), path, body).await?;
        ensure!(
            answer.status.is_success(),
            "{} asked {method} {path} {}: {} {}",
            self.person.name,
            body.unwrap_or(&Value::Null),
            answer.status,
            answer.body
        );
        Ok(answer.body)
    }

    /// Reads.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<Value> {
        self.done(Method::GET, path, None).await
    }

    /// Places an order that is taken.
    pub async fn place(&mut self, order: &Value) -> anyhow::Result<Value> {
        self.done(Method::POST, "/v1/orders", Some(order)).await
    }

    /// Places an order that is refused; answers the code.
    pub async fn refused(&mut self, order: &Value) -> anyhow::Result<String> {
        let answer = self.ask(Method::POST, "/v1/orders", Some(order)).await?;
        ensure!(
            answer.status.is_client_error(),
            "{order} should be refused, but: {}",
            answer.body
        );
        text_of(&answer.body, "code")
    }

    /// Does a batch.
    pub async fn batch(&mut self, items: &Value) -> anyhow::Result<Value> {
        self.done(Method::POST, "/v1/orders/batch", Some(items)).await
    }

    /// Amends an order.
    pub async fn amend(&mut self, order: &Value, change: &Value) -> anyhow::Result<Value> {
        self.done(Method::PATCH, &path_of(order)?, Some(change)).await
    }

    /// Cancels an order.
    pub async fn cancel(&mut self, order: &Value) -> anyhow::Result<Value> {
        self.done(Method::DELETE, &path_of(order)?, None).await
    }

    /// Cancels all orders.
    pub async fn cancel_all(&mut self) -> anyhow::Result<Value> {
        self.done(Method::DELETE, "/v1/orders", None).await
    }

    /// An order where it stands.
    pub async fn order(&self, order: &Value) -> anyhow::Result<Value> {
        self.person.api.get(&path_of(order)?).await
    }

    /// An order once it is shown as the engine decided it.
    pub async fn shown(&self, world: &World, order: &Value) -> anyhow::Result<Value> {
        self.wait(world, order, |status| {
            !["requested", "accepted"].contains(&status)
        })
        .await
    }

    /// An order once it is shown as ended.
    pub async fn settled(&self, world: &World, order: &Value) -> anyhow::Result<Value> {
        self.wait(world, order, |status| {
            !["requested", "accepted", "open", "waiting"].contains(&status)
        })
        .await
    }

    async fn wait(
        &self,
        world: &World,
        order: &Value,
        enough: impl Fn(&str) -> bool,
    ) -> anyhow::Result<Value> {
        world
            .wait_for("an order to be shown", async || {
                let order = self.order(order).await?;
                let status = order["status"].as_str().unwrap_or_default();
                Ok(enough(status).then_some(order))
            })
            .await
    }

    /// Checks what is held of an asset.
    pub async fn has_held(&self, asset: &str, held: &str) -> anyhow::Result<()> {
        let balance = self.person.balance(asset).await?;
        ensure!(
            balance["held"] == held || balance.is_null(),
            "{} should have {held} {asset} held, but has {balance}",
            self.person.name
        );
        Ok(())
    }

    /// All items of a list, page by page.
    pub async fn all(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let after = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
            let page = self.person.api.get(&format!("{path}?limit=100{after}")).await?;
            items.extend(
                page["items"]
                    .as_array()
                    .context("a page has items")?
                    .iter()
                    .cloned(),
            );
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }
}

fn path_of(order: &Value) -> anyhow::Result<String> {
    Ok(format!("/v1/orders/{}", text_of(order, "id")?))
}
