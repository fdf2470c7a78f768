use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferrex_engine_core::Outcome;
use ferrex_ids::CommandId;
use ferrex_testkit::{Postgres, eventually};
use uuid::Uuid;

use crate::support::*;

const CALLERS: usize = 32;
const CYCLES: usize = 30;

/// Acknowledged commands.
type Acks = Arc<Mutex<HashMap<CommandId, Outcome>>>;

#[tokio::test(flavor = "multi_thread")]
async fn f072_pg_kill9_acked_equals_stored() {
    // Without fsync: what a process wrote outlives it all the same, and a start takes a tenth of the time.
    let postgres = Postgres::start().await;
    let db = postgres.fresh_database().await;
    prepare(&db).await;
    let engine = start(&db).await;
    let users: Vec<Uuid> = (0..8).map(|_| new_id()).collect();
    for user in &users {
        submit(&engine.client, &deposit(*user, 1_000_000)).await;
    }
    let acks: Acks = Arc::default();
    let (acked, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (client, users, acks) = (engine.client.clone(), users.clone(), Arc::clone(&acks));
            let (acked, stop) = (Arc::clone(&acked), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    let command = transfer(users[(caller + sent) % 8], users[(caller + sent + 1) % 8], 1);
                    sent += 1;
                    // Unknown: the same id again, until it is known.
                    let outcome = submit(&client, &command).await;
                    acks.lock().unwrap().insert(command.id, outcome);
                    acked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for cycle in 0..CYCLES {
        // Each cycle is hit at another place of the flow.
        let target = acked.load(Ordering::Relaxed) + 40 + 37 * (cycle % 7);
        eventually(Duration::from_secs(30), || async {
            acked.load(Ordering::Relaxed) >= target
        })
        .await;
        postgres.kill9().await;
        postgres.start_again().await;
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    engine.stop().await;

    let pool = look(&db).await;
    let stored: Vec<(Uuid, i64, i64)> =
        sqlx::query_as("SELECT command, max(id), count(*) FROM engine.journal GROUP BY command")
            .fetch_all(&pool)
            .await
            .unwrap();
    let stored: HashMap<Uuid, (i64, i64)> = stored
        .into_iter()
        .map(|(id, row, count)| (id, (row, count)))
        .collect();
    let acks = acks.lock().unwrap().clone();
    assert!(acks.len() > CYCLES * 40);
    for (id, outcome) in &acks {
        let expected = (i64::try_from(outcome.sequence()).unwrap(), 1);
        assert_eq!(
            stored.get(&id.uuid()),
            Some(&expected),
            "{id} was acknowledged with {outcome:?}"
        );
    }
    assert_eq!(
        stored.len(),
        acks.len() + users.len(),
        "every command became known in the end"
    );
    assert_audit_is_clean(&db).await;
}
