//! Who trades what: people with even numbers buy, the others sell, at prices around the middle so that about half of all orders trade.

use std::sync::Arc;

use anyhow::ensure;
use ferrex_ids::UserId;
use rand::RngExt as _;
use uuid::Uuid;

use crate::http::Tokens;
use crate::http::client::{self, Caller};

/// How many people there are, so that nobody comes near the rate that one person may have.
pub(super) const PEOPLE: usize = 1_000;
pub(super) const CONNECTIONS: usize = 64;
pub(super) const MARKET: &str = "ETH-TST";
/// Whole units of each asset that each person has.
pub(super) const RICH: u128 = 1_000_000;

/// People, with a token each.
#[derive(Clone)]
pub(super) struct People {
    pub users: Arc<Vec<UserId>>,
    tokens: Arc<Vec<String>>,
}

impl People {
    pub fn new(users: Vec<UserId>) -> Self {
        Self {
            users: Arc::new(users),
            tokens: Arc::default(),
        }
    }

    /// With new tokens, which are good for one run.
    pub fn with_tokens(&self, tokens: &Tokens) -> Self {
        Self {
            users: Arc::clone(&self.users),
            tokens: Arc::new(self.users.iter().map(|user| tokens.of_user(*user)).collect()),
        }
    }
}

/// Gives orders, each as another person.
pub(super) struct Trader {
    people: People,
}

impl Trader {
    pub const fn new(people: People) -> Self {
        Self { people }
    }
}

impl Caller for Trader {
    fn next(&mut self) -> Vec<u8> {
        let mut rng = rand::rng();
        let person = rng.random_range(0..self.people.tokens.len());
        let side = if person.is_multiple_of(2) { "buy" } else { "sell" };
        let (cents, lots) = (rng.random_range(199_950..=200_050), rng.random_range(1..=100));
        let body = format!(
            r#"{{"market":"{MARKET}","side":"{side}","type":"limit","price":"{}.{:02}","quantity":"0.{lots:03}"}}"#,
            cents / 100,
            cents % 100,
        );
        let key = Uuid::from_u128(rng.random()).simple().to_string();
        client::post("/v1/orders", &self.people.tokens[person], &key, &body)
    }

    fn check(&mut self, status: u16, body: &[u8]) -> anyhow::Result<()> {
        ensure!(
            status == 201,
            "an order was answered {status}: {}",
            String::from_utf8_lossy(body)
        );
        Ok(())
    }
}
