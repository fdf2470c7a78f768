use ferrex_engine::Config;
use ferrex_engine_core::{Outcome, Refusal};
use ferrex_ids::HoldId;
use ferrex_testkit::eventually;
use sqlx::Connection as _;

use crate::support::*;

/// Nothing is remembered in memory: every id is older than the window.
pub fn no_window() -> Config {
    Config {
        window_hours: 0,
        window_commands_max: 0,
        projection_ms: 20,
        ..Config::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i15_a_restart_goes_on_where_the_journal_ends() {
    let db = database().await;
    let pool = look(&db).await;
    let (alice, bob) = (new_id(), new_id());
    let (open, closed, late) = (
        HoldId::from_uuid(new_id()),
        HoldId::from_uuid(new_id()),
        HoldId::from_uuid(new_id()),
    );
    let never_again = Config {
        projection_ms: 3_600_000,
        ..Config::default()
    };

    let first = start(&db).await;
    let mut commands = vec![
        deposit(alice, 1_000),
        reserve(open, alice, 100),
        reserve(closed, alice, 50),
        void(closed),
        transfer(alice, bob, 5_000),
    ];
    let mut outcomes = Vec::new();
    for command in &commands {
        outcomes.push(submit(&first.client, command).await);
    }
    projection_is_current(&pool).await;
    first.crash().await;

    // The first tick projects nothing new; what follows is tail only.
    let second = start_with(&db, never_again, None).await;
    let tail = [
        reserve(late, alice, 200),
        post(late, 150),
        transfer(alice, bob, 30),
        deposit(bob, 7),
    ];
    for command in &tail {
        outcomes.push(submit(&second.client, command).await);
    }
    commands.extend(tail);
    let before = (
        wallet(&second.client, alice).await,
        wallet(&second.client, bob).await,
    );
    second.crash().await;
    let (projected, end): (i64, i64) =
        sqlx::query_as("SELECT journal_id, last_id FROM engine.projection, engine.head")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(projected < end, "there is a tail to replay");

    let third = start(&db).await;
    assert_eq!(
        (
            wallet(&third.client, alice).await,
            wallet(&third.client, bob).await
        ),
        before
    );
    assert_eq!(before, ((820, 100), (37, 0)));
    for (command, outcome) in commands.iter().zip(&outcomes) {
        assert_eq!(submit(&third.client, command).await, *outcome);
    }
    for (hold, refusal) in [
        (closed, Refusal::HoldClosed),
        (late, Refusal::HoldClosed),
        (HoldId::from_uuid(new_id()), Refusal::HoldUnknown),
    ] {
        let outcome = submit(&third.client, &void(hold)).await;
        assert!(
            matches!(outcome, Outcome::Refused { refusal: is, .. } if is == refusal),
            "{outcome:?}"
        );
    }
    assert!(submit(&third.client, &void(open)).await.is_applied());
    finish(third, &db).await;
}

#[tokio::test]
async fn while_a_projection_takes_long_answers_are_forgotten_and_holds_are_not() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let db = database().await;
    let pool = look(&db).await;
    let engine = start_with(&db, no_window(), None).await;
    let mut projecting = sqlx::PgConnection::connect(&db.superuser_url).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT FROM engine.projection FOR UPDATE")
        .execute(&mut projecting)
        .await
        .unwrap();
    let (alice, hold) = (new_id(), HoldId::from_uuid(new_id()));
    let commands = [deposit(alice, 100), reserve(hold, alice, 10), void(hold)];
    let mut outcomes = Vec::new();
    for command in &commands {
        outcomes.push(submit(&engine.client, command).await);
    }
    let shows = |line: &str| recorder.handle().render().lines().any(|shown| shown == line);
    // Each tick tells them together: when it has told of the second hold, all of an earlier one is told.
    for open in 1..=2 {
        submit(&engine.client, &reserve(HoldId::from_uuid(new_id()), alice, 1)).await;
        let told = format!("engine_open_holds {open}");
        eventually(SOON, || async { shows(&told) }).await;
    }
    assert!(shows("engine_known_commands 0"), "{}", recorder.handle().render());
    for (command, outcome) in commands.iter().zip(&outcomes) {
        assert_eq!(submit(&engine.client, command).await, *outcome);
    }
    let closed = submit(&engine.client, &reserve(hold, alice, 10)).await;
    assert!(
        matches!(
            closed,
            Outcome::Refused {
                refusal: Refusal::HoldExists,
                ..
            }
        ),
        "{closed:?}"
    );
    projecting.close().await.unwrap();
    projection_is_current(&pool).await;
    finish(engine, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_and_holds_older_than_the_window_are_looked_up() {
    let db = database().await;
    let pool = look(&db).await;
    let engine = start_with(&db, no_window(), None).await;
    let (alice, bob) = (new_id(), new_id());
    let hold = HoldId::from_uuid(new_id());
    let commands = [
        deposit(alice, 100),
        reserve(hold, alice, 10),
        void(hold),
        transfer(alice, bob, 1_000),
        transfer(alice, bob, 1),
    ];
    let mut outcomes = Vec::new();
    for command in &commands {
        outcomes.push(submit(&engine.client, command).await);
    }
    for _ in 0..2 {
        // A written projection is what lets closed holds be forgotten.
        submit(&engine.client, &deposit(alice, 1)).await;
        projection_is_current(&pool).await;
        for (command, outcome) in commands.iter().zip(&outcomes) {
            assert_eq!(submit(&engine.client, command).await, *outcome);
        }
        let mut other_body = commands[0].clone();
        other_body.reference = new_id();
        let reused = submit(&engine.client, &other_body).await;
        assert!(
            matches!(
                reused,
                Outcome::Refused {
                    refusal: Refusal::IdReused,
                    ..
                }
            ),
            "{reused:?}"
        );
        let closed = submit(&engine.client, &void(hold)).await;
        assert!(
            matches!(
                closed,
                Outcome::Refused {
                    refusal: Refusal::HoldClosed,
                    ..
                }
            ),
            "{closed:?}"
        );
        let taken = submit(&engine.client, &reserve(hold, alice, 1)).await;
        assert!(
            matches!(
                taken,
                Outcome::Refused {
                    refusal: Refusal::HoldExists,
                    ..
                }
            ),
            "{taken:?}"
        );
    }
    assert_eq!(wallet(&engine.client, alice).await, (101, 0));
    finish(engine, &db).await;
}
