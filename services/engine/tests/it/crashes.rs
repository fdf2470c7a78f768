//! F72 at length: engines in processes of their own, the owner killed and the database stopped at once, again and again and
//! under load.
//!
//! After each: every acknowledged command is in the journal, once, at the row that its answer named, and whoever asks again
//! with its id learns the same outcome. `FERREX_KILLS` and `FERREX_STOPS` set how often (`make crashes`: 200 and 50).

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command as Program;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ferrex_engine::Config;
use ferrex_engine_client::{EngineClient, RemoteConfig};
use ferrex_engine_core::{Command, Outcome, Side};
use ferrex_ids::HoldId;
use ferrex_settings::SecretFile;
use ferrex_testkit::servers::{Process, free_port};
use ferrex_testkit::{Postgres, TestDb, eventually};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::orders;
use crate::support::*;

/// Tells this test program that it is an engine, and which.
const VARIABLE: &str = "FERREX_TEST_ENGINE";
const TOKEN: &str = "a-service-token";
const CALLERS: usize = 24;
const PEOPLE: usize = 12;
/// How long a takeover or a recovery may take on a machine that does much else.
const WITHIN: Duration = Duration::from_mins(1);

/// What the process of an engine is told.
#[derive(Serialize, Deserialize)]
struct Told {
    db: String,
    port: u16,
    token_file: PathBuf,
    /// Written when it owns or stands by.
    ready_file: PathBuf,
}

/// Not a test by itself: the engine that the test below starts as a process of its own, and kills.
#[tokio::test(flavor = "multi_thread")]
async fn the_engine_that_is_killed() {
    let Ok(told) = std::env::var(VARIABLE) else { return };
    let told: Told = serde_json::from_str(&told).unwrap();
    let config = Config {
        listen: Some(([127, 0, 0, 1], told.port).into()),
        token_file: Some(SecretFile::new(told.token_file)),
        // So that most restarts begin with another snapshot; all else is as in production.
        snapshot_rows: 500,
        snapshot_check_ms: 100,
        ..Config::default()
    };
    let engine = start_on(&told.db, config, None).await;
    eventually(WITHIN, || async { engine.readiness.is_ready() }).await;
    std::fs::write(&told.ready_file, "").unwrap();
    std::future::pending::<()>().await;
}

/// One of the two places where an engine runs.
struct Place {
    told: Told,
    log: PathBuf,
    process: Option<Process>,
}

impl Place {
    fn new(dir: &std::path::Path, db: &TestDb, number: usize) -> Self {
        let token_file = dir.join("token");
        std::fs::write(&token_file, TOKEN).unwrap();
        let told = Told {
            db: db.url.clone(),
            port: free_port(),
            token_file,
            ready_file: dir.join(format!("ready-{number}")),
        };
        let log = dir.join(format!("engine-{number}.log"));
        Self {
            told,
            log,
            process: None,
        }
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.told.port)
    }

    /// Starts its process and waits until it owns the ledger or stands by.
    async fn start(&mut self) {
        let _ = std::fs::remove_file(&self.told.ready_file);
        let mut command = Program::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "crashes::the_engine_that_is_killed", "--nocapture"])
            .env(VARIABLE, serde_json::to_string(&self.told).unwrap());
        self.process = Some(Process::spawn("engine", command, &self.log, 0).unwrap());
        let ready_file = &self.told.ready_file;
        eventually(WITHIN, || async { ready_file.exists() }).await;
    }

    async fn kill9(&mut self) {
        self.process.take().unwrap().kill9().await.unwrap();
    }
}

/// What callers were told, and when the last answer came to a command that was not sent before some moment.
#[derive(Default)]
struct Answers {
    outcomes: HashMap<Uuid, (Command, Outcome)>,
    /// Answered since the last check.
    fresh: Vec<Uuid>,
    /// Commands of which it had to be asked again.
    asked_again: usize,
    /// When the newest command was sent that has an answer, and when that came.
    newest: Option<(Instant, Instant)>,
}

type Shared = Arc<Mutex<Answers>>;

