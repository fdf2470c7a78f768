use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferrex_bus::parked::{self, ParkedMessage};
use ferrex_bus::{RetryPolicy, Router};
use ferrex_contracts::Message;
use ferrex_fault::{Fault, Kind};
use ferrex_testkit::eventually;

use crate::world::{Effect, SOON, World, event, message, write_effect, writing};

const QUICK: RetryPolicy = RetryPolicy {
    attempts: 4,
    first: Duration::from_millis(5),
    cap: Duration::from_millis(20),
};

/// Numbers whose messages are refused at present.
type Bad = Arc<Mutex<HashSet<i64>>>;

/// A router that refuses bad numbers for good and writes the effect of the others.
macro_rules! refusing {
    ($group:expr, $message:ty, $bad:expr, $on:ident) => {{
        let bad = Arc::clone(&$bad);
        Router::new($group)
            .retry(QUICK)
            .$on::<$message, _>(move |delivery, message, tx| {
                let refused = bad.lock().unwrap().contains(&message.number);
                Box::pin(async move {
                    // First the effect, then the refusal: nothing of it may stay.
                    write_effect(tx, delivery, message.number, "a").await?;
                    if refused {
                        return Err(Fault::new(
                            Kind::Conflict,
                            "test.refused",
                            format!("number {}", message.number),
                        ));
                    }
                    Ok(())
                })
            })
    }};
}

async fn parked_reach(world: &World, count: usize) -> Vec<ParkedMessage> {
    eventually(SOON, || async {
        let parked = parked::list(&world.db, 0, 100).await.unwrap();
        if parked.len() == count {
            Ok(parked)
        } else {
            Err(parked.len())
        }
    })
    .await
}

fn of_key(effects: &[Effect], key: &str) -> Vec<i64> {
    effects
        .iter()
        .filter(|effect| effect.key == key)
        .map(|effect| effect.number)
        .collect()
}

pub async fn transient_faults_are_retried_until_they_pass(world: World) {
    message!(Happened, "transient");
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&attempts);
    let router =
        Router::new("transient")
            .retry(QUICK)
            .on_event::<Happened, _>(move |delivery, message, tx| {
                log.lock().unwrap().push((message.number, delivery.attempt));
                Box::pin(async move {
                    write_effect(tx, delivery, message.number, "a").await?;
                    if message.number == 1 && delivery.attempt < 3 {
                        return Err(Fault::new(Kind::Unavailable, "test.away", "away"));
                    }
                    Ok(())
                })
            });
    let replica = world.replica(router).await;
    let bus = world.bus().await;
    bus.publish(vec![
        event("k", &Happened { number: 1 }),
        event("k", &Happened { number: 2 }),
    ])
    .await
    .unwrap();
    let effects = world.effects_reach(2).await;
    assert_eq!(of_key(&effects, "k"), [1, 2]);
    assert_eq!(*attempts.lock().unwrap(), [(1, 1), (1, 2), (1, 3), (2, 1)]);
    replica.leave().await;
}

pub async fn retries_are_capped_and_the_reason_is_kept(world: World) {
    message!(Happened, "capped");
    let attempts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&attempts);
    let router = Router::new("capped")
        .retry(QUICK)
        .on_event::<Happened, _>(move |_, message, _| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move { panic!("cannot do {}", message.number) })
        });
    let replica = world.replica(router).await;
    let bus = world.bus().await;
    let sent = event("k", &Happened { number: 5 });
    bus.publish(vec![sent.clone()]).await.unwrap();
    let parked = parked_reach(&world, 1).await.remove(0);
    assert_eq!(attempts.load(Ordering::SeqCst), QUICK.attempts);
    assert_eq!(
        (parked.attempts, parked.code.as_str()),
        (4, "bus.handler.panicked")
    );
    assert!(parked.reason.contains("cannot do 5"), "{}", parked.reason);
    assert_eq!((parked.message_id, &*parked.body), (sent.id.uuid(), &*sent.body));
    assert_eq!(
        (parked.topic.as_str(), parked.key.as_str(), parked.offset),
        (Happened::TOPIC, "k", 0)
    );
    assert!(parked.headers.to_string().contains("ce_id"));
    world.caught_up(&bus, "capped", Happened::TOPIC).await;
    replica.leave().await;
}

