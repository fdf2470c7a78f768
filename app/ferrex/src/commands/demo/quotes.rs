//! A script that keeps quotes on both sides of a market, each turn with one batch.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::floor::{Trader, limit, with};
use super::world::World;

/// How often it quotes anew.
const TURN: Duration = Duration::from_millis(300);
/// Around which its prices wander, in hundredths.
const MIDDLE: i64 = 200_000;
/// Prices on each side.
const LEVELS: i64 = 3;

/// The script while it runs.
pub struct Quotes {
    stop: watch::Sender<bool>,
    turns: watch::Receiver<u32>,
    running: JoinHandle<anyhow::Result<Trader>>,
}

impl Quotes {
    /// Begins to quote.
    pub fn begin(trader: Trader) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (turn, turns) = watch::channel(0);
        Self {
            stop,
            turns,
            running: tokio::spawn(quote(trader, stopped, turn)),
        }
    }

    /// Returns when the first quotes are there.
    pub async fn wait_for_first(&mut self, world: &World) -> anyhow::Result<()> {
        self.wait_until(world, 1).await
    }

    /// Returns when it has quoted twice more, so that one turn has begun and ended after now.
    pub async fn wait_for_more(&mut self, world: &World) -> anyhow::Result<()> {
        let wanted = *self.turns.borrow() + 2;
        self.wait_until(world, wanted).await
    }

    async fn wait_until(&mut self, world: &World, wanted: u32) -> anyhow::Result<()> {
        world
            .wait_for("the script to quote", async || {
                anyhow::ensure!(!self.running.is_finished(), "the script has ended");
                Ok((*self.turns.borrow() >= wanted).then_some(()))
            })
            .await
    }

    /// Ends the script after its turn.
    pub async fn end(self) -> anyhow::Result<Trader> {
        let _ = self.stop.send(true);
        self.running.await.context("the script")?
    }
}

async fn quote(
    mut trader: Trader,
    mut stopped: watch::Receiver<bool>,
    turns: watch::Sender<u32>,
) -> anyhow::Result<Trader> {
    let mut resting: Vec<Value> = Vec::new();
    for turn in 1_u32.. {
        let mut items: Vec<Value> = resting
            .iter()
            .map(|id| json!({ "cancel": { "order": id } }))
            .collect();
        for level in 1..=LEVELS {
            for (side, away) in [("buy", -level), ("sell", level)] {
                // It wanders up and down by a few units, as a price does.
                let wander = i64::from(turn * 37 % 400) - 200;
                let price = MIDDLE + wander + away * 500;
                let price = format!("{}.{:02}", price / 100, price % 100);
                let more = json!({ "time_in_force": "post_only", "client_order_id": format!("q{turn}-{side}-{level}") });
                items.push(json!({ "place": with(limit(side, &price, "0.3"), &more) }));
            }
        }
        let done = trader.batch(&json!({ "items": items })).await?;
        // What would have taken, or was filled before its cancel, is told by the item and is no fault of the turn.
        let open = |outcome: &Value| {
            let status = outcome["order"]["status"].as_str()?;
            let rests = ["open", "accepted", "requested"].contains(&status);
            rests.then(|| outcome["order"]["id"].clone())
        };
        let outcomes = done["items"].as_array().context("a batch has outcomes")?;
        resting = outcomes.iter().filter_map(open).collect();
        turns.send_replace(turn);
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            () = tokio::time::sleep(TURN) => {}
        }
    }
    Ok(trader)
}
