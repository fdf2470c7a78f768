use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferrex_admin::audit::{self, Broken, NewEntry, Outcome, Verdict};
use ferrex_bus::{Outgoing, Router};
use ferrex_contracts::admin::AuditCheckpoint;
use ferrex_contracts::cron::CronTick;
use ferrex_ids::MessageId;
use ferrex_testkit::{Postgres, eventually};
use ferrex_time::Clock as _;
use sqlx::Executor as _;

use crate::world::World;

fn entry(subject: &str) -> NewEntry {
    NewEntry {
        actor: None,
        actor_name: "test".into(),
        action: "test.act".into(),
        subject: subject.into(),
        reason: Some("because".into()),
        request_id: None,
        outcome: Outcome::Done,
        attempt: None,
        before: None,
        after: Some("{\"a\":1}".into()),
    }
}

async fn filled() -> World {
    let world = World::start().await;
    for number in 0..5 {
        audit::append(world.service.admin(), entry(&number.to_string()))
            .await
            .unwrap();
    }
    assert_eq!(
        verdict(&world).await,
        Verdict {
            entries: 5,
            broken: None
        }
    );
    world
}

async fn verdict(world: &World) -> Verdict {
    audit::verify(world.service.admin()).await.unwrap()
}

async fn as_superuser(world: &World, sql: &'static str) {
    let mut connection = Postgres::shared().await.superuser(&world.database).await;
    connection.execute(sqlx::raw_sql(sql)).await.unwrap();
}

#[tokio::test]
async fn a092_the_service_itself_cannot_change_its_log() {
    let world = filled().await;
    for sql in [
        "UPDATE audit_entry SET reason = 'other'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "DELETE FROM audit_head",
        "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
    ] {
        let refused = world.db.pool().execute(sqlx::raw_sql(sql)).await.unwrap_err();
        let code = refused
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .map(std::borrow::Cow::into_owned);
        assert_eq!(code.as_deref(), Some("42501"), "{sql}: {refused}");
    }
    assert_eq!(verdict(&world).await.broken, None);
}

#[tokio::test]
async fn a092_an_edited_entry_is_detected() {
    let world = filled().await;
    as_superuser(
        &world,
        "UPDATE admin.audit_entry SET reason = 'other' WHERE sequence = 3",
    )
    .await;
    assert_eq!(
        verdict(&world).await,
        Verdict {
            entries: 2,
            broken: Some(Broken::Changed { sequence: 3 })
        }
    );
}

#[tokio::test]
async fn a093_removed_and_cut_off_entries_are_detected() {
    let world = filled().await;
    as_superuser(&world, "DELETE FROM admin.audit_entry WHERE sequence = 3").await;
    assert_eq!(
        verdict(&world).await.broken,
        Some(Broken::Unlinked { sequence: 4 })
    );
    let world = filled().await;
    as_superuser(&world, "DELETE FROM admin.audit_entry WHERE sequence > 3").await;
    assert_eq!(
        verdict(&world).await.broken,
        Some(Broken::End {
            found: 3,
            expected: 5
        })
    );
    let world = filled().await;
    as_superuser(
        &world,
        "DELETE FROM admin.audit_entry; UPDATE admin.audit_head SET sequence = 0, hash = 'x'",
    )
    .await;
    assert_eq!(
        verdict(&world).await.broken,
        Some(Broken::End {
            found: 0,
            expected: 0
        })
    );
}

#[tokio::test]
async fn a093_an_edit_that_hashes_anew_is_detected_too() {
    let world = filled().await;
    // The hash of the row before, as somebody without the key would compute one: from what can be seen.
    let sql = "UPDATE admin.audit_entry SET subject = 'x', hash = sha256('guess') WHERE sequence = 5;
               UPDATE admin.audit_head SET hash = sha256('guess')";
    as_superuser(&world, sql).await;
    assert_eq!(
        verdict(&world).await.broken,
        Some(Broken::Changed { sequence: 5 })
    );
}

#[tokio::test]
async fn a093_the_end_of_the_log_is_noted_outside_at_each_tick() {
    let world = filled().await;
    let noted: Arc<Mutex<Vec<AuditCheckpoint>>> = Arc::default();
    let notes = noted.clone();
    let router = Router::new("payment").on_event::<AuditCheckpoint, _>(move |_, checkpoint, _| {
        notes.lock().unwrap().push(checkpoint);
        Box::pin(async { Ok(()) })
    });
    world.stand_in("payment", router).await;
    let now = world.clock.now();
    let tick = CronTick {
        job: "ledger_audit".into(),
        scheduled_for: now,
    };
    let tick = Outgoing::event(
        "cron",
        MessageId::new_at(world.clock.unix_ms()),
        "job",
        now,
        &tick,
    );
    world.bus("cron").await.publish(vec![tick]).await.unwrap();
    let checkpoint = eventually(Duration::from_secs(15), async || {
        noted.lock().unwrap().first().cloned()
    })
    .await;
    // Rolled back as a whole, the log verifies; its end is not the one that was noted.
    let rolled_back = "ALTER TABLE admin.audit_entry DISABLE TRIGGER ALL; ALTER TABLE admin.audit_head DISABLE TRIGGER ALL;
        DELETE FROM admin.audit_entry WHERE sequence > 3;
        UPDATE admin.audit_head SET sequence = 3, hash = (SELECT hash FROM admin.audit_entry WHERE sequence = 3)";
    as_superuser(&world, rolled_back).await;
    assert_eq!(verdict(&world).await.broken, None);
    let (sequence, hash) = audit::head(world.service.admin()).await.unwrap();
    assert_eq!((checkpoint.sequence, sequence), (5, 3));
    assert_ne!(checkpoint.hash, hex::encode(hash));
}

#[tokio::test]
async fn entries_of_many_writers_make_one_chain() {
    let world = World::start().await;
    let admin = world.service.admin().clone();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let admin = admin.clone();
            tokio::spawn(async move {
                for number in 0..10 {
                    audit::append(&admin, entry(&format!("{writer}/{number}")))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(
        verdict(&world).await,
        Verdict {
            entries: 80,
            broken: None
        }
    );
}

#[tokio::test]
async fn staff_see_the_verdict() {
    let world = World::start().await;
    let token = world.operator().await;
    let verdict = world.get("/v1/audit-verification", &token).await.expect(200);
    assert_eq!(verdict["intact"], true, "{verdict}");
    as_superuser(
        &world,
        "UPDATE admin.audit_entry SET actor_name = 'bert' WHERE sequence = 1",
    )
    .await;
    let verdict = world.get("/v1/audit-verification", &token).await.expect(200);
    assert_eq!(
        (&verdict["intact"], verdict["fault"].as_str()),
        (&false.into(), Some("entry 1 was changed"))
    );
}
