use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ferrex_bus::{Delivery, Router, trace};
use ferrex_contracts::Message;
use ferrex_fault::{Fault, Kind};
use ferrex_testkit::eventually;

use crate::world::{SERVICE, SOON, World, event, message, write_effect, writing};

pub async fn an_event_is_delivered_with_its_envelope(world: World) {
    message!(Happened, "envelope");
    let seen: Arc<Mutex<Vec<(Delivery, Happened)>>> = Arc::default();
    let log = Arc::clone(&seen);
    let router = Router::new("envelope").on_event::<Happened, _>(move |delivery, message, _| {
        log.lock().unwrap().push((delivery.clone(), message));
        Box::pin(std::future::ready(Ok(())))
    });
    let replica = world.replica(router).await;
    let sent = event("k", &Happened { number: 7 });
    world.bus().await.publish(vec![sent.clone()]).await.unwrap();
    let (delivery, message) = eventually(SOON, || async { seen.lock().unwrap().first().cloned() }).await;
    assert_eq!(message, Happened { number: 7 });
    assert_eq!((delivery.id, delivery.at), (sent.id, sent.at));
    assert_eq!((&*delivery.key, &*delivery.source), ("k", SERVICE));
    assert_eq!(
        (&*delivery.topic, &*delivery.message_type),
        (Happened::TOPIC, Happened::TYPE)
    );
    assert_eq!((delivery.attempt, delivery.offset), (1, 0));
    assert_eq!(delivery.headers.text("ce_specversion"), Some("1.0"));
    replica.leave().await;
}

pub async fn a_new_group_starts_at_the_oldest_message(world: World) {
    message!(Happened, "oldest");
    let bus = world.bus().await;
    let messages = (0..20)
        .map(|number| event(&format!("k{number}"), &Happened { number }))
        .collect();
    bus.publish(messages).await.unwrap();
    let replica = world.replica(writing!("oldest", Happened, "a")).await;
    assert_eq!(world.effects_reach(20).await.len(), 20);
    replica.leave().await;
}

pub async fn types_nobody_registered_are_passed_by(world: World) {
    message!(Known, "passed");
    message!(Unknown, "passed");
    let replica = world.replica(writing!("passed", Known, "a")).await;
    let bus = world.bus().await;
    let messages = vec![
        event("k", &Unknown { number: 1 }),
        event("k", &Known { number: 2 }),
    ];
    bus.publish(messages).await.unwrap();
    assert_eq!(world.effects_reach(1).await[0].number, 2);
    world.caught_up(&bus, "passed", Known::TOPIC).await;
    assert_eq!(ferrex_bus::parked::count(&world.db).await.unwrap(), 0);
    replica.leave().await;
}

pub async fn order_per_key_is_kept_under_concurrency(world: World) {
    const KEYS: usize = 20;
    const EACH: i64 = 25;
    message!(Happened, "order");
    let first = world
        .replica(writing!("order", Happened, "a").at_once(8, 1))
        .await;
    let bus = world.bus().await;
    for round in 0..EACH {
        let messages = (0..KEYS)
            .map(|key| event(&format!("k{key}"), &Happened { number: round }))
            .collect();
        bus.publish(messages).await.unwrap();
    }
    // A second replica joins in the middle of it.
    let second = world.replica(writing!("order", Happened, "b")).await;
    let effects = world.effects_reach(KEYS * usize::try_from(EACH).unwrap()).await;
    let mut by_key: HashMap<String, Vec<i64>> = HashMap::new();
    for effect in effects {
        by_key.entry(effect.key).or_default().push(effect.number);
    }
    assert_eq!(by_key.len(), KEYS);
    for (key, numbers) in by_key {
        assert_eq!(numbers, (0..EACH).collect::<Vec<_>>(), "{key}");
    }
    first.leave().await;
    second.leave().await;
}

pub async fn the_trace_goes_on_in_the_handler(world: World) {
    message!(Happened, "trace");
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let seen: Arc<Mutex<Option<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let router = Router::new("trace").on_event::<Happened, _>(move |_, _, _| {
        let log = Arc::clone(&log);
        Box::pin(async move {
            *log.lock().unwrap() = trace::current().map(String::from);
            Ok(())
        })
    });
    let replica = world.replica(router).await;
    let relay = world.relay().await;
    let message = trace::scope(PARENT.into(), async { event("k", &Happened { number: 1 }) }).await;
    world.put(&message).await;
    let inside = eventually(SOON, || async { seen.lock().unwrap().clone() }).await;
    assert_eq!(trace::trace_id(&inside), trace::trace_id(PARENT));
    assert_ne!(inside, PARENT);
    relay.leave().await;
    replica.leave().await;
}

