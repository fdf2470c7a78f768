use axum::http::StatusCode;
use ferrex_testkit::eventually;
use serde_json::json;

use crate::world::{SOON, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_moves_money_at_once_and_both_see_it() {
    let world = World::start().await;
    let (anna, ben) = (world.person("anna").await, world.person("ben").await);
    world.give(anna, 2).await;
    let body = json!({ "to": "ben@example.org", "asset": "ETH", "amount": "0.5", "note": "for lunch" });
    let (status, made) = world
        .call_with(anna, "POST", "/v1/transfers", Some(body), Some("one"))
        .await;
    assert_eq!(
        (status, made["status"].as_str()),
        (StatusCode::CREATED, Some("completed")),
        "{made}"
    );
    assert_eq!(world.balance(anna, "ETH").await[0], "1.5");
    assert_eq!(world.balance(ben, "ETH").await[0], "0.5");
    let path = format!("/v1/transfers/{}", made["id"].as_str().unwrap());
    let seen = world.get(ben, &path).await;
    assert_eq!(
        (seen["direction"].as_str(), seen["counterparty"].as_str()),
        (Some("in"), Some("anna"))
    );
    let carl = world.person("carl").await;
    let (status, _) = world.call(carl, "GET", &path, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "a026: nobody else sees it");
    for (person, kind, change) in [(anna, "transfer_out", "-0.5"), (ben, "transfer_in", "0.5")] {
        eventually(SOON, async || {
            let history = world.get(person, "/v1/history?limit=1").await;
            let line = &history["items"][0];
            if line["kind"] == kind && line["change"] == change && line["note"] == "for lunch" {
                Ok(())
            } else {
                Err(history)
            }
        })
        .await;
    }
    assert_eq!(world.until_told("payment.transfer.completed", 1).await.len(), 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a054_h045_one_key_makes_one_transfer_whatever_comes_with_it() {
    let world = World::start().await;
    let (anna, ben) = (world.person("anna").await, world.person("ben").await);
    world.give(anna, 2).await;
    world.give(ben, 1).await;
    let body = json!({ "to": "ben", "asset": "ETH", "amount": "0.25" });
    let calls = (0..100).map(|_| world.insist(anna, "/v1/transfers", body.clone(), "k"));
    let answers = futures::future::join_all(calls).await;
    let first = &answers[0].1["id"];
    for (status, answer) in &answers {
        assert_eq!((*status, &answer["id"]), (StatusCode::CREATED, first), "{answer}");
    }
    assert_eq!(world.balance(anna, "ETH").await[0], "1.75");
    let other = json!({ "to": "ben", "asset": "ETH", "amount": "0.26" });
    let (status, answer) = world
        .call_with(anna, "POST", "/v1/transfers", Some(other), Some("k"))
        .await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::CONFLICT, Some("payment.idempotency_key.reused"))
    );
    let theirs = json!({ "to": "anna", "asset": "ETH", "amount": "0.25" });
    let (status, _) = world
        .call_with(ben, "POST", "/v1/transfers", Some(theirs), Some("k"))
        .await;
    assert_eq!(status, StatusCode::CREATED, "another person's key is another key");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h045_a_refusal_is_repeated_under_its_key_even_when_there_is_enough_later() {
    let world = World::start().await;
    let (anna, _ben) = (world.person("anna").await, world.person("ben").await);
    let body = json!({ "to": "ben", "asset": "ETH", "amount": "1" });
    for _ in 0..2 {
        let (status, answer) = world
            .call_with(anna, "POST", "/v1/transfers", Some(body.clone()), Some("k"))
            .await;
        assert_eq!(
            (status, answer["code"].as_str()),
            (StatusCode::CONFLICT, Some("payment.insufficient_available"))
        );
        if world.balance(anna, "ETH").await[0] == "0" {
            world.give(anna, 5).await;
        }
    }
    assert_eq!(world.balance(anna, "ETH").await[0], "5");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f106_a048_odd_fields_are_refused_with_their_name() {
    let world = World::start().await;
    let (anna, ben) = (world.person("anna").await, world.person("ben").await);
    world.give(anna, 1).await;
    let above = format!("1{}", "0".repeat(40));
    for amount in [
        "-1", "1e400", "NaN", "0x10", "1,5", "１２", "1e-19", &above, "", "00.1", "0", "0.0", " 1", "1.",
        ".5",
    ] {
        let body = json!({ "to": "ben", "asset": "ETH", "amount": amount });
        let (status, answer) = world
            .call_with(anna, "POST", "/v1/transfers", Some(body), Some("k"))
            .await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{amount}: {answer}");
        assert_eq!(answer["errors"][0]["field"], "amount", "{amount}");
        let body = json!({ "asset": "ETH", "network": "anvil", "amount": amount, "second_factor": "123456",
            "address": "0x90F79bf6EB2c4f870365E785982E1f101E93b906" });
        let (status, answer) = world
            .call_with(anna, "POST", "/v1/withdrawals", Some(body), Some("w"))
            .await;
        assert_eq!(
            (status, &answer["errors"][0]["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("amount"))
        );
    }
    let fine = json!({ "to": "ben", "asset": "ETH", "amount": "0.5" });
    for (field, value) in [
        ("to", json!("anna")),
        ("to", json!("nobody")),
        ("to", json!("a b")),
        ("to", json!("")),
        ("asset", json!("NOPE")),
        ("note", json!("a\u{202e}b")),
        ("note", json!("x".repeat(141))),
        ("amount", json!(1)),
        ("amount", json!(null)),
        ("user_id", json!("x")),
    ] {
        let mut body = fine.clone();
        body[field] = value;
        let (status, answer) = world
            .call_with(anna, "POST", "/v1/transfers", Some(body), Some("k"))
            .await;
        assert_eq!(
            (status, &answer["errors"][0]["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)),
            "{answer}"
        );
    }
    let (status, _) = world
        .call(anna, "POST", "/v1/transfers", Some(fine.clone()))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "without a key");
    world.freeze(anna, true).await;
    let (status, answer) = world
        .call_with(anna, "POST", "/v1/transfers", Some(fine), Some("k"))
        .await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("payment.account.frozen"))
    );
    assert_eq!(world.balance(ben, "ETH").await[0], "0");
    world.finish().await;
}
