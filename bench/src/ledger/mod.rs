//! Durable, idempotent transfers beside the pattern that people use: BEGIN, two SELECT FOR UPDATE, two UPDATE, INSERT,
//! COMMIT on 16 connections.

mod ours;
mod peer;

use std::time::{Duration, Instant};

use ferrex_testkit::Postgres;
use rand::RngExt as _;

use crate::cpu::{Cpu, Meter};
use crate::pairs::{Limit, compare};

/// Accounts that take part.
const ACCOUNTS: u32 = 100_000;
/// What is answered within it does not count.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long a run takes after its warm-up.
const RUN: Duration = Duration::from_secs(5);
/// Pairs of each comparison.
const PAIRS: usize = 5;

/// How payer and payee are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Any account pays any other.
    Uniform,
    /// Half of all transfers are paid by one account.
    HalfOnOne,
}

impl Spread {
    /// Payer and payee, two different numbers below [`ACCOUNTS`].
    fn pick(self, rng: &mut impl rand::Rng) -> (u32, u32) {
        let payer = match self {
            Self::HalfOnOne if rng.random_bool(0.5) => 0,
            Self::Uniform | Self::HalfOnOne => rng.random_range(0..ACCOUNTS),
        };
        let payee = (payer + rng.random_range(1..ACCOUNTS)) % ACCOUNTS;
        (payer, payee)
    }
}

/// Sets the time that counts: what is answered between `begin` and `end`.
#[derive(Clone, Copy, Debug)]
struct Window {
    begin: Instant,
    end: Instant,
}

impl Window {
    fn after_warm_up() -> Self {
        let begin = Instant::now() + WARM_UP;
        Self {
            begin,
            end: begin + RUN,
        }
    }

    fn is_over(self) -> bool {
        Instant::now() >= self.end
    }

    fn counts_now(self) -> bool {
        let now = Instant::now();
        self.begin <= now && now < self.end
    }

    /// What the window takes of CPU time. Returns at its end.
    async fn cpu(self) -> anyhow::Result<Cpu> {
        tokio::time::sleep_until(self.begin.into()).await;
        let meter = Meter::start()?;
        tokio::time::sleep_until(self.end.into()).await;
        meter.stop()
    }
}

/// Runs both comparisons.
pub async fn run() -> anyhow::Result<()> {
    let postgres = Postgres::durable().await;
    for (name, spread) in [
        ("ledger, uniform", Spread::Uniform),
        ("ledger, half on one account", Spread::HalfOnOne),
    ] {
        let ours = ours::Ours::start(&postgres).await?;
        let peer = peer::Peer::start(&postgres).await?;
        compare(
            name,
            PAIRS,
            Limit::Disk,
            async || ours.run(spread).await,
            async || peer.run(spread).await,
        )
        .await?;
        ours.check_and_stop().await?;
        peer.check().await?;
    }
    Ok(())
}
