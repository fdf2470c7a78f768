//! What PostgreSQL and the disk allow: callers, queue, batches and rows as ours, and nothing is decided. Each command
//! becomes an entry of a table that is shaped like the journal's, indexes included; there is no epoch, no predecessor, no balance and
//! no memory of ids.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use ferrex_engine::SCHEMA;
use ferrex_engine_client::{EngineClient, Submission};
use ferrex_engine_core::{Action, Answer, Command, Outcome, RowKind, Step};
use ferrex_ledger::{Account, Owner};
use ferrex_postgres::{PgU128, entry, provision};
use ferrex_testkit::{Postgres, TestDb};
use ferrex_time::Timestamp;
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::load::{self, Load, Mix};
use crate::effort::Effort;
use crate::pairs::Run;
use crate::window::Window;

/// As the engine's default.
const BATCH_MAX: usize = 4_096;

pub(super) struct Bare {
    client: EngineClient,
    db: TestDb,
    writing: JoinHandle<anyhow::Result<()>>,
}

impl Bare {
    pub async fn start(postgres: &Postgres) -> anyhow::Result<Self> {
        let db = postgres.fresh_database().await;
        provision(&db.admin_url, &SCHEMA, &SecretString::from("bench")).await?;
        let mut connection = PgConnection::connect(&db.superuser_url).await?;
        sqlx::raw_sql(
            "SET search_path = public, engine;
             CREATE TABLE bare (LIKE journal_batch INCLUDING ALL);
             ALTER TABLE bare ALTER COLUMN entries SET STATISTICS 0",
        )
        .execute(&mut connection)
        .await?;
        let (client, submissions) = EngineClient::local();
        Ok(Self {
            client,
            db,
            writing: tokio::spawn(write(connection, submissions)),
        })
    }

    pub async fn run(&self, callers: usize, effort: Effort) -> anyhow::Result<Run> {
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        sqlx::raw_sql("CHECKPOINT").execute(&mut superuser).await?;
        let before: i64 = sqlx::query_scalar("SELECT coalesce(max(first_id), 0) FROM bare")
            .fetch_one(&mut superuser)
            .await?;
        let window = Window::after_warm_up(effort);
        let load = Load {
            mix: Mix::Plain,
            ..Load::of(callers)
        };
        let (tally, cpu) = load::call(&self.client, load, window).await?;
        let (rows, commands): (i64, i64) = sqlx::query_as(
            "SELECT count(*), count(DISTINCT command) FROM bare, unnest(entries) WHERE first_id > $1",
        )
        .bind(before)
        .fetch_one(&mut superuser)
        .await?;
        ensure!(
            u64::try_from(rows)? == tally.applied && rows == commands,
            "{tally:?} was acknowledged, {rows} rows of {commands} commands were written"
        );
        Ok(Run {
            count: tally.answered,
            took: window.length(),
            cpu,
            note: String::new(),
        })
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        // The writer ends with the last sender.
        drop(self.client);
        self.writing.await?
    }
}

/// One statement at a time; what comes meanwhile is the next. Callers that were just answered are waited for as the engine
/// does: for an eighth of the last commit and at most a millisecond.
async fn write(
    mut connection: PgConnection,
    mut submissions: mpsc::Receiver<Submission>,
) -> anyhow::Result<()> {
    let (mut gathered, mut last_id) = (Vec::new(), 0);
    let (mut answered, mut commit) = (0, Duration::ZERO);
    while submissions.recv_many(&mut gathered, BATCH_MAX).await > 0 {
        let (until, began) = (BATCH_MAX.min(gathered.len() + answered), Instant::now());
        let patience = (commit / 8).min(Duration::from_millis(1));
        while answered > 1 && gathered.len() < until && began.elapsed() < patience {
            tokio::task::yield_now().await;
            while gathered.len() < until
                && let Ok(submission) = submissions.try_recv()
            {
                gathered.push(submission);
            }
        }
        let mut rows = Rows::default();
        for submission in gathered.drain(..) {
            let Submission::Command { command, reply } = submission else {
                bail!("only commands are sent here");
            };
            rows.add(&command, reply)?;
        }
        let started = Instant::now();
        answered = rows.replies.len();
        last_id = rows.insert(&mut connection, last_id).await?;
        commit = started.elapsed();
    }
    Ok(())
}

/// A batch.
#[derive(Default)]
struct Rows {
    entries: Vec<Entry>,
    replies: Vec<oneshot::Sender<Answer>>,
}

/// A row, as the engine sends it.
#[derive(sqlx::Encode)]
struct Entry {
    command: Uuid,
    fingerprint: i64,
    at: Timestamp,
    reference: Uuid,
    debit: i32,
    credit: i32,
    asset: i32,
    reason: i16,
    kind: i16,
    refusal: i16,
    last: bool,
    amount: PgU128,
    hold: Option<Uuid>,
    expires_at: Option<Timestamp>,
}

entry!(Entry, "journal_entry");

impl Rows {
    fn add(&mut self, command: &Command, reply: oneshot::Sender<Answer>) -> anyhow::Result<()> {
        let Action::Transfer(steps) = &command.action else {
            bail!("only transfers are sent here");
        };
        let Some(Step::Move {
            debit,
            credit,
            amount,
            ..
        }) = steps.first()
        else {
            bail!("a transfer moves something");
        };
        self.entries.push(Entry {
            command: command.id.uuid(),
            fingerprint: 0,
            at: command.at,
            reference: command.reference,
            debit: number(debit)?,
            credit: number(credit)?,
            asset: load::ASSET.0.cast_signed(),
            reason: command.reason.code().cast_signed(),
            kind: RowKind::Move.code().into(),
            refusal: 0,
            last: true,
            amount: PgU128::from(*amount),
            hold: None,
            expires_at: None,
        });
        self.replies.push(reply);
        Ok(())
    }

    /// Writes the rows after row `last_id` and answers their callers; answers the last row.
    async fn insert(self, connection: &mut PgConnection, last_id: i64) -> anyhow::Result<i64> {
        sqlx::query("INSERT INTO bare (first_id, span, entries) VALUES ($1, $1, $2)")
            .bind(last_id + 1)
            .bind(self.entries)
            .execute(connection)
            .await
            .context("inserting a batch")?;
        let mut sequence = last_id;
        for reply in self.replies {
            sequence += 1;
            let outcome = Outcome::Applied {
                sequence: sequence.cast_unsigned(),
            };
            // A caller that has gone needs no answer.
            let _ = reply.send(Answer { outcome, order: None });
        }
        Ok(sequence)
    }
}

/// Number of a person's account.
fn number(account: &Account) -> anyhow::Result<i32> {
    match account.owner {
        Owner::User(user) => Ok(i32::try_from(user.as_u128())?),
        Owner::House => bail!("the house takes no part"),
    }
}