/// The n-th deed of a caller: transfers, orders that meet, holds.
fn deed(caller: usize, turn: usize, people: &[Uuid], hold: &mut Option<HoldId>) -> Command {
    let (one, other) = (
        people[(caller + turn) % PEOPLE],
        people[(caller + turn * 7 + 1) % PEOPLE],
    );
    match turn % 6 {
        0 | 3 if one != other => transfer(one, other, 1 + turn as u128 % 9),
        1 | 4 => {
            let side = if caller.is_multiple_of(2) {
                Side::Buy
            } else {
                Side::Sell
            };
            let price = 95 + (turn as u128 * 5 + caller as u128) % 11;
            orders::limit(one, side, price, 10 + 10 * (turn as u128 % 4), new_id())
        }
        2 => {
            let made = HoldId::from_uuid(new_id());
            *hold = Some(made);
            reserve(made, one, 3)
        }
        _ => match hold.take() {
            Some(made) if turn % 4 < 2 => post(made, 2),
            Some(made) => void(made),
            None => transfer(one, people[(caller + turn + 1) % PEOPLE], 2),
        },
    }
}

async fn call(
    client: EngineClient,
    caller: usize,
    people: Vec<Uuid>,
    answers: Shared,
    stop: Arc<AtomicBool>,
) {
    let mut hold = None;
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let command = deed(caller, turn, &people, &mut hold);
        let sent = Instant::now();
        let mut tries = 0;
        // Unknown: the same id again, until it is known.
        let outcome = eventually(WITHIN, || {
            tries += 1;
            client.submit(command.clone())
        })
        .await;
        let mut answers = answers.lock().unwrap();
        answers.asked_again += usize::from(tries > 1);
        answers.fresh.push(command.id.uuid());
        answers.outcomes.insert(command.id.uuid(), (command, outcome));
        if answers.newest.is_none_or(|(newest, _)| sent > newest) {
            answers.newest = Some((sent, Instant::now()));
        }
    }
}

/// Waits for the answer to a command that was sent after `moment`; answers how long after it that came.
async fn decides_after(answers: &Shared, moment: Instant) -> Duration {
    let answered = eventually(WITHIN, || async {
        let newest = answers.lock().unwrap().newest;
        newest.filter(|(sent, _)| *sent > moment)
    })
    .await;
    answered.1 - moment
}

/// Everything answered since the last check is stored once, and is answered the same again.
async fn check(pool: &sqlx::PgPool, client: &EngineClient, answers: &Shared) -> usize {
    let (fresh, outcomes): (Vec<Uuid>, Vec<(Command, Outcome)>) = {
        let mut answers = answers.lock().unwrap();
        let fresh = std::mem::take(&mut answers.fresh);
        let outcomes = fresh.iter().map(|id| answers.outcomes[id].clone()).collect();
        (fresh, outcomes)
    };
    let rows: Vec<(Uuid, i64)> = eventually(WITHIN, || async {
        sqlx::query_as("SELECT command, id FROM engine.journal WHERE last AND command = ANY($1)")
            .bind(&fresh)
            .fetch_all(pool)
            .await
    })
    .await;
    assert_eq!(
        rows.len(),
        fresh.len(),
        "each acknowledged command is stored once"
    );
    let rows: HashMap<Uuid, i64> = rows.into_iter().collect();
    for (command, outcome) in &outcomes {
        let row = rows[&command.id.uuid()];
        assert_eq!(row.cast_unsigned(), outcome.sequence(), "{command:?}");
    }
    learn_again(client, &outcomes[outcomes.len().saturating_sub(50)..]).await;
    fresh.len()
}

/// Asks for outcomes that are known, many at once.
async fn learn_again(client: &EngineClient, known: &[(Command, Outcome)]) {
    for some in known.chunks(100) {
        let asked = some.iter().map(|(command, outcome)| async move {
            assert_eq!(submit(client, command).await, *outcome, "{command:?}");
        });
        join_all(asked).await;
    }
}

fn times(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |times| times.parse().unwrap())
}

/// Median, 99th percentile and maximum, in milliseconds.
fn figures(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |percent: usize| took[((took.len() - 1) * percent).div_ceil(100)].as_millis();
    let (median, p99, max) = (at(50), at(99), at(100));
    format!("median {median} ms, p99 {p99} ms, max {max} ms of {}", took.len())
}

