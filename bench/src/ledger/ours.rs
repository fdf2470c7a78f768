//! The engine role in this process, on a PostgreSQL that syncs, with 256 callers.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use ferrex_engine::{Config, Dependencies, SCHEMA};
use ferrex_engine_client::EngineClient;
use ferrex_engine_core::{Action, Command, Outcome, Reason, Refusal, Step};
use ferrex_ids::CommandId;
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::{Db, DbConfig, provision};
use ferrex_runtime::{CancellationToken, Readiness};
use ferrex_testkit::{Postgres, TestDb};
use ferrex_time::{Clock as _, SystemClock};
use rand::RngExt as _;
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{ACCOUNTS, RUN, Spread, Window};
use crate::pairs::Run;

const CALLERS: usize = 256;
const ASSET: AssetId = AssetId(1);
/// What each account begins with; enough for every transfer of one unit, too little for one of all units.
const FUNDS: u128 = 1_000_000_000;

pub(super) struct Ours {
    client: EngineClient,
    db: TestDb,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<Result<(), ferrex_engine::Error>>,
    applied: AtomicU64,
}

fn user(number: u32) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1)
}

fn command(reason: Reason, steps: Vec<Step>) -> Command {
    let id = CommandId::new_at(SystemClock.unix_ms());
    Command {
        id,
        at: SystemClock.now(),
        reason,
        reference: id.uuid(),
        action: Action::Transfer(steps),
    }
}

impl Ours {
    pub(super) async fn start(postgres: &Postgres) -> anyhow::Result<Self> {
        let db = postgres.fresh_database().await;
        let password = SecretString::from("bench");
        provision(&db.admin_url, &SCHEMA, &password).await?;
        let dependencies = Dependencies {
            db: Db::connect(&DbConfig::new(
                db.url.clone(),
                SCHEMA.role,
                password,
                SCHEMA.schema,
            ))
            .await?,
            bus: None,
            clock: SystemClock::shared(),
            readiness: Readiness::new(),
        };
        let service = ferrex_engine::build(Config::default(), dependencies).await?;
        let (client, stop) = (service.client(), CancellationToken::new());
        let serving = tokio::spawn(service.run(stop.clone()));
        let ours = Self {
            client,
            db,
            stop,
            serving,
            applied: AtomicU64::new(0),
        };
        ours.fund().await?;
        Ok(ours)
    }

    async fn fund(&self) -> anyhow::Result<()> {
        let numbers: Vec<u32> = (0..ACCOUNTS).collect();
        let commands = numbers.chunks(32).map(|chunk| {
            let step = |number: &u32| Step::Move {
                debit: Account::house(Purpose::DepositAddresses),
                credit: Account::wallet(user(*number)),
                asset: ASSET,
                amount: Amount::new(FUNDS),
            };
            self.client
                .submit(command(Reason::Deposit, chunk.iter().map(step).collect()))
        });
        for outcome in futures::future::join_all(commands).await {
            ensure!(
                matches!(outcome?, Outcome::Applied { .. }),
                "an account could not be funded"
            );
        }
        Ok(())
    }

    /// One run; of the commands 5 % are sent twice and 1 % ask for more than there is.
    pub(super) async fn run(&self, spread: Spread) -> anyhow::Result<Run> {
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        sqlx::raw_sql("CHECKPOINT").execute(&mut superuser).await?;
        let window = Window::after_warm_up();
        let callers = (0..CALLERS).map(|_| {
            let client = self.client.clone();
            tokio::spawn(call_until(client, spread, window))
        });
        let callers: Vec<_> = callers.collect();
        let cpu = window.cpu().await?;
        let (mut answered, mut applied) = (0, 0);
        for caller in callers {
            let tally = caller.await.context("a caller ended early")??;
            answered += tally.answered;
            applied += tally.applied;
        }
        self.applied.fetch_add(applied, Ordering::Relaxed);
        Ok(Run {
            count: answered,
            took: RUN,
            cpu,
            note: String::new(),
        })
    }

    /// The sums and the number of rows must be what the answers say.
    pub(super) async fn check_and_stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.serving.await??;
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        let rows: i64 =
            sqlx::query_scalar("SELECT count(*) FROM engine.journal WHERE reason = $1 AND kind = 1")
                .bind(i16::try_from(Reason::Transfer.code())?)
                .fetch_one(&mut superuser)
                .await?;
        let applied = self.applied.load(Ordering::Relaxed);
        ensure!(
            u64::try_from(rows)? == applied,
            "{applied} transfers were acknowledged, {rows} stand in the journal"
        );
        Ok(())
    }
}

#[derive(Default)]
struct Tally {
    /// Within the window, without repeats.
    answered: u64,
    /// From the beginning on.
    applied: u64,
}

async fn call_until(client: EngineClient, spread: Spread, window: Window) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    while !window.is_over() {
        let (amount, again, (payer, payee)) = {
            let mut rng = rand::rng();
            let amount = if rng.random_bool(0.01) { u128::MAX / 2 } else { 1 };
            (amount, rng.random_bool(0.05), spread.pick(&mut rng))
        };
        let step = Step::Move {
            debit: Account::wallet(user(payer)),
            credit: Account::wallet(user(payee)),
            asset: ASSET,
            amount: Amount::new(amount),
        };
        let command = command(Reason::Transfer, vec![step]);
        let outcome = client.submit(command.clone()).await?;
        tally.answered += u64::from(window.counts_now());
        match outcome {
            Outcome::Applied { .. } => tally.applied += 1,
            Outcome::Refused {
                refusal: Refusal::InsufficientAvailable,
                ..
            } if amount > 1 => {}
            Outcome::Refused { refusal, .. } => anyhow::bail!("a transfer was refused: {refusal}"),
        }
        if again {
            ensure!(
                client.submit(command).await? == outcome,
                "a repeat was answered differently"
            );
        }
    }
    Ok(tally)
}
