//! The engine role in this process, on a PostgreSQL that syncs.

use anyhow::ensure;
use ferrex_engine::{SCHEMA, audit};
use ferrex_engine_client::EngineClient;
use ferrex_ledger::Purpose;
use ferrex_postgres::{DbConfig, provision};
use ferrex_testkit::{Postgres, TestDb};
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Duration, Instant};

use super::load::{self, ACCOUNTS, ASSET, FUNDS, Load, Tally, user};
use crate::effort::Effort;
use crate::engine::{Running, fund};
use crate::pairs::Run;
use crate::window::Window;

/// How long the tables may take to catch up with the journal.
const PROJECTED_WITHIN: Duration = Duration::from_mins(1);

pub(super) struct Ours {
    pub client: EngineClient,
    db: TestDb,
    running: Running,
}

impl Ours {
    pub async fn start(postgres: &Postgres) -> anyhow::Result<Self> {
        let db = postgres.fresh_database().await;
        let password = SecretString::from("bench");
        provision(&db.admin_url, &SCHEMA, &password).await?;
        let config = DbConfig::new(db.url.clone(), SCHEMA.role, password, SCHEMA.schema);
        let running = Running::start(&config).await?;
        fund(&running.client, (0..ACCOUNTS).map(user), ASSET, FUNDS).await?;
        Ok(Self {
            client: running.client.clone(),
            db,
            running,
        })
    }

    /// One run; of the commands 5 % are sent twice and 1 % ask for more than there is.
    pub async fn run(&self, load: Load, effort: Effort) -> anyhow::Result<Run> {
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        sqlx::raw_sql("CHECKPOINT").execute(&mut superuser).await?;
        let before = end_of_journal(&mut superuser).await?;
        let window = Window::after_warm_up(effort);
        let (tally, cpu) = load::call(&self.client, load, window).await?;
        check(&mut superuser, before, tally).await?;
        Ok(Run {
            count: tally.answered,
            took: window.length(),
            cpu,
            note: String::new(),
        })
    }

    /// Row at which the journal ends.
    pub async fn end_of_journal(&self) -> anyhow::Result<i64> {
        end_of_journal(&mut PgConnection::connect(&self.db.superuser_url).await?).await
    }

    /// The journal since row `before` must be what callers were told.
    pub async fn check(&self, before: i64, tally: Tally) -> anyhow::Result<()> {
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        check(&mut superuser, before, tally).await
    }

    /// The independent audit must find nothing.
    pub async fn check_and_stop(self) -> anyhow::Result<()> {
        self.running.stop().await?;
        let report = audit::run(&self.db.superuser_url).await?;
        ensure!(report.is_clean(), "the audit found {:?}", report.findings);
        Ok(())
    }
}

async fn end_of_journal(superuser: &mut PgConnection) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("SELECT last_id FROM engine.head")
        .fetch_one(superuser)
        .await?)
}

async fn projected(superuser: &mut PgConnection) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("SELECT journal_id FROM engine.projection")
        .fetch_one(superuser)
        .await?)
}

/// Each command has one row, as many as were acknowledged, and people have together what they were given.
async fn check(superuser: &mut PgConnection, before: i64, tally: Tally) -> anyhow::Result<()> {
    let (moves, refusals, commands): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE kind = 1), count(*) FILTER (WHERE kind = 6), count(DISTINCT command)
           FROM engine.journal WHERE batch > $1",
    )
    .bind(before)
    .fetch_one(&mut *superuser)
    .await?;
    let (moves, refusals, commands) = (
        u64::try_from(moves)?,
        u64::try_from(refusals)?,
        u64::try_from(commands)?,
    );
    ensure!(
        (moves, refusals, commands) == (tally.applied, tally.refused, tally.applied + tally.refused),
        "{tally:?} was acknowledged; {moves} transfers and {refusals} refusals of {commands} commands stand in the journal"
    );
    // Transfers leave the sum as it is, but the funding must be in it.
    let deadline = Instant::now() + PROJECTED_WITHIN;
    while projected(superuser).await? < before {
        ensure!(
            Instant::now() < deadline,
            "the projection does not reach row {before}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let total: String = sqlx::query_scalar(
        "SELECT sum(total)::text FROM engine.balance b JOIN engine.account a ON a.id = b.account WHERE a.purpose = $1",
    )
    .bind(i16::from(Purpose::Wallet.code()))
    .fetch_one(superuser)
    .await?;
    ensure!(
        total == (u128::from(ACCOUNTS) * FUNDS).to_string(),
        "people have {total} units together"
    );
    Ok(())
}