async fn owner_is(pool: &sqlx::PgPool, places: &[Place; 2]) -> usize {
    eventually(WITHIN, || async {
        let address: Option<Option<String>> =
            sqlx::query_scalar("SELECT address FROM engine.lease WHERE expires_at > clock_timestamp()")
                .fetch_optional(pool)
                .await
                .ok()?;
        let address = address.flatten()?;
        places.iter().position(|place| place.address() == address)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn f072_owners_killed_and_databases_stopped_under_load_lose_and_double_nothing() {
    let (kills, stops) = (times("FERREX_KILLS", 6), times("FERREX_STOPS", 2));
    // With fsync a start after a crash takes seconds. What a process wrote outlives it without, too.
    let is_long = kills + stops > 20;
    let postgres = if is_long {
        Postgres::durable().await
    } else {
        Postgres::start().await
    };
    let db = postgres.fresh_database().await;
    prepare(&db).await;
    let dir = tempfile::tempdir().unwrap();
    let mut places = [0, 1].map(|number| Place::new(dir.path(), &db, number));
    for place in &mut places {
        place.start().await;
    }
    let addresses = places.iter().map(Place::address).collect();
    let mut config = RemoteConfig::new(addresses, TOKEN.to_owned().into());
    // Less than a takeover takes: callers are left without an answer and have to ask again.
    config.deadline = Duration::from_millis(150);
    let client = EngineClient::remote(config).unwrap();
    let people: Vec<Uuid> = (0..PEOPLE).map(|_| new_id()).collect();
    for command in orders::market() {
        assert!(submit(&client, &command).await.is_applied());
    }
    for person in &people {
        submit(&client, &deposit(*person, 1_000_000)).await;
        submit(&client, &orders::funds(*person, orders::MONEY, 100_000_000)).await;
    }
    let pool = look(&db).await;
    let (answers, stop) = (Shared::default(), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (answers, stop) = (Arc::clone(&answers), Arc::clone(&stop));
            tokio::spawn(call(client.clone(), caller, people.clone(), answers, stop))
        })
        .collect();

    let (mut takeovers, mut recoveries, mut acknowledged) = (Vec::new(), Vec::new(), 0);
    for cycle in 0..kills.max(stops) {
        if cycle < kills {
            // Each is hit at another place of the flow.
            loaded(&answers, 30 + 37 * (cycle % 7)).await;
            let owner = owner_is(&pool, &places).await;
            let moment = Instant::now();
            places[owner].kill9().await;
            takeovers.push(decides_after(&answers, moment).await);
            acknowledged += check(&pool, &client, &answers).await;
            places[owner].start().await;
        }
        if (cycle + 1) * stops / kills.max(stops) > cycle * stops / kills.max(stops) {
            loaded(&answers, 30 + 41 * (cycle % 5)).await;
            postgres.stop_at_once().await;
            postgres.start_again().await;
            recoveries.push(decides_after(&answers, Instant::now()).await);
            acknowledged += check(&pool, &client, &answers).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    acknowledged += check(&pool, &client, &answers).await;
    let (all, asked_again) = {
        let answers = answers.lock().unwrap();
        let all: Vec<_> = answers.outcomes.values().cloned().collect();
        (all, answers.asked_again)
    };
    assert_eq!(all.len(), acknowledged);
    learn_again(&client, &all).await;
    let (commands, rows): (i64, i64) =
        sqlx::query_as("SELECT count(DISTINCT command), count(*) FROM engine.journal WHERE last")
            .fetch_one(&pool)
            .await
            .unwrap();
    let setup = 3 + 2 * PEOPLE;
    assert_eq!(
        (commands, commands),
        (rows, i64::try_from(all.len() + setup).unwrap())
    );
    for place in &mut places {
        place.kill9().await;
    }
    assert_audit_is_clean(&db).await;
    println!("{acknowledged} commands acknowledged, {asked_again} of them after asking again");
    println!(
        "owner killed, until its standby has answered: {}",
        figures(takeovers)
    );
    println!(
        "database started again, until an owner has answered: {}",
        figures(recoveries)
    );
}

/// Waits until so many more were answered.
async fn loaded(answers: &Shared, more: usize) {
    let target = answers.lock().unwrap().outcomes.len() + more;
    eventually(WITHIN, || async {
        answers.lock().unwrap().outcomes.len() >= target
    })
    .await;
}
