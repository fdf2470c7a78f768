//! Orders that are asked for at the same time are written together, and each is answered for itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use ferrex_engine_core::Reason;
use ferrex_ids::uuid_at;
use ferrex_ledger::{Account, Owner, Purpose};
use ferrex_testkit::{Postgres, eventually};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::floor::*;
use crate::world::{SOON, World};

/// An order of `quantity` thousandths that rests.
fn resting(quantity: u32, name: Option<&str>) -> Value {
    let mut body = limit("sell", "5000", &format!("0.{quantity:03}"));
    if let Some(name) = name {
        body["client_order_id"] = json!(name);
    }
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h045_orders_at_the_same_time_are_each_answered_for_themselves() {
    let floor = Floor::with(|terms| terms.open_orders_max = 100).await;
    let (anna, ben) = (floor.anna, floor.ben);
    let clara = floor.world.person("clara").await;
    for person in [ben, clara] {
        floor.fund(person, floor.base, ETHER).await;
    }
    floor.world.freeze(clara, true).await;
    // Ten keys of anna's, each in three calls; three keys of ben's for orders of one name; clara's money is stopped.
    let mut calls = Vec::new();
    for n in 0..30 {
        calls.push((anna, format!("key-{}", n % 10), resting(1 + n % 10, None)));
    }
    for n in 0..3 {
        calls.push((ben, format!("name-{n}"), resting(1, Some("mine"))));
    }
    calls.push((clara, "stopped".to_owned(), resting(1, None)));
    calls.push((anna, "poor".to_owned(), limit("sell", "5000", "20")));
    let answers = join_all(
        calls
            .iter()
            .map(|(person, key, body)| floor.post(*person, body.clone(), key)),
    )
    .await;
    let mut orders: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    for ((_, key, _), (status, answer)) in calls.iter().zip(&answers) {
        if *status == StatusCode::CREATED {
            orders.entry(key).or_default().push(&answer["id"]);
        } else {
            *refused.entry(answer["code"].as_str().unwrap()).or_default() += 1;
        }
    }
    assert_eq!(
        refused,
        BTreeMap::from([
            ("payment.account.frozen", 1),
            ("payment.insufficient_available", 1),
            ("payment.order.client_id_taken", 2),
        ])
    );
    assert_eq!(orders.len(), 11, "one for each key that was taken: {orders:?}");
    for (key, ids) in &orders {
        assert!(ids.iter().all(|id| *id == ids[0]), "{key}: {ids:?}");
    }
    let open = floor.world.get(anna, "/v1/orders?open=true").await;
    assert_eq!(open["items"].as_array().unwrap().len(), 10);
    assert_eq!(floor.balances(anna).await[1], "0.055");
    // A key whose order was refused for its name is free.
    let (status, other) = floor.post(ben, resting(2, Some("other")), "name-3").await;
    assert_eq!(status, StatusCode::CREATED, "{other}");
    let taken = (0..3).find(|n| orders.contains_key(format!("name-{n}").as_str()));
    let free = format!("name-{}", (taken.unwrap() + 1) % 3);
    let (status, later) = floor.post(ben, resting(3, Some("later")), &free).await;
    assert_eq!(status, StatusCode::CREATED, "{later}");
    // What a key has made is answered to a person whose money was stopped since.
    floor.world.freeze(anna, true).await;
    let (status, first) = floor.post(anna, resting(1, None), "key-0").await;
    assert_eq!(
        (status, &&first["id"]),
        (StatusCode::CREATED, &orders["key-0"][0])
    );
    floor.world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_owes_places_no_order_until_it_is_paid() {
    let floor = Floor::open().await;
    let (anna, asset) = (floor.anna, floor.base);
    let debt = Account {
        owner: Owner::User(anna.id.uuid()),
        purpose: Purpose::Debt,
    };
    let addresses = Account::house(Purpose::DepositAddresses);
    let lost = floor.fund(anna, asset, ETHER).await;
    floor
        .book(Reason::DepositReversal, lost, (debt, addresses, asset, ETHER))
        .await;
    let owes = || async {
        let found = floor
            .world
            .count("SELECT count(*) FROM payment.movement WHERE owed > 0")
            .await;
        (found == 1).then_some(()).ok_or(found)
    };
    eventually(SOON, owes).await;
    let (status, owing) = floor.post(anna, resting(1, None), "owing").await;
    assert_eq!(
        (status, owing["code"].as_str()),
        (StatusCode::CONFLICT, Some("payment.account.owing"))
    );
    let later = uuid_at(floor.world.clock.unix_ms());
    floor
        .book(Reason::Deposit, later, (addresses, debt, asset, ETHER))
        .await;
    let (status, paid) = floor.post(anna, resting(1, None), "owing").await;
    assert_eq!(status, StatusCode::CREATED, "{paid}");
    floor.world.finish().await;
}

/// Each round the server is stopped in the middle of orders, at another place. What it had not written yet is lost then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f072_a_database_that_dies_leaves_no_order_that_was_not_asked_for() {
    let postgres = Postgres::start().await;
    let world = World::on(&postgres).await;
    let floor = Floor::within(world, |terms| terms.open_orders_max = 5_000).await;
    let decided = "SELECT count(*) FROM engine.journal WHERE kind = 8";
    for round in 0..4 {
        let before = floor.world.count(decided).await;
        let (floor, stopped) = (&floor, &AtomicBool::new(false));
        let callers = (0..12).map(|caller| async move {
            let mut answers = Vec::new();
            // To its first failure, or until the server is there again if the stop passes it by.
            while !stopped.load(Ordering::Relaxed) {
                let key = format!("{round}-{caller}-{}", answers.len());
                let (status, answer) = floor.post(floor.anna, resting(1, None), &key).await;
                answers.push((key, (status == StatusCode::CREATED).then_some(answer)));
                if status != StatusCode::CREATED {
                    break;
                }
            }
            answers
        });
        let stopping = async {
            let enough = before + 20 + 7 * round;
            eventually(SOON, async || floor.world.count(decided).await >= enough).await;
            postgres.stop_at_once().await;
            postgres.start_again().await;
            stopped.store(true, Ordering::Relaxed);
        };
        let (answers, ()) = tokio::join!(join_all(callers), stopping);
        let answers: Vec<_> = answers.into_iter().flatten().collect();
        assert!(
            answers.iter().any(|(_, answer)| answer.is_none()),
            "the stop hit no order"
        );
        let unasked = "SELECT count(*) FROM engine.journal WHERE kind = 8 AND command NOT IN
            (SELECT id FROM payment.asked_order UNION ALL SELECT id FROM payment.placed_order)";
        assert_eq!(floor.world.count(unasked).await, 0);
        let asked = i64::try_from(answers.len()).unwrap();
        for (key, answer) in answers {
            let again = eventually(SOON, || async {
                let (status, again) = floor.post(floor.anna, resting(1, None), &key).await;
                if status == StatusCode::CREATED {
                    Ok(again)
                } else {
                    Err(again)
                }
            })
            .await;
            if let Some(answer) = answer {
                assert_eq!(again["id"], answer["id"], "an order that was answered is there");
            }
        }
        assert_eq!(floor.world.count(decided).await, before + asked, "each once");
    }
    floor.world.finish().await;
}
