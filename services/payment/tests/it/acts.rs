//! What people and the chain do in a test, and what is waited for.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use ferrex_ids::SessionId;
use ferrex_testkit::{Anvil, eventually};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::parts::{CODE, Person};
use crate::world::{CONFIRMATIONS, SOON, World, wei};

impl World {
    /// Calls the public interface as a person.
    pub async fn call(
        &self,
        person: Person,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        self.call_with(person, method, path, body, None).await
    }

    /// As [`World::call`], with an idempotency key.
    pub async fn call_with(
        &self,
        person: Person,
        method: &str,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> (StatusCode, Value) {
        let router = self.instance.as_ref().unwrap().router.clone();
        let token = self.tokens.sign(person.id, SessionId::new_at(1)).0;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let mut request = request.body(body).unwrap();
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub async fn get(&self, person: Person, path: &str) -> Value {
        let (status, body) = self.call(person, "GET", path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// The person's deposit address.
    pub async fn address(&self, person: Person) -> String {
        let (status, body) = self
            .call(
                person,
                "POST",
                "/v1/deposit-addresses",
                Some(json!({ "network": "anvil" })),
            )
            .await;
        assert!(status.is_success(), "{body}");
        body["address"].as_str().unwrap().to_owned()
    }

    /// (available, held, pending, owed) of an asset.
    pub async fn balance(&self, person: Person, asset: &str) -> [String; 4] {
        let body = self.get(person, "/v1/balances").await;
        let items = body["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["asset"] == asset);
        ["available", "held", "pending", "owed"]
            .map(|part| item.map_or_else(|| "0".to_owned(), |item| item[part].as_str().unwrap().to_owned()))
    }

    /// Waits until a person has this available, and nothing pending.
    pub async fn until_available(&self, person: Person, asset: &str, amount: &str) {
        eventually(SOON, async || {
            let balance = self.balance(person, asset).await;
            if balance[0] == amount && balance[2] == "0" {
                Ok(())
            } else {
                Err(balance)
            }
        })
        .await;
    }

    /// Gives a person coins by a confirmed deposit.
    pub async fn give(&self, person: Person, ether: u64) {
        let address = self.address(person).await;
        self.anvil
            .pay(Anvil::ACCOUNTS[1].address, &address, wei(ether))
            .await;
        self.anvil.mine(u64::from(CONFIRMATIONS)).await;
        let text = ether.to_string();
        self.until_available(person, "ETH", &text).await;
    }

    /// The address that pays withdrawals, once it is known.
    pub async fn hot_wallet(&self) -> String {
        eventually(SOON, async || {
            let registry = self.ask(&ferrex_contracts::payment::ListAssets {}).await.unwrap();
            registry.networks[0].hot_wallet.clone()
        })
        .await
    }

    /// Puts coins into the hot wallet and waits until they are in the books.
    pub async fn fund(&self, ether: u64) {
        let hot = self.hot_wallet().await;
        self.anvil.pay(Anvil::ACCOUNTS[2].address, &hot, wei(ether)).await;
        self.anvil.mine(u64::from(CONFIRMATIONS)).await;
        eventually(SOON, async || {
            self.count("SELECT count(*) FROM payment.deposit WHERE user_id IS NULL AND status = 'credited'")
                .await
                > 0
        })
        .await;
    }

    /// What was told, by type.
    pub fn told(&self, message_type: &str) -> Vec<Value> {
        let told = self.told.lock().unwrap();
        told.iter()
            .filter(|(found, _)| *found == message_type)
            .map(|(_, body)| body.clone())
            .collect()
    }

    /// Waits until so many of a type were told.
    pub async fn until_told(&self, message_type: &str, count: usize) -> Vec<Value> {
        eventually(SOON, async || {
            let told = self.told(message_type);
            if told.len() >= count {
                Ok(())
            } else {
                Err(told.len())
            }
        })
        .await;
        self.told(message_type)
    }

    /// Asks for a withdrawal of whole coins, with a key of its own.
    pub async fn withdraw(&self, person: Person, to: &str, amount: &str) -> String {
        let (status, body) = self.try_withdraw(person, to, amount, &self.key()).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    pub async fn try_withdraw(
        &self,
        person: Person,
        to: &str,
        amount: &str,
        key: &str,
    ) -> (StatusCode, Value) {
        let body = json!({ "asset": "ETH", "network": "anvil", "address": to, "amount": amount, "second_factor": CODE });
        self.insist(person, "/v1/withdrawals", body, key).await
    }

    /// Posts as a client does: a call that was answered with "unavailable" is repeated under its key.
    pub async fn insist(&self, person: Person, path: &str, body: Value, key: &str) -> (StatusCode, Value) {
        eventually(SOON, async || {
            let answer = self
                .call_with(person, "POST", path, Some(body.clone()), Some(key))
                .await;
            match answer.0 {
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::ACCEPTED => Err(answer),
                _ => Ok(answer),
            }
        })
        .await
    }

    /// A fresh idempotency key.
    pub fn key(&self) -> String {
        format!("key-{}", self.version())
    }

    /// Waits until a withdrawal has this status, mining a block now and then if asked to.
    pub async fn until_status(&self, person: Person, id: &str, status: &str) -> Value {
        let path = format!("/v1/withdrawals/{id}");
        eventually(SOON, async || {
            let body = self.get(person, &path).await;
            if body["status"] == status {
                Ok(body)
            } else {
                Err(body)
            }
        })
        .await
    }

    /// Waits until the follower has read the chain's last block.
    pub async fn until_read(&self) {
        let height = self.anvil.height().await.cast_signed();
        eventually(SOON, async || {
            let read = self
                .count("SELECT coalesce(max(height), -1) FROM payment.chain_cursor")
                .await;
            if read >= height {
                Ok(())
            } else {
                Err((read, height))
            }
        })
        .await;
    }
}