/// A reader of version 2 of a type meets what versions 1 and 3 wrote.
pub async fn f070_the_next_version_and_the_last_are_read_or_parked(world: World) {
    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    struct Second {
        number: i64,
        bonus: Option<i64>,
        kind: Option<SecondKind>,
    }
    #[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum SecondKind {
        Known,
    }
    impl Message for Second {
        const TYPE: &'static str = "svc.f070.happened";
        const TOPIC: &'static str = "svc.f070.v1";
    }
    let router = Router::new("f070").on_event::<Second, _>(|delivery, message, tx| {
        let number = message.number + message.bonus.unwrap_or(0);
        Box::pin(async move { write_effect(tx, delivery, number, "a").await })
    });
    let replica = world.replica(router).await;
    let bodies = [
        // The last version.
        ("old", r#"{"number":1}"#),
        // The next: members that this one does not know, in any place and form.
        (
            "new",
            r#"{"more":{"deep":[1,{"a":null}]},"number":2,"bonus":10,"kind":"known"}"#,
        ),
        // The next: a word that this one does not know. To guess would be to misread.
        ("word", r#"{"number":3,"kind":"of_the_next_version"}"#),
        // No version that was ever promised: what was there is gone, or of another form.
        ("gone", r#"{"bonus":4}"#),
        ("form", r#"{"number":"5"}"#),
    ];
    let messages = bodies.map(|(key, body)| {
        let some = Second {
            number: 0,
            bonus: None,
            kind: Some(SecondKind::Known),
        };
        let mut message = event(key, &some);
        message.body = body.as_bytes().to_vec().into();
        message
    });
    world.bus().await.publish(messages.to_vec()).await.unwrap();
    let parked = parked_reach(&world, 3).await;
    let mut keys: Vec<&str> = parked.iter().map(|message| message.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["form", "gone", "word"]);
    assert!(
        parked
            .iter()
            .all(|message| message.code == "bus.message.undecodable")
    );
    let effects = world.effects_reach(2).await;
    assert_eq!(
        (of_key(&effects, "old"), of_key(&effects, "new")),
        (vec![1], vec![12])
    );
    replica.leave().await;
}

pub async fn f065_poison_is_parked_its_key_waits_and_others_go_on(world: World) {
    message!(Happened, "f065");
    let bus = world.bus().await;
    let mut poison = event("bad", &Happened { number: 1 });
    poison.body = b"\x00\xffnot json".as_slice().into();
    bus.publish(vec![
        poison,
        event("bad", &Happened { number: 2 }),
        event("good", &Happened { number: 3 }),
        event("bad", &Happened { number: 4 }),
        event("good", &Happened { number: 5 }),
        event("", &Happened { number: 6 }),
    ])
    .await
    .unwrap();
    let replica = world.replica(writing!("f065", Happened, "a")).await;
    let parked = parked_reach(&world, 3).await;
    let behind: Vec<bool> = parked.iter().map(|message| message.behind).collect();
    assert_eq!(behind, [false, true, true]);
    assert_eq!(
        (parked[0].code.as_str(), parked[0].attempts),
        ("bus.message.undecodable", 1)
    );
    assert_eq!(parked[0].body, b"\x00\xffnot json");
    let effects = world.effects_reach(3).await;
    assert_eq!(of_key(&effects, "good"), [3, 5]);
    assert_eq!(of_key(&effects, ""), [6]);
    world.caught_up(&bus, "f065", Happened::TOPIC).await;
    replica.leave().await;
    // A rewind parks nothing twice and handles nothing of it.
    world.rewind("f065", Happened::TOPIC).await;
    let replica = world.replica(writing!("f065", Happened, "b")).await;
    world.caught_up(&bus, "f065", Happened::TOPIC).await;
    assert_eq!(parked_reach(&world, 3).await, parked);
    assert_eq!(world.effects().await, effects);
    replica.leave().await;
}

pub async fn redrive_keeps_the_order_and_stops_at_a_failure(world: World) {
    message!(Happened, "redrive");
    let bad: Bad = Arc::new(Mutex::new(HashSet::from([1, 3])));
    let replica = world.replica(refusing!("redrive", Happened, bad, on_event)).await;
    let bus = world.bus().await;
    bus.publish((1..=4).map(|number| event("k", &Happened { number })).collect())
        .await
        .unwrap();
    let parked = parked_reach(&world, 4).await;
    assert_eq!(world.effects().await, []);
    assert_eq!(
        (parked[0].code.as_str(), parked[0].reason.as_str()),
        ("test.refused", "number 1")
    );

    // Nothing was cured: it fails again and stays.
    parked::redrive(&world.db, parked[0].id).await.unwrap();
    let again = eventually(SOON, || async {
        let first = parked_reach(&world, 4).await.remove(0);
        (first.attempts == 2 && first.redrive_requested_at.is_none()).then_some(first)
    })
    .await;
    assert_eq!(again.reason, "number 1");

    // One is cured: those up to the next failure are handled, whichever of the key is named.
    bad.lock().unwrap().remove(&1);
    parked::redrive(&world.db, parked[3].id).await.unwrap();
    let rest = parked_reach(&world, 2).await;
    assert_eq!(of_key(&world.effects().await, "k"), [1, 2]);
    let rest = eventually(SOON, || async {
        let now = parked_reach(&world, 2).await;
        (!now[0].behind && now[1].redrive_requested_at.is_none())
            .then_some(now)
            .ok_or(&rest)
    })
    .await;
    assert_eq!((rest[0].reason.as_str(), rest[1].behind), ("number 3", true));

    // While it waits, new ones of the key wait too.
    bus.publish(vec![event("k", &Happened { number: 5 })])
        .await
        .unwrap();
    parked_reach(&world, 3).await;
    bad.lock().unwrap().clear();
    parked::redrive(&world.db, rest[0].id).await.unwrap();
    parked_reach(&world, 0).await;
    bus.publish(vec![event("k", &Happened { number: 6 })])
        .await
        .unwrap();
    assert_eq!(of_key(&world.effects_reach(6).await, "k"), [1, 2, 3, 4, 5, 6]);
    assert!(
        parked::redrive(&world.db, parked[0].id).await.is_err(),
        "no longer parked"
    );
    replica.leave().await;
}

pub async fn discard_lets_the_rest_of_the_key_go_on(world: World) {
    message!(Happened, "discard");
    let bad: Bad = Arc::new(Mutex::new(HashSet::from([1])));
    let replica = world.replica(refusing!("discard", Happened, bad, on_event)).await;
    let bus = world.bus().await;
    bus.publish((1..=3).map(|number| event("k", &Happened { number })).collect())
        .await
        .unwrap();
    let parked = parked_reach(&world, 3).await;
    parked::discard(&world.db, parked[0].id).await.unwrap();
    assert_eq!(of_key(&world.effects_reach(2).await, "k"), [2, 3]);
    parked_reach(&world, 0).await;
    replica.leave().await;
}

pub async fn an_unordered_type_holds_up_nothing(world: World) {
    message!(Happened, "unordered");
    let bad: Bad = Arc::new(Mutex::new(HashSet::from([1])));
    let replica = world
        .replica(refusing!("unordered", Happened, bad, on_unordered_event))
        .await;
    let bus = world.bus().await;
    bus.publish((1..=3).map(|number| event("k", &Happened { number })).collect())
        .await
        .unwrap();
    assert_eq!(of_key(&world.effects_reach(2).await, "k"), [2, 3]);
    let parked = parked_reach(&world, 1).await;
    bad.lock().unwrap().clear();
    parked::redrive(&world.db, parked[0].id).await.unwrap();
    parked_reach(&world, 0).await;
    assert_eq!(of_key(&world.effects_reach(3).await, "k"), [2, 3, 1]);
    replica.leave().await;
}
