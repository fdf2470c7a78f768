//! The pattern that people use, on the same server, with 16 connections. It has no idempotency, which favours it.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use ferrex_testkit::{Postgres, TestDb};
use sqlx::{Connection as _, PgConnection};

use super::{ACCOUNTS, RUN, Spread, Window};
use crate::pairs::Run;

const CONNECTIONS: usize = 16;

pub(super) struct Peer {
    db: TestDb,
    done: AtomicU64,
}

impl Peer {
    pub(super) async fn start(postgres: &Postgres) -> anyhow::Result<Self> {
        let db = postgres.fresh_database().await;
        let mut connection = PgConnection::connect(&db.superuser_url).await?;
        sqlx::raw_sql(
            "CREATE TABLE account (id int PRIMARY KEY, balance numeric(39,0) NOT NULL CHECK (balance >= 0)) WITH (fillfactor = 50);
             CREATE TABLE entry (
                 id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                 debit  int NOT NULL,
                 credit int NOT NULL,
                 amount numeric(39,0) NOT NULL,
                 at     timestamptz NOT NULL DEFAULT now()
             );",
        )
        .execute(&mut connection)
        .await?;
        sqlx::query("INSERT INTO account SELECT id, 1000000000 FROM generate_series(0, $1) id")
            .bind(i32::try_from(ACCOUNTS)? - 1)
            .execute(&mut connection)
            .await?;
        Ok(Self {
            db,
            done: AtomicU64::new(0),
        })
    }

    pub(super) async fn run(&self, spread: Spread) -> anyhow::Result<Run> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(PgConnection::connect(&self.db.superuser_url).await?);
        }
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        sqlx::raw_sql("CHECKPOINT").execute(&mut superuser).await?;
        let window = Window::after_warm_up();
        let callers: Vec<_> = connections
            .into_iter()
            .map(|connection| tokio::spawn(call_until(connection, spread, window)))
            .collect();
        let cpu = window.cpu().await?;
        let mut count = 0;
        for caller in callers {
            let (counted, done) = caller.await.context("a caller ended early")??;
            count += counted;
            self.done.fetch_add(done, Ordering::Relaxed);
        }
        Ok(Run {
            count,
            took: RUN,
            cpu,
            note: String::new(),
        })
    }

    pub(super) async fn check(self) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&self.db.superuser_url).await?;
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM entry")
            .fetch_one(&mut connection)
            .await?;
        ensure!(
            u64::try_from(rows)? == self.done.load(Ordering::Relaxed),
            "the peer lost a transfer"
        );
        Ok(())
    }
}

/// Answers how many transfers were done within the window, and how many in all.
async fn call_until(
    mut connection: PgConnection,
    spread: Spread,
    window: Window,
) -> anyhow::Result<(u64, u64)> {
    let (mut counted, mut done) = (0, 0);
    while !window.is_over() {
        let (payer, payee) = spread.pick(&mut rand::rng());
        let (payer, payee) = (i32::try_from(payer)?, i32::try_from(payee)?);
        // The lower number first, so that two transfers cannot wait for each other.
        let (first, second) = (payer.min(payee), payer.max(payee));
        let mut tx = connection.begin().await?;
        for id in [first, second] {
            sqlx::query("SELECT balance FROM account WHERE id = $1 FOR UPDATE")
                .bind(id)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("UPDATE account SET balance = balance - 1 WHERE id = $1")
            .bind(payer)
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE account SET balance = balance + 1 WHERE id = $1")
            .bind(payee)
            .execute(&mut *tx)
            .await?;
        sqlx::query("INSERT INTO entry (debit, credit, amount) VALUES ($1, $2, 1)")
            .bind(payer)
            .bind(payee)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        counted += u64::from(window.counts_now());
        done += 1;
    }
    Ok((counted, done))
}
