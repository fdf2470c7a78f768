//! Who pays whom, how often, and for how long.

use anyhow::{Context as _, ensure};
use ferrex_engine_client::EngineClient;
use ferrex_engine_core::{Command, Outcome, Reason, Refusal, Step};
use ferrex_ledger::Account;
use ferrex_money::{Amount, AssetId};
use rand::RngExt as _;
use uuid::Uuid;

use crate::cpu::Cpu;
use crate::engine::command;
use crate::window::Window;

/// Accounts that take part.
pub(super) const ACCOUNTS: u32 = 100_000;
/// What each account begins with; enough for every transfer of one unit, too little for one of all units.
pub(super) const FUNDS: u128 = 1_000_000_000;
pub(super) const ASSET: AssetId = AssetId(1);

/// How payer and payee are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// Any account pays any other.
    Uniform,
    /// Half of all transfers are paid by one account.
    HalfOnOne,
}

impl Spread {
    /// Payer and payee, two different numbers below `accounts`.
    pub fn pick(self, accounts: u32, rng: &mut impl rand::Rng) -> (u32, u32) {
        let payer = match self {
            Self::HalfOnOne if rng.random_bool(0.5) => 0,
            Self::Uniform | Self::HalfOnOne => rng.random_range(0..accounts),
        };
        let payee = (payer + rng.random_range(1..accounts)) % accounts;
        (payer, payee)
    }
}

/// Whether commands that change nothing are among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mix {
    /// Of the commands 5 % are sent twice and 1 % ask for more than there is.
    AsInLife,
    /// Each changes something.
    Plain,
}

pub(super) fn user(number: u32) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1)
}

/// A transfer of so many units.
pub(super) fn transfer(payer: u32, payee: u32, units: u128) -> Command {
    let step = Step::Move {
        debit: Account::wallet(user(payer)),
        credit: Account::wallet(user(payee)),
        asset: ASSET,
        amount: Amount::new(units),
    };
    command(Reason::Transfer, vec![step])
}

/// What callers do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// How many there are; each sends the next when it has the answer to the last.
    pub callers: usize,
    /// Between how many accounts they transfer.
    pub accounts: u32,
    pub spread: Spread,
    pub mix: Mix,
}

impl Load {
    /// Uniform, as in life.
    pub const fn of(callers: usize) -> Self {
        Self {
            callers,
            accounts: ACCOUNTS,
            spread: Spread::Uniform,
            mix: Mix::AsInLife,
        }
    }
}

/// What callers were told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Within the window, without repeats.
    pub answered: u64,
    /// From the beginning on.
    pub applied: u64,
    pub refused: u64,
}

/// Lets callers transfer until the window is over.
pub(super) async fn call(client: &EngineClient, load: Load, window: Window) -> anyhow::Result<(Tally, Cpu)> {
    let callers: Vec<_> = (0..load.callers)
        .map(|_| tokio::spawn(call_until(client.clone(), load, window)))
        .collect();
    let cpu = window.cpu().await?;
    let mut all = Tally::default();
    for caller in callers {
        let tally = caller.await.context("a caller ended early")??;
        all.answered += tally.answered;
        all.applied += tally.applied;
        all.refused += tally.refused;
    }
    Ok((all, cpu))
}

async fn call_until(client: EngineClient, load: Load, window: Window) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let odd = load.mix == Mix::AsInLife;
    while !window.is_over() {
        let (too_much, again, (payer, payee)) = {
            let mut rng = rand::rng();
            let (too_much, again) = (odd && rng.random_bool(0.01), odd && rng.random_bool(0.05));
            (too_much, again, load.spread.pick(load.accounts, &mut rng))
        };
        let command = transfer(payer, payee, if too_much { u128::MAX / 2 } else { 1 });
        let repeat = again.then(|| command.clone());
        let outcome = client.submit(command).await?;
        tally.answered += u64::from(window.counts_now());
        match outcome {
            Outcome::Applied { .. } => tally.applied += 1,
            Outcome::Refused {
                refusal: Refusal::InsufficientAvailable,
                ..
            } if too_much => tally.refused += 1,
            Outcome::Refused { refusal, .. } => anyhow::bail!("a transfer was refused: {refusal}"),
        }
        if let Some(repeat) = repeat {
            ensure!(
                client.submit(repeat).await? == outcome,
                "a repeat was answered differently"
            );
        }
    }
    Ok(tally)
}
