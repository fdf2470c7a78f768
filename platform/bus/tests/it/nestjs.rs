//! A NestJS service (`tests/nestjs`) and a Ferrex service on one Kafka, each written as its own documentation shows: they
//! ask and tell each other, also while both grow, shrink and die. This is what docs/MIGRATING.md rests on.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ferrex_bus::{Bus, RequestError, Router, TransportConfig};
use ferrex_contracts::{Message as _, Request};
use ferrex_fault::{Fault, Kind};
use ferrex_testkit::{eventually, servers};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Mutex as AsyncMutex, oneshot};

use crate::world::{Answer, SOON, World, event, message, write_effect};

/// The four messages of a test under its name, since topics and groups are shared by all: `Stock` and `Ordered` are of the
/// Ferrex service, `Price` and `Paid` of the NestJS service.
macro_rules! messages {
    ($name:literal) => {
        const NAME: &str = $name;
        message!(Stock, $name, "stock");
        message!(Ordered, $name, "ordered");
        message!(Price, $name, "price");
        message!(Paid, $name, "paid");
        impl Request for Stock {
            type Reply = Answer;
        }
        impl Request for Price {
            type Reply = Answer;
        }
    };
}

/// The Ferrex service of a test, with its name as the group.
macro_rules! warehouse {
    ($worker:literal) => {
        Router::new(NAME)
            .on_request::<Stock, _, _>(|_, asked| async move {
                if asked.number < 0 {
                    let fault = Fault::new(Kind::NotFound, "warehouse.unknown", "no such thing");
                    return Err(fault.with_field("number", "must not be negative"));
                }
                Ok(Answer {
                    number: asked.number * 2,
                })
            })
            .on_event::<Ordered, _>(|delivery, event, tx| {
                Box::pin(async move { write_effect(tx, delivery, event.number, $worker).await })
            })
    };
}

/// Numbers of the events that reached the NestJS service, by whichever process.
type Received = Arc<Mutex<BTreeSet<i64>>>;

/// What a process has said and nobody has taken.
#[derive(Default)]
struct Heard {
    orders: BTreeMap<u64, oneshot::Sender<Value>>,
    ready: Option<oneshot::Sender<()>>,
}

/// One process of the NestJS service.
struct Shop {
    process: Child,
    input: AsyncMutex<ChildStdin>,
    heard: Arc<Mutex<Heard>>,
    last: AtomicU64,
}

impl Shop {
    /// Starts it and waits until it has joined its groups.
    async fn open(world: &World, name: &str, paid: &Received) -> Self {
        let TransportConfig::Kafka(config) = &world.transport else {
            unreachable!("this is about Kafka")
        };
        let dir = servers::tools_dir().join("nestjs");
        let mut process = Command::new(dir.join("node"))
            .arg("dist/main.js")
            .current_dir(&dir)
            .env("NODE_ENV", "production")
            .env("BROKERS", &config.brokers)
            .env("NAME", name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("`scripts/tools.sh nestjs` builds it");
        let (ready, is_ready) = oneshot::channel();
        let heard = Arc::new(Mutex::new(Heard {
            ready: Some(ready),
            ..Heard::default()
        }));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (told, paid) = (Arc::clone(&heard), Arc::clone(paid));
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let said: Value = serde_json::from_str(&line).expect("it writes JSON");
                let mut heard = told.lock().unwrap();
                if let Some(number) = said["paid"].as_i64() {
                    paid.lock().unwrap().insert(number);
                } else if let Some(order) = said["id"].as_u64() {
                    let _ = heard.orders.remove(&order).unwrap().send(said);
                } else if let Some(ready) = heard.ready.take() {
                    ready.send(()).unwrap();
                }
            }
            told.lock().unwrap().orders.clear();
        });
        let input = AsyncMutex::new(process.stdin.take().unwrap());
        tokio::time::timeout(SOON, is_ready)
            .await
            .expect("it is ready in time")
            .expect("it did not end");
        Self {
            process,
            input,
            heard,
            last: AtomicU64::new(0),
        }
    }

    async fn obey(&self, mut order: Value) -> Value {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let (done, outcome) = oneshot::channel();
        self.heard.lock().unwrap().orders.insert(id, done);
        order["id"] = json!(id);
        let line = format!("{order}\n");
        self.input.lock().await.write_all(line.as_bytes()).await.unwrap();
        tokio::time::timeout(SOON, outcome).await.unwrap().unwrap()
    }

    /// `ClientKafka.send`.
    async fn send(&self, topic: &str, number: i64) -> Value {
        self.obey(json!({ "send": topic, "data": { "number": number } }))
            .await
    }

    /// `ClientKafka.emit`.
    async fn emit(&self, topic: &str, message: Value) {
        let done = self.obey(json!({ "emit": topic, "message": message })).await;
        assert_eq!(done["answer"], Value::Null, "{done}");
    }

    /// Ends it in good order.
    async fn close(mut self) {
        let pid = rustix::process::Pid::from_raw(self.process.id().unwrap().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.process.wait().await.unwrap();
    }

    async fn die(mut self) {
        self.process.kill().await.unwrap();
    }
}

