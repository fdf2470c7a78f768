//! The product in one process, with a market and people who have money in it.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use ferrex_dev::plan::{Carrier, Plan, Ports, Shape};
use ferrex_dev::system::System;
use ferrex_e2e::town::{NETWORK, Town};
use ferrex_engine::SCHEMA;
use ferrex_engine_core::{Reason, RowKind};
use ferrex_ids::UserId;
use ferrex_money::AssetId;
use ferrex_postgres::DbConfig;
use ferrex_testkit::servers::PostgresUse;
use ferrex_time::{Clock as _, SystemClock};
use ferrex_web::TokenSigner;
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::load::{MARKET, PEOPLE, People, RICH};
use crate::engine::{Running, fund};
use crate::http::Tokens;

/// The database of all schemas.
const DATABASE: &str = "ferrex";
/// The process with all roles.
pub(super) const ALL: &str = "all";
/// How long what a run left may take to be shown, and how often it is looked.
const SHOWN_WITHIN: Duration = Duration::from_mins(3);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) struct Ours {
    pub system: System,
    tokens: Tokens,
    _dir: TempDir,
}

impl Ours {
    /// Starts it; staff register two assets and open a market.
    pub async fn start() -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("ferrex-bench-")
            // PostgreSQL runs as its own user when root starts it.
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()?;
        let system = start(&dir, Shape::One).await?;
        let pem = std::fs::read_to_string(dir.path().join("secrets/token_signing.pem"))?;
        let signer = TokenSigner::from_pem(&SecretString::from(pem), SystemClock::shared())?;
        let ours = Self {
            system,
            tokens: Tokens::of(signer),
            _dir: dir,
        };
        ours.open_market().await?;
        Ok(ours)
    }

    async fn open_market(&self) -> anyhow::Result<()> {
        let around = self.system.surroundings();
        let (token, rpc) = (around.token.clone(), around.chain_rpc.clone());
        let town = Town::found(around, self.system.mails.clone(), &rpc).await?;
        let staff = town.staff();
        let asset = json!({
            "symbol": "TST", "name": "Test token", "network": NETWORK, "decimals": 6, "contract": token,
            "reason": "the benchmark needs it",
            "terms": { "deposit_minimum": "1", "withdrawal_minimum": "1", "withdrawal_fee": "0.5",
                       "approval_threshold": "1000", "deposits_enabled": true, "withdrawals_enabled": true },
        });
        staff.post("/v1/assets", &asset).await?;
        let terms = json!({
            "base": "ETH", "quote": "TST", "tick": "0.01", "lot": "0.001", "price_max": "100000", "quantity_min": "0.001",
            "quantity_max": "1000", "value_min": "1", "band_ppm": 300_000, "open_orders_max": 10_000,
            "reference_price": "2000", "maker_ppm": 1_000, "taker_ppm": 2_000, "reason": "the benchmark needs it",
        });
        staff.post("/v1/markets", &terms).await?;
        let open = json!({ "state": "open", "reason": "the benchmark needs it" });
        staff.post(&format!("/v1/markets/{MARKET}/state"), &open).await?;
        Ok(())
    }

    /// People with money. While the product is stopped an engine of this process credits them, on the same journal.
    pub async fn people(&mut self) -> anyhow::Result<People> {
        self.system.stop_process(ALL).await?;
        let users: Vec<UserId> = (0..PEOPLE)
            .map(|_| UserId::new_at(SystemClock.unix_ms()))
            .collect();
        let plan = self.system.plan();
        let password = std::fs::read_to_string(plan.data.join("secrets/database").join(SCHEMA.role))?;
        let url = format!("postgres://127.0.0.1:{}/{DATABASE}", plan.ports.postgres);
        let config = DbConfig::new(url, SCHEMA.role, SecretString::from(password), SCHEMA.schema);
        let running = Running::start(&config).await?;
        let assets: Vec<(i32, i16)> = sqlx::query_as("SELECT id, decimals FROM payment.asset ORDER BY id")
            .fetch_all(&mut self.superuser().await?)
            .await?;
        for (asset, decimals) in assets {
            let units = RICH * 10_u128.pow(u32::try_from(decimals)?);
            let people = users.iter().map(|user| user.uuid());
            fund(&running.client, people, AssetId(asset.cast_unsigned()), units).await?;
        }
        running.stop().await?;
        self.restart().await?;
        Ok(People::new(users))
    }

    /// Starts it with rates that one address, from which all calls come here, does not reach.
    async fn restart(&mut self) -> anyhow::Result<()> {
        let traces = trace_sink().await?;
        let environment = [
            ("FERREX__WEB__PER_ADDRESS__PER_SECOND", "1000000"),
            ("FERREX__WEB__PER_ADDRESS__BURST", "1000000"),
            ("FERREX__TELEMETRY__OTLP_ENDPOINT", &traces),
        ];
        self.system.start_process(ALL, &environment).await?;
        self.system.wait_ready(ALL).await
    }

    pub async fn superuser(&self) -> anyhow::Result<PgConnection> {
        Ok(self.system.postgres.connect(DATABASE).await?)
    }

    pub const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    pub fn port(&self) -> u16 {
        self.system.plan().ports.public
    }

    /// Warnings and errors in its log, in their order.
    pub fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let log = self.system.plan().data.join("logs").join(format!("{ALL}.log"));
        let log = std::fs::read_to_string(&log).with_context(|| format!("reading {}", log.display()))?;
        let is_complaint = |line: &&str| {
            [r#""level":"WARN""#, r#""level":"ERROR""#]
                .iter()
                .any(|level| line.contains(level))
        };
        Ok(log.lines().filter(is_complaint).map(str::to_owned).collect())
    }

    /// Of the database, in MiB.
    pub async fn size(&self) -> anyhow::Result<f64> {
        let mib = "SELECT pg_database_size(current_database())::float8 / 1048576";
        Ok(sqlx::query_scalar(mib)
            .fetch_one(&mut self.superuser().await?)
            .await?)
    }

    /// How many orders the engine has taken.
    pub async fn count(&self) -> anyhow::Result<i64> {
        let taken = "SELECT count(*) FROM engine.journal WHERE last AND reason = $1 AND kind <> $2";
        Ok(sqlx::query_scalar(taken)
            .bind(Reason::Trading.code().cast_signed())
            .bind(i16::from(RowKind::Refused.code()))
            .fetch_one(&mut self.superuser().await?)
            .await?)
    }

    /// Each order that was acknowledged is in the journal and no other; then waits until all of them are shown, so that the next
    /// run does not do what this one left.
    pub async fn check(&self, before: i64, answered: u64) -> anyhow::Result<()> {
        let taken = u64::try_from(self.count().await? - before)?;
        ensure!(
            taken == answered,
            "{answered} orders were acknowledged, the engine has taken {taken}"
        );
        let begin = Instant::now();
        let mut superuser = self.superuser().await?;
        loop {
            let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM payment.asked_order")
                .fetch_one(&mut superuser)
                .await?;
            if waiting == 0 {
                return Ok(());
            }
            ensure!(
                begin.elapsed() < SHOWN_WITHIN,
                "{waiting} orders are not shown after {SHOWN_WITHIN:?}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The books must be right.
    pub async fn audit_and_stop(self) -> anyhow::Result<()> {
        let begin = Instant::now();
        self.system
            .ferrex(&["ledger", "audit"])
            .context("auditing the ledger")?;
        println!(
            "  the ledger's audit is clean, after {:.1} s\n",
            begin.elapsed().as_secs_f64()
        );
        self.system.stop().await
    }
}

/// Everything on free ports, in a PostgreSQL that syncs.
pub(crate) async fn start(dir: &TempDir, shape: Shape) -> anyhow::Result<System> {
    let ferrex = std::env::current_exe()?.with_file_name("ferrex");
    ensure!(
        ferrex.exists(),
        "{} is missing: cargo build --release -p ferrex",
        ferrex.display()
    );
    // Nobody has installed one unless this ran before in the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    System::start(Plan {
        data: dir.path().to_owned(),
        ferrex,
        shape,
        carrier: Carrier::Embedded,
        ports: Ports::free(),
        postgres: PostgresUse::Load,
        keep: false,
        brisk: false,
    })
    .await
}

/// Where a superuser of its PostgreSQL logs in.
pub(crate) fn superuser_url(system: &System, database: &str) -> anyhow::Result<String> {
    let plan = system.plan();
    let password = std::fs::read_to_string(plan.data.join("secrets/owner_password"))?;
    Ok(format!(
        "postgres://postgres:{password}@127.0.0.1:{}/{database}",
        plan.ports.postgres
    ))
}

/// A collector that takes traces and throws them away; answers its address.
async fn trace_sink() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/v1/traces", listener.local_addr()?);
    let router = Router::new().route("/v1/traces", post(async || StatusCode::OK));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}
