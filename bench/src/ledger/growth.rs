//! What a command costs, and how long a restart takes, as accounts and history grow. The accounts are made by deposits and the
//! history by transfers, both through the engine in commands of many steps, so that journal, projection and snapshots are as
//! they would be.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ferrex_engine::SCHEMA;
use ferrex_engine_client::EngineClient;
use ferrex_engine_core::{Outcome, Reason, Step};
use ferrex_ledger::{Account, Owner};
use ferrex_money::Amount;
use ferrex_postgres::{DbConfig, provision};
use ferrex_testkit::{Postgres, TestDb};
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};

use super::load::{self, ASSET, FUNDS, Load, Tally, user};
use crate::effort::Effort;
use crate::engine::{Running, command, fund};
use crate::probe;
use crate::window::Window;

const CALLERS: usize = 1_000;
/// A run is so many times as long as others, so that each has its part of what comes once in a while: snapshots, of which a short
/// one has one by chance, and projections, between which half a minute may pass.
const LONGER: u32 = 18;
/// How long the tables may take to follow what was made before a run.
const PROJECTED_WITHIN: Duration = Duration::from_mins(10);
/// Accounts between which history is made.
const ACCOUNTS: u32 = 100_000;
/// Steps of a command that makes history, and how many of those are under way at once.
const STEPS: u32 = 32;
const UNDER_WAY: u64 = 4_096;
/// How often it is looked whether a restarted engine answers.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// How far it grows.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    accounts: &'static [u32],
    rows: &'static [u64],
}

impl Sizes {
    /// Of a look.
    pub const QUICK: Self = Self {
        accounts: &[1_000, 10_000],
        rows: &[10_000, 100_000],
    };
    /// Of `make bench`.
    pub const SMALL: Self = Self {
        accounts: &[1_000, 10_000, 100_000],
        rows: &[10_000, 100_000, 1_000_000],
    };
    /// Of `make bench-growth`.
    pub const BIG: Self = Self {
        accounts: &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
        rows: &[10_000, 100_000, 1_000_000, 10_000_000, 100_000_000],
    };
}

/// Grows accounts, then in another database history.
pub async fn run(sizes: Sizes, effort: Effort) -> anyhow::Result<()> {
    let postgres = Postgres::for_load().await;
    println!("growth of accounts on {}", probe::machine());
    let mut ledger = Growing::start(&postgres).await?;
    let (mut accounts, mut first) = (0, None);
    for &wanted in sizes.accounts {
        fund(&ledger.running.client, (accounts..wanted).map(user), ASSET, FUNDS).await?;
        accounts = wanted;
        ledger = ledger
            .measure(&format!("{accounts} accounts"), accounts, &mut first, effort)
            .await?;
    }
    ledger.running.stop().await?;

    println!("growth of the journal on {}", probe::machine());
    let mut ledger = Growing::start(&postgres).await?;
    // The first size is smaller than what 100,000 deposits leave.
    let (mut accounts, mut first) = (0, None);
    for &wanted in sizes.rows {
        let enough = ACCOUNTS.min(u32::try_from(wanted / 2)?);
        fund(&ledger.running.client, (accounts..enough).map(user), ASSET, FUNDS).await?;
        accounts = accounts.max(enough);
        let rows = u64::try_from(ledger.rows().await?)?;
        make_history(&ledger.running.client, accounts, wanted.saturating_sub(rows)).await?;
        let rows = ledger.rows().await?;
        ledger = ledger
            .measure(&format!("{rows} rows"), accounts, &mut first, effort)
            .await?;
    }
    ledger.running.stop().await?;
    println!();
    Ok(())
}

/// A ledger that grows.
struct Growing {
    db: TestDb,
    config: DbConfig,
    running: Running,
}

impl Growing {
    async fn start(postgres: &Postgres) -> anyhow::Result<Self> {
        let db = postgres.fresh_database().await;
        let password = SecretString::from("bench");
        provision(&db.admin_url, &SCHEMA, &password).await?;
        let config = DbConfig::new(db.url.clone(), SCHEMA.role, password, SCHEMA.schema);
        let running = Running::start(&config).await?;
        Ok(Self { db, config, running })
    }

