use ferrex_bus::outbox;
use ferrex_contracts::Message;

use crate::world::{World, event, message, writing};

pub async fn f003_what_was_committed_before_a_crash_is_published_later(world: World) {
    message!(Happened, "f003");
    let replica = world.replica(writing!("f003", Happened, "a")).await;
    for number in 0..10 {
        world.put(&event("k", &Happened { number })).await;
    }
    let backlog = outbox::backlog(&world.db).await.unwrap();
    assert_eq!(backlog.messages, 10);
    assert!(backlog.oldest.is_some());
    let relay = world.relay().await;
    let numbers: Vec<i64> = world
        .effects_reach(10)
        .await
        .into_iter()
        .map(|effect| effect.number)
        .collect();
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    world.drained().await;
    relay.leave().await;
    replica.leave().await;
}

pub async fn f004_publishing_again_has_one_effect(world: World) {
    message!(Happened, "f004");
    let replica = world.replica(writing!("f004", Happened, "a")).await;
    let bus = world.bus().await;
    let messages: Vec<_> = (0..10).map(|number| event("k", &Happened { number })).collect();
    for message in &messages {
        world.put(message).await;
    }
    // What a relay did that died before it could delete the rows.
    bus.publish(messages).await.unwrap();
    world.effects_reach(10).await;
    let relay = world.relay().await;
    world.drained().await;
    world.caught_up(&bus, "f004", Happened::TOPIC).await;
    let ends: i64 = bus
        .lag("f004", &[Happened::TOPIC])
        .await
        .unwrap()
        .iter()
        .map(|lag| lag.end)
        .sum();
    assert_eq!(ends, 20, "all were published twice");
    let numbers: Vec<i64> = world
        .effects()
        .await
        .into_iter()
        .map(|effect| effect.number)
        .collect();
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    relay.leave().await;
    replica.leave().await;
}

pub async fn a_rolled_back_change_says_nothing(world: World) {
    message!(Happened, "rolled");
    let replica = world.replica(writing!("rolled", Happened, "a")).await;
    let relay = world.relay().await;
    let mut tx = world.db.begin().await.unwrap();
    outbox::put(&mut tx, &event("k", &Happened { number: 1 }))
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    world.put(&event("k", &Happened { number: 2 })).await;
    assert_eq!(world.effects_reach(1).await[0].number, 2);
    relay.leave().await;
    replica.leave().await;
}

pub async fn relays_that_crash_lose_nothing_and_keep_order(world: World) {
    const MESSAGES: i64 = 400;
    message!(Happened, "crash");
    let replica = world.replica(writing!("crash", Happened, "a")).await;
    let writing = async {
        for number in 0..MESSAGES {
            world
                .put(&event(&format!("k{}", number % 3), &Happened { number }))
                .await;
        }
    };
    let crashing = async {
        for crash in 1..=6 {
            let relay = world.relay().await;
            world.effects_reach(crash * 40).await;
            relay.die().await;
        }
        world.relay().await
    };
    let ((), relay) = tokio::join!(writing, crashing);
    let effects = world.effects_reach(usize::try_from(MESSAGES).unwrap()).await;
    world.drained().await;
    world
        .caught_up(&world.bus().await, "crash", Happened::TOPIC)
        .await;
    assert_eq!(world.effects().await.len(), effects.len());
    for key in 0..3 {
        let name = format!("k{key}");
        let numbers: Vec<i64> = effects
            .iter()
            .filter(|effect| effect.key == name)
            .map(|effect| effect.number)
            .collect();
        assert_eq!(
            numbers,
            (0..MESSAGES)
                .filter(|number| number % 3 == key)
                .collect::<Vec<_>>()
        );
    }
    relay.leave().await;
    replica.leave().await;
}

pub async fn two_relays_keep_order(world: World) {
    message!(Happened, "relays");
    let replica = world.replica(writing!("relays", Happened, "a")).await;
    let (first, second) = (world.relay().await, world.relay().await);
    for number in 0..100 {
        world.put(&event("k", &Happened { number })).await;
    }
    world.effects_reach(100).await;
    // Whichever leads leaves or stays; the other goes on.
    first.leave().await;
    for number in 100..200 {
        world.put(&event("k", &Happened { number })).await;
    }
    let numbers: Vec<i64> = world
        .effects_reach(200)
        .await
        .into_iter()
        .map(|effect| effect.number)
        .collect();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    second.leave().await;
    replica.leave().await;
}

pub async fn what_is_put_down_together_keeps_its_order(world: World) {
    message!(Happened, "put_down");
    let messages: Vec<_> = (0..300)
        .map(|number| event(&format!("k{}", number % 3), &Happened { number }))
        .collect();
    let mut tx = world.db.begin().await.unwrap();
    outbox::put_all(&mut tx, &[]).await.unwrap();
    outbox::put_all(&mut tx, &messages).await.unwrap();
    tx.commit().await.unwrap();
    let relay = world.relay().await;
    let replica = world.replica(writing!("put_down", Happened, "a")).await;
    let effects = world.effects_reach(300).await;
    for key in 0..3 {
        let of_key = effects.iter().filter(|effect| effect.key == format!("k{key}"));
        let numbers: Vec<i64> = of_key.map(|effect| effect.number).collect();
        let expected = (0..300).filter(|number| number % 3 == key);
        assert_eq!(numbers, expected.collect::<Vec<_>>());
    }
    relay.leave().await;
    replica.leave().await;
}