/// With one slot and a handler that takes its time, what comes meanwhile gathers; in the second round one is refused.
pub async fn what_waits_together_is_handled_together_and_fails_alone(world: World) {
    message!(Happened, "together");
    // Which message was handled in which transaction, in order.
    let attempts: Arc<Mutex<Vec<(i64, String)>>> = Arc::default();
    let log = Arc::clone(&attempts);
    let router =
        Router::new("together")
            .at_once(1, 1)
            .on_event::<Happened, _>(move |delivery, message, tx| {
                let log = Arc::clone(&log);
                Box::pin(async move {
                    write_effect(tx, delivery, message.number, "a").await?;
                    let id: String =
                        sqlx::query_scalar("SELECT pg_current_xact_id()::text FROM pg_sleep(0.02)")
                            .fetch_one(&mut **tx)
                            .await
                            .unwrap();
                    log.lock().unwrap().push((message.number, id));
                    if message.number == 113 {
                        return Err(Fault::new(Kind::Invalid, "test.unlucky", "thirteen"));
                    }
                    Ok(())
                })
            });
    let replica = world.replica(router).await;
    let bus = world.bus().await;
    for (first, effects) in [(0, 30), (100, 59)] {
        let messages = (first..first + 30).map(|number| event(&format!("k{number}"), &Happened { number }));
        bus.publish(messages.collect()).await.unwrap();
        world.effects_reach(effects).await;
    }
    world.caught_up(&bus, "together", Happened::TOPIC).await;
    let attempts = attempts.lock().unwrap().clone();
    let first: HashSet<&String> = attempts
        .iter()
        .filter(|(number, _)| *number < 30)
        .map(|(_, id)| id)
        .collect();
    assert!(
        first.len() <= 10,
        "{} transactions for 30 messages that waited together",
        first.len()
    );
    // Whoever shared a transaction with the unlucky one was handled again, by itself.
    let unlucky = attempts.iter().position(|(number, _)| *number == 113).unwrap();
    let failed = &attempts[unlucky].1;
    for (number, _) in attempts.iter().filter(|(_, id)| id == failed) {
        let (_, last) = attempts.iter().rfind(|(again, _)| again == number).unwrap();
        let alone = attempts.iter().filter(|(_, id)| id == last).count() == 1;
        assert!(alone, "{number} was handled together again: {attempts:?}");
    }
    let mut numbers: Vec<i64> = world
        .effects()
        .await
        .into_iter()
        .map(|effect| effect.number)
        .collect();
    numbers.sort_unstable();
    let expected = (0..30).chain((100..130).filter(|number| *number != 113));
    assert_eq!(numbers, expected.collect::<Vec<_>>());
    let parked = ferrex_bus::parked::list(&world.db, 0, 10).await.unwrap();
    assert_eq!(
        (parked.len(), parked[0].key.as_str(), parked[0].attempts),
        (1, "k113", 1)
    );
    replica.leave().await;
}

/// A router that writes effects by the batch and counts its calls; number 13 is refused.
macro_rules! batching {
    ($group:expr, $message:ty, $calls:expr) => {
        batching!($group, $message, $calls, on_event_batch)
    };
    ($group:expr, $message:ty, $calls:expr, $on:ident) => {{
        let calls = Arc::clone(&$calls);
        Router::new($group).$on::<$message, _>(move |deliveries, messages, tx| {
            calls.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                for (delivery, message) in deliveries.iter().zip(messages) {
                    write_effect(tx, delivery, message.number, "a").await?;
                    if message.number == 13 {
                        return Err(Fault::new(Kind::Invalid, "test.unlucky", "thirteen"));
                    }
                }
                Ok(())
            })
        })
    }};
}

pub async fn batches_keep_order_and_handle_each_message_once(world: World) {
    message!(Happened, "batch");
    let bus = world.bus().await;
    let messages: Vec<_> = (100..1_100)
        .map(|number| event(&format!("k{}", number % 10), &Happened { number }))
        .collect();
    // The first hundred stand in the log twice, close to each other.
    bus.publish(messages[..100].to_vec()).await.unwrap();
    bus.publish(messages).await.unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let replica = world.replica(batching!("batch", Happened, calls)).await;
    world.caught_up(&bus, "batch", Happened::TOPIC).await;
    let effects = world.effects().await;
    assert_eq!(effects.len(), 1_000);
    for key in 0..10 {
        let name = format!("k{key}");
        let numbers: Vec<i64> = effects
            .iter()
            .filter(|effect| effect.key == name)
            .map(|effect| effect.number)
            .collect();
        assert_eq!(
            numbers,
            (100..1_100)
                .filter(|number| number % 10 == key)
                .collect::<Vec<_>>()
        );
    }
    assert!(
        calls.load(Ordering::SeqCst) < 500,
        "{calls:?} calls are no batches"
    );
    replica.leave().await;
    world.rewind("batch", Happened::TOPIC).await;
    let replica = world.replica(batching!("batch", Happened, calls)).await;
    world.caught_up(&bus, "batch", Happened::TOPIC).await;
    assert_eq!(world.effects().await, effects);
    replica.leave().await;
}