    async fn rows(&self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("SELECT last_id FROM engine.head")
            .fetch_one(&mut PgConnection::connect(&self.db.superuser_url).await?)
            .await?)
    }

    /// Measures at the present size, then restarts.
    async fn measure(
        self,
        size: &str,
        accounts: u32,
        first: &mut Option<f64>,
        effort: Effort,
    ) -> anyhow::Result<Self> {
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        projected(&mut superuser).await?;
        sqlx::raw_sql("CHECKPOINT").execute(&mut superuser).await?;
        let before = self.rows().await?;
        let window = Window::after_warm_up(Effort {
            run: effort.run * LONGER,
            ..effort
        });
        let load = Load {
            accounts,
            ..Load::of(CALLERS)
        };
        let (tally, cpu) = load::call(&self.running.client, load, window).await?;
        check(&mut superuser, before, tally).await?;
        let answered = f64::from(u32::try_from(tally.answered)?);
        let micros = cpu.total() / answered * 1e6;
        let times = micros / *first.get_or_insert(micros);
        let Self { db, config, running } = self;
        running.stop().await?;
        let (running, restart) = restart(&config).await?;
        println!(
            "  {size}: {micros:.1} µs of CPU a command, {times:.2} times the first; {:.0}/s; restart {:.2} s ({cpu})",
            answered / window.length().as_secs_f64(),
            restart.as_secs_f64()
        );
        Ok(Self { db, config, running })
    }
}

/// Waits until the tables have all that is in the journal, which must not be paid for by the next run.
async fn projected(superuser: &mut PgConnection) -> anyhow::Result<()> {
    let within = Instant::now() + PROJECTED_WITHIN;
    let all = "SELECT journal_id = last_id FROM engine.projection, engine.head";
    while !sqlx::query_scalar::<_, bool>(all)
        .fetch_one(&mut *superuser)
        .await?
    {
        ensure!(Instant::now() < within, "the tables do not follow the journal");
        tokio::time::sleep(100 * LOOK_EVERY).await;
    }
    Ok(())
}

/// Starts an engine and waits for its first answer.
async fn restart(config: &DbConfig) -> anyhow::Result<(Running, Duration)> {
    let begin = Instant::now();
    let running = Running::start(config).await?;
    let within = begin + Duration::from_mins(10);
    while running.client.balances(Owner::User(user(0))).await.is_err() {
        ensure!(Instant::now() < within, "no answer after a restart");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok((running, begin.elapsed()))
}

/// Makes about so many rows.
async fn make_history(client: &EngineClient, accounts: u32, rows: u64) -> anyhow::Result<()> {
    let commands = rows.div_ceil(u64::from(STEPS));
    let mut done = 0;
    while done < commands {
        let round = UNDER_WAY.min(commands - done);
        let moving = (done..done + round).map(|number| client.submit(circle(accounts, number)));
        for outcome in futures::future::join_all(moving).await {
            ensure!(
                matches!(outcome.context("making history")?, Outcome::Applied { .. }),
                "a transfer was refused"
            );
        }
        done += round;
    }
    Ok(())
}

/// Neighbours pay each other a unit; where it begins moves on with the number.
fn circle(accounts: u32, number: u64) -> ferrex_engine_core::Command {
    let begin = u32::try_from(number * 7_919 % u64::from(accounts)).unwrap_or(0);
    let steps = (0..STEPS).map(|step| Step::Move {
        debit: Account::wallet(user((begin + step) % accounts)),
        credit: Account::wallet(user((begin + step + 1) % accounts)),
        asset: ASSET,
        amount: Amount::new(1),
    });
    command(Reason::Transfer, steps.collect())
}

/// As many rows as were acknowledged, each of another command.
async fn check(superuser: &mut PgConnection, before: i64, tally: Tally) -> anyhow::Result<()> {
    let (rows, commands): (i64, i64) =
        sqlx::query_as("SELECT count(*), count(DISTINCT command) FROM engine.journal WHERE batch > $1")
            .bind(before)
            .fetch_one(superuser)
            .await?;
    let told = i64::try_from(tally.applied + tally.refused)?;
    ensure!(
        rows == told && commands == told,
        "{tally:?} was acknowledged, {rows} rows of {commands} commands were written"
    );
    Ok(())
}
