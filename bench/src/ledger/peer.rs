//! The patterns that people use, on the same server, with 16 connections. They have no idempotency, which favours them.

use anyhow::{Context as _, ensure};
use ferrex_testkit::{Postgres, TestDb};
use sqlx::{Connection as _, PgConnection};

use super::load::{ACCOUNTS, FUNDS, Spread};
use crate::effort::Effort;
use crate::pairs::Run;
use crate::window::Window;

const CONNECTIONS: usize = 16;

/// The check of the balance is the table's constraint, so that it costs neither pattern a statement. The function takes the
/// lower number first, so that two calls cannot wait for each other.
const SCHEMA: &str = "
    CREATE TABLE account (id int PRIMARY KEY, balance numeric(39,0) NOT NULL CHECK (balance >= 0)) WITH (fillfactor = 50);
    CREATE TABLE entry (
        id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        debit  int NOT NULL,
        credit int NOT NULL,
        amount numeric(39,0) NOT NULL,
        at     timestamptz NOT NULL DEFAULT now()
    );
    CREATE FUNCTION transfer(payer int, payee int, units numeric) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        IF payer < payee THEN
            UPDATE account SET balance = balance - units WHERE id = payer;
            UPDATE account SET balance = balance + units WHERE id = payee;
        ELSE
            UPDATE account SET balance = balance + units WHERE id = payee;
            UPDATE account SET balance = balance - units WHERE id = payer;
        END IF;
        INSERT INTO entry (debit, credit, amount) VALUES (payer, payee, units);
    END
    $$;";

/// How a transfer is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// BEGIN, two SELECT FOR UPDATE, two UPDATE, INSERT, COMMIT.
    Locks,
    /// One call of a function in PL/pgSQL.
    Function,
}

pub(super) struct Peer {
    db: TestDb,
    pattern: Pattern,
}

impl Peer {
    pub async fn start(postgres: &Postgres, pattern: Pattern) -> anyhow::Result<Self> {
        let db = postgres.fresh_database().await;
        let mut connection = PgConnection::connect(&db.superuser_url).await?;
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
        sqlx::query("INSERT INTO account SELECT id, $2::numeric FROM generate_series(0, $1) id")
            .bind(i32::try_from(ACCOUNTS)? - 1)
            .bind(i64::try_from(FUNDS)?)
            .execute(&mut connection)
            .await?;
        Ok(Self { db, pattern })
    }

    pub async fn run(&self, spread: Spread, effort: Effort) -> anyhow::Result<Run> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(PgConnection::connect(&self.db.superuser_url).await?);
        }
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        sqlx::raw_sql("CHECKPOINT").execute(&mut superuser).await?;
        let before: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM entry")
            .fetch_one(&mut superuser)
            .await?;
        let window = Window::after_warm_up(effort);
        let callers: Vec<_> = connections
            .into_iter()
            .map(|connection| tokio::spawn(call_until(connection, self.pattern, spread, window)))
            .collect();
        let cpu = window.cpu().await?;
        let (mut count, mut done) = (0, 0);
        for caller in callers {
            let (counted, all) = caller.await.context("a caller ended early")??;
            count += counted;
            done += all;
        }
        check(&mut superuser, before, done).await?;
        Ok(Run {
            count,
            took: window.length(),
            cpu,
            note: String::new(),
        })
    }
}

async fn check(superuser: &mut PgConnection, before: i64, done: u64) -> anyhow::Result<()> {
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM entry WHERE id > $1")
        .bind(before)
        .fetch_one(&mut *superuser)
        .await?;
    ensure!(
        u64::try_from(rows)? == done,
        "the peer made {done} transfers and has {rows} of them"
    );
    let total: String = sqlx::query_scalar("SELECT sum(balance)::text FROM account")
        .fetch_one(superuser)
        .await?;
    ensure!(
        total == (u128::from(ACCOUNTS) * FUNDS).to_string(),
        "the peer's accounts have {total} units together"
    );
    Ok(())
}

/// Answers how many transfers were done within the window, and how many in all.
async fn call_until(
    mut connection: PgConnection,
    pattern: Pattern,
    spread: Spread,
    window: Window,
) -> anyhow::Result<(u64, u64)> {
    let (mut counted, mut done) = (0, 0);
    while !window.is_over() {
        let (payer, payee) = spread.pick(ACCOUNTS, &mut rand::rng());
        let (payer, payee) = (i32::try_from(payer)?, i32::try_from(payee)?);
        match pattern {
            Pattern::Locks => with_locks(&mut connection, payer, payee).await?,
            Pattern::Function => {
                sqlx::query("SELECT transfer($1, $2, 1)")
                    .bind(payer)
                    .bind(payee)
                    .execute(&mut connection)
                    .await?;
            }
        }
        counted += u64::from(window.counts_now());
        done += 1;
    }
    Ok((counted, done))
}

async fn with_locks(connection: &mut PgConnection, payer: i32, payee: i32) -> anyhow::Result<()> {
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
    Ok(tx.commit().await?)
}