pub async fn a_bad_message_in_a_batch_is_parked_alone(world: World) {
    message!(Happened, "badbatch");
    let bus = world.bus().await;
    // 13 has the key k1, and so have 17, 21, … behind it.
    bus.publish(
        (0..40)
            .map(|number| event(&format!("k{}", number % 4), &Happened { number }))
            .collect(),
    )
    .await
    .unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let replica = world.replica(batching!("badbatch", Happened, calls)).await;
    let effects = world.effects_reach(33).await;
    world.caught_up(&bus, "badbatch", Happened::TOPIC).await;
    assert_eq!(world.effects().await, effects);
    let waiting: Vec<i64> = (13..40).filter(|number| number % 4 == 1).collect();
    let mut numbers: Vec<i64> = effects.iter().map(|effect| effect.number).collect();
    numbers.sort_unstable();
    assert_eq!(
        numbers,
        (0..40)
            .filter(|number| !waiting.contains(number))
            .collect::<Vec<_>>()
    );
    let parked = ferrex_bus::parked::list(&world.db, 0, 100).await.unwrap();
    assert_eq!(parked.len(), waiting.len());
    assert_eq!(
        (parked[0].code.as_str(), parked[0].behind, parked[1].behind),
        ("test.unlucky", false, true)
    );
    replica.leave().await;
}

pub async fn an_unordered_batch_goes_on_without_its_bad_message(world: World) {
    message!(Happened, "unorderedbatch");
    let bus = world.bus().await;
    let numbered =
        |numbers: std::ops::Range<i64>| numbers.map(|number| event("k", &Happened { number })).collect();
    let router =
        |calls: &Arc<AtomicUsize>| batching!("unorderedbatch", Happened, calls, on_unordered_event_batch);
    bus.publish(numbered(0..40)).await.unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let replica = world.replica(router(&calls)).await;
    world.effects_reach(39).await;
    world.caught_up(&bus, "unorderedbatch", Happened::TOPIC).await;
    replica.leave().await;
    // With one parked, those of its key are handled together as before.
    bus.publish(numbered(100..140)).await.unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let replica = world.replica(router(&calls)).await;
    let effects = world.effects_reach(79).await;
    world.caught_up(&bus, "unorderedbatch", Happened::TOPIC).await;
    assert!(
        calls.load(Ordering::SeqCst) < 20,
        "{calls:?} calls are no batches"
    );
    let numbers: HashSet<i64> = effects.iter().map(|effect| effect.number).collect();
    let expected = (0..40).chain(100..140).filter(|number| *number != 13);
    assert_eq!((effects.len(), numbers), (79, expected.collect()));
    let parked = ferrex_bus::parked::list(&world.db, 0, 10).await.unwrap();
    assert_eq!((parked.len(), parked[0].code.as_str()), (1, "test.unlucky"));
    replica.leave().await;
}

/// The handler is asked again for what it did before, never again for what is parked, and later for what comes again of the same
/// key.
pub async fn without_an_inbox_only_parked_messages_are_remembered(world: World) {
    message!(Happened, "noinbox");
    let router = |calls: &Arc<AtomicUsize>| batching!("noinbox", Happened, calls).without_inbox::<Happened>();
    let parked = async || {
        let parked = ferrex_bus::parked::list(&world.db, 0, 100).await.unwrap();
        let remembered: i64 = sqlx::query_scalar("SELECT count(*) FROM inbox")
            .fetch_one(world.db.pool())
            .await
            .unwrap();
        assert_eq!(usize::try_from(remembered).unwrap(), parked.len());
        let number = |body: &[u8]| serde_json::from_slice::<Happened>(body).unwrap().number;
        parked
            .iter()
            .map(|message| number(&message.body))
            .collect::<Vec<i64>>()
    };
    let bus = world.bus().await;
    // 13 has the key k1, and so have 17, 21, … behind it, and 1, 5 and 9 before it.
    let messages = (0..40).map(|number| event(&format!("k{}", number % 4), &Happened { number }));
    bus.publish(messages.collect()).await.unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let replica = world.replica(router(&calls)).await;
    world.effects_reach(33).await;
    world.caught_up(&bus, "noinbox", Happened::TOPIC).await;
    assert_eq!(parked().await, [13, 17, 21, 25, 29, 33, 37]);
    replica.leave().await;
    world.rewind("noinbox", Happened::TOPIC).await;
    let replica = world.replica(router(&calls)).await;
    world.effects_reach(63).await;
    world.caught_up(&bus, "noinbox", Happened::TOPIC).await;
    let mut handled: HashMap<i64, usize> = HashMap::new();
    for effect in world.effects().await {
        *handled.entry(effect.number).or_default() += 1;
    }
    let times = |number: i64| if number % 4 == 1 { 1 } else { 2 };
    let expected = (0..40).filter(|number| *number < 13 || number % 4 != 1);
    assert_eq!(handled, expected.map(|number| (number, times(number))).collect());
    assert_eq!(parked().await, [13, 17, 21, 25, 29, 33, 37, 1, 5, 9]);
    replica.leave().await;
}