/// Creates what both sides use: NestJS waits for no topic.
async fn topics(bus: &Bus, patterns: [&str; 4]) {
    let replies = format!("{}.reply", patterns[0]);
    bus.ensure_topics(&patterns).await.unwrap();
    bus.ensure_topics(&[&replies]).await.unwrap();
}

/// Asks until an answer comes: a NestJS process that goes takes along the requests that it has read, and one that comes
/// makes the others wait for their partitions.
async fn ask<R: Request<Reply = Answer>>(bus: &Bus, request: R) -> Result<i64, Fault> {
    eventually(SOON, || async {
        match bus.request("", &request, SOON / 8).await {
            Ok(Answer { number }) => Ok(Ok(number)),
            Err(RequestError::Fault(fault)) => Ok(Err(fault)),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
}

async fn paid_reach(paid: &Received, all: std::ops::Range<i64>) {
    let all: BTreeSet<i64> = all.collect();
    eventually(SOON, || async {
        let paid = paid.lock().unwrap();
        if *paid == all { Ok(()) } else { Err(paid.len()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nestjs_sends_and_emits_to_a_ferrex_service() {
    messages!("nest_to_ferrex");
    let world = World::kafka().await;
    let bus = world.bus().await;
    topics(&bus, [Stock::TOPIC, Ordered::TOPIC, Price::TOPIC, Paid::TOPIC]).await;
    let replica = world.replica(warehouse!("a")).await;
    let shop = Shop::open(&world, NAME, &Received::default()).await;

    let said = shop.send(Stock::TOPIC, 21).await;
    assert_eq!(said["answer"], json!({ "number": 42 }), "{said}");
    let said = shop.send(Stock::TOPIC, -1).await;
    let refused = json!({
        "code": "warehouse.unknown", "kind": "not_found", "message": "no such thing", "detail": "no such thing",
        "fields": [{ "field": "number", "message": "must not be negative" }],
    });
    assert_eq!(said["error"], refused, "{said}");

    // With a key and without, the body bare or beside it.
    shop.emit(Ordered::TOPIC, json!({ "key": "k", "value": { "number": 1 } }))
        .await;
    world.effects_reach(1).await;
    shop.emit(Ordered::TOPIC, json!({ "number": 2 })).await;
    world.effects_reach(2).await;
    // Two messages with an identity of the sender's own are one.
    for _ in 0..2 {
        let known = json!({ "ce_id": "order-3", "ce_source": "shop" });
        shop.emit(
            Ordered::TOPIC,
            json!({ "key": "k", "value": { "number": 3 }, "headers": known }),
        )
        .await;
    }
    world.effects_reach(3).await;
    world.caught_up(&bus, NAME, Ordered::TOPIC).await;
    replica.leave().await;

    // Delivered again, all of it, it has had its effect.
    world.rewind(NAME, Ordered::TOPIC).await;
    let replica = world.replica(warehouse!("b")).await;
    world.caught_up(&bus, NAME, Ordered::TOPIC).await;
    let effects = world.effects().await;
    let seen: Vec<(&str, i64, &str)> = effects
        .iter()
        .map(|effect| (effect.key.as_str(), effect.number, effect.worker.as_str()))
        .collect();
    assert_eq!(seen, [("k", 1, "a"), ("", 2, "a"), ("k", 3, "a")]);
    assert_eq!(ferrex_bus::parked::count(&world.db).await.unwrap(), 0);
    shop.close().await;
    replica.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ferrex_service_asks_and_tells_nestjs() {
    messages!("ferrex_to_nest");
    let world = World::kafka().await;
    let bus = world.bus().await;
    topics(&bus, [Stock::TOPIC, Ordered::TOPIC, Price::TOPIC, Paid::TOPIC]).await;
    let paid = Received::default();
    let shop = Shop::open(&world, NAME, &paid).await;

    assert_eq!(ask(&bus, Price { number: 7 }).await.unwrap(), 70);
    // An RpcException of theirs.
    let refused = ask(&bus, Price { number: -1 }).await.unwrap_err();
    assert_eq!(
        (&*refused.code, refused.detail.as_str()),
        ("shop.price.negative", "no such thing")
    );
    // Anything else that is thrown there.
    let failed = ask(&bus, Price { number: -2 }).await.unwrap_err();
    assert_eq!(
        (failed.kind, &*failed.code, failed.detail.as_str()),
        (Kind::Internal, "bus.remote", "Internal server error")
    );

    // All wait, so they go in one batch, which must be in a form that kafkajs reads.
    for number in 0..10 {
        world.put(&event("k", &Paid { number })).await;
    }
    let relay = world.relay().await;
    paid_reach(&paid, 0..10).await;
    relay.leave().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nestjs_and_ferrex_lose_nothing_while_both_come_and_go() {
    messages!("nest_and_ferrex");
    let world = World::kafka().await;
    let bus = world.bus().await;
    topics(&bus, [Stock::TOPIC, Ordered::TOPIC, Price::TOPIC, Paid::TOPIC]).await;
    let paid = Received::default();
    // Both ask and tell.
    let trade = async |shop: &Shop, numbers: std::ops::Range<i64>| {
        for number in numbers.clone() {
            let key = format!("k{}", number % 5);
            shop.emit(
                Ordered::TOPIC,
                json!({ "key": key, "value": { "number": number } }),
            )
            .await;
            bus.publish(vec![event(&key, &Paid { number })]).await.unwrap();
        }
        let said = shop.send(Stock::TOPIC, numbers.start).await;
        assert_eq!(said["answer"], json!({ "number": numbers.start * 2 }), "{said}");
        let number = numbers.start;
        assert_eq!(ask(&bus, Price { number }).await.unwrap(), number * 10);
        world.effects_reach(usize::try_from(numbers.end).unwrap()).await;
    };

    let a = world.replica(warehouse!("a")).await;
    let first = Shop::open(&world, NAME, &paid).await;
    trade(&first, 0..20).await;
    // Both grow.
    let b = world.replica(warehouse!("b")).await;
    let second = Shop::open(&world, NAME, &paid).await;
    trade(&second, 20..40).await;
    // Both shrink: one dies, one leaves.
    a.die().await;
    first.close().await;
    trade(&second, 40..60).await;
    // Both start again: one leaves, one dies.
    b.leave().await;
    let c = world.replica(warehouse!("c")).await;
    let third = Shop::open(&world, NAME, &paid).await;
    second.die().await;
    trade(&third, 60..80).await;

    // NestJS handles at least once.
    paid_reach(&paid, 0..80).await;
    // Ferrex once, and in the order of each key.
    world.caught_up(&bus, NAME, Ordered::TOPIC).await;
    let effects = world.effects().await;
    assert_eq!(effects.len(), 80);
    for key in 0..5 {
        let of_key = effects.iter().filter(|effect| effect.key == format!("k{key}"));
        let numbers: Vec<i64> = of_key.map(|effect| effect.number).collect();
        let sent: Vec<i64> = (0..80).filter(|number| number % 5 == key).collect();
        assert_eq!(numbers, sent, "k{key}");
    }
    third.close().await;
    c.leave().await;
}
