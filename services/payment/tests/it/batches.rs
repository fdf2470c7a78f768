//! Many orders in one call.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::floor::{Floor, limit, with};

fn cancel(order: &Value) -> Value {
    json!({ "cancel": { "order": order["id"] } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a054_h045_a_batch_is_done_item_by_item_and_once() {
    let floor = Floor::with(|terms| terms.open_orders_max = 10).await;
    let (anna, ben) = (floor.anna, floor.ben);
    let old = floor.place(anna, "sell", "120", "1").await;
    let kept = floor.place(anna, "sell", "130", "2").await;
    let foreign = floor.place(ben, "buy", "50", "1").await;
    let named = |price, name| json!({ "place": with(limit("sell", price, "1"), &json!({ "client_order_id": name })) });
    let items = json!({ "items": [
        cancel(&old),
        named("110", "a"),
        named("111", "a"),
        { "place": limit("sell", "100.001", "1") },
        { "amend": { "order": kept["id"], "quantity": "1.5" } },
        cancel(&foreign),
        { "place": limit("sell", "100", "50") },
        { "place": with(limit("sell", "40", "1"), &json!({ "time_in_force": "post_only" })) },
        { "place": limit("sell", "112", "2") },
    ] });
    let mut answers = Vec::new();
    for _ in 0..2 {
        let (status, done) = floor
            .world
            .call_with(
                anna,
                "POST",
                "/v1/orders/batch",
                Some(items.clone()),
                Some("quotes"),
            )
            .await;
        assert_eq!(status, StatusCode::OK, "{done}");
        let got: Vec<&str> = done["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| {
                item["order"]["status"]
                    .as_str()
                    .or(item["problem"]["code"].as_str())
                    .unwrap()
            })
            .collect();
        assert_eq!(
            got,
            [
                "cancelled",
                "open",
                "payment.order.client_id_taken",
                "payment.order.off_tick",
                "open",
                "payment.order.not_found",
                "payment.insufficient_available",
                "payment.order.would_take",
                "open",
            ]
        );
        answers.push(done);
    }
    assert_eq!(answers[0], answers[1], "the second call did nothing more");
    assert_eq!(
        floor.balances(anna).await,
        ["5.5", "4.5", "0", "0"],
        "1 + 1.5 + 2 coins are held"
    );
    assert_eq!(
        floor.order(ben, &foreign).await["status"],
        "open",
        "a026: nobody cancels another's order"
    );
    assert_eq!(answers[0]["items"][2]["problem"]["status"], 409);
    assert_eq!(answers[0]["items"][3]["problem"]["errors"][0]["field"], "price");
    let (status, reused) = floor
        .world
        .call_with(
            anna,
            "POST",
            "/v1/orders/batch",
            Some(json!({ "items": [cancel(&kept)] })),
            Some("quotes"),
        )
        .await;
    assert_eq!(
        (status, &reused["code"]),
        (StatusCode::CONFLICT, &json!("payment.idempotency_key.reused"))
    );
    // Twenty at once under one key are one.
    let more = json!({ "items": [{ "place": limit("sell", "200", "0.5") }, { "place": limit("sell", "201", "0.5") }] });
    let calls = (0..20).map(|_| {
        floor
            .world
            .call_with(anna, "POST", "/v1/orders/batch", Some(more.clone()), Some("many"))
    });
    for (status, done) in futures::future::join_all(calls).await {
        assert_eq!(status, StatusCode::OK, "{done}");
    }
    assert_eq!(floor.balances(anna).await, ["4.5", "5.5", "0", "0"]);
    for (items, code) in [
        (json!([]), "payment.order.batch_size"),
        (json!(vec![cancel(&kept); 51]), "payment.order.batch_size"),
    ] {
        let (status, problem) = floor
            .call(anna, "POST", "/v1/orders/batch", json!({ "items": items }))
            .await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some(code))
        );
    }
    floor.world.freeze(anna, true).await;
    let (status, _) = floor
        .call(
            anna,
            "POST",
            "/v1/orders/batch",
            json!({ "items": [named("300", "z")] }),
        )
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, done) = floor
        .call(
            anna,
            "POST",
            "/v1/orders/batch",
            json!({ "items": [cancel(&kept)] }),
        )
        .await;
    assert_eq!(
        (status, &done["items"][0]["order"]["status"]),
        (StatusCode::OK, &json!("cancelled")),
        "who is frozen may cancel: {done}"
    );
    floor.world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_decided_in_its_order() {
    let floor = Floor::with(|terms| terms.open_orders_max = 30).await;
    let anna = floor.anna;
    let mut items = Vec::new();
    for _ in 0..25 {
        let old = floor.place(anna, "sell", "120", "0.4").await;
        // No coin is free before the one ahead is cancelled.
        items.extend([cancel(&old), json!({ "place": limit("sell", "110", "0.4") })]);
    }
    assert_eq!(floor.balances(anna).await, ["0", "10", "0", "0"]);
    let items = json!({ "items": items });
    let (status, done) = floor.call(anna, "POST", "/v1/orders/batch", items).await;
    assert_eq!(status, StatusCode::OK, "{done}");
    for (place, item) in done["items"].as_array().unwrap().iter().enumerate() {
        let status = ["cancelled", "open"][place % 2];
        assert_eq!(item["order"]["status"], status, "{place}: {item}");
    }
    assert_eq!(floor.balances(anna).await, ["0", "10", "0", "0"]);
    floor.world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h046_a_batch_whose_caller_died_goes_on_where_it_stopped() {
    let floor = Floor::open().await;
    let anna = floor.anna;
    let items =
        json!({ "items": [{ "place": limit("sell", "100", "1") }, { "place": limit("sell", "101", "1") }] });
    let (_, done) = floor
        .world
        .call_with(
            anna,
            "POST",
            "/v1/orders/batch",
            Some(items.clone()),
            Some("first"),
        )
        .await;
    // As if the second order had been written and never been asked for.
    let second = done["items"][1]["order"].clone();
    let mut connection = floor.world.superuser().await;
    let id: ferrex_ids::OrderId = second["id"].as_str().unwrap().parse().unwrap();
    let asked: ferrex_time::Timestamp =
        sqlx::query_scalar("DELETE FROM payment.placed_order WHERE id = $1 RETURNING placed_at")
            .bind(id.uuid())
            .fetch_one(&mut connection)
            .await
            .unwrap();
    floor.write_unasked(anna, &[id.uuid()], "sell", 101, asked).await;
    let (status, again) = floor
        .world
        .call_with(anna, "POST", "/v1/orders/batch", Some(items), Some("first"))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        again["items"][1]["order"]["id"], second["id"],
        "the same order under the same command"
    );
    assert_eq!(floor.balances(anna).await, ["8", "2", "0", "0"]);
    floor.world.finish().await;
}
