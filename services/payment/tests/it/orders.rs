//! Every way of placing and changing orders.

use axum::http::StatusCode;
use ferrex_contracts::engine::MarketState;
use ferrex_money::Amount;
use ferrex_testkit::eventually;
use serde_json::{Value, json};

use crate::floor::{DOLLAR, ETHER, Floor, limit, with};
use crate::world::SOON;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn icebergs_show_a_part_and_each_self_trade_mode_does_what_it_says() {
    let floor = Floor::with(|terms| terms.open_orders_max = 20).await;
    let (anna, ben) = (floor.anna, floor.ben);
    let iceberg = with(limit("sell", "100", "3"), &json!({ "display_quantity": "0.5" }));
    let (status, iceberg) = floor.post(anna, iceberg, &floor.world.key()).await;
    assert_eq!(
        (status, &iceberg["display_quantity"]),
        (StatusCode::CREATED, &json!("0.5"))
    );
    let bought = floor.place(ben, "buy", "100", "2").await;
    assert_eq!([&bought["status"], &bought["filled"]], ["filled", "2"]);
    let left = floor.order(anna, &iceberg).await;
    assert_eq!([&left["status"], &left["filled"]], ["open", "2"]);

    // One coin of the iceberg rests; anna buys two of her own.
    for (mode, rested, came) in [
        ("decrement", Some("filled"), Some("open")),
        ("cancel_both", Some("self_trade"), Some("self_trade")),
        ("cancel_oldest", Some("self_trade"), Some("open")),
        ("cancel_newest", Some("open"), None),
    ] {
        floor.world.call(anna, "DELETE", "/v1/orders", None).await;
        floor.fund(anna, floor.quote, 200 * DOLLAR).await;
        let resting = floor.place(anna, "sell", "100", "1").await;
        let body = with(limit("buy", "100", "2"), &json!({ "self_trade": mode }));
        let (status, coming) = floor.post(anna, body, &floor.world.key()).await;
        let after = floor.order(anna, &resting).await;
        match came {
            Some(came) => {
                assert_eq!(coming["self_trade"], mode, "{coming}");
                assert_eq!(coming["status"], came, "{mode}: {coming}");
            }
            None => assert_eq!(
                (status, &coming["code"]),
                (StatusCode::CONFLICT, &json!("payment.order.self_trade")),
                "{mode}: {coming}"
            ),
        }
        if mode == "decrement" {
            // Both shrank by what they would have traded; nobody paid anybody.
            assert_eq!([&coming["quantity"], &coming["filled"]], ["1", "0"], "{coming}");
            assert_ne!(after["status"], "open", "{after}");
        } else {
            assert_eq!(after["status"], rested.unwrap(), "{mode}: {after}");
        }
    }
    floor.world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amending_less_keeps_the_place_and_a_repeat_changes_nothing_more() {
    let floor = Floor::open().await;
    let (anna, ben) = (floor.anna, floor.ben);
    floor.fund(ben, floor.base, 5 * ETHER).await;
    let first = floor.place(anna, "sell", "100", "3").await;
    let second = floor.place(ben, "sell", "100", "1").await;
    let path = format!("/v1/orders/{}", first["id"].as_str().unwrap());
    let less = json!({ "quantity": "1" });
    let amend = async |body: &Value, key: &str| {
        floor
            .world
            .call_with(anna, "PATCH", &path, Some(body.clone()), Some(key))
            .await
    };
    let (status, amended) = amend(&less, "less").await;
    assert_eq!(
        (status, &amended["quantity"], &amended["status"]),
        (StatusCode::OK, &json!("1"), &json!("open")),
        "{amended}"
    );
    assert_eq!(floor.balances(anna).await, ["9", "1", "0", "0"]);
    let (status, other) = amend(&json!({ "quantity": "2" }), "less").await;
    assert_eq!(
        (status, &other["code"]),
        (StatusCode::CONFLICT, &json!("payment.idempotency_key.reused"))
    );
    // It is still before the other in its queue; more, or another price, sends it behind.
    floor.place(ben, "buy", "100", "0.5").await;
    assert_eq!(floor.order(anna, &first).await["filled"], "0.5");
    let (_, more) = amend(&json!({ "quantity": "4" }), "more").await;
    assert_eq!(more["quantity"], "4", "{more}");
    // The key's first change is not done again, though its values differ from the present ones.
    let (status, again) = amend(&less, "less").await;
    assert_eq!(
        (status, &again["quantity"]),
        (StatusCode::OK, &json!("4")),
        "{again}"
    );
    floor.fund(anna, floor.quote, 200 * DOLLAR).await;
    floor.place(anna, "buy", "100", "1").await;
    assert_eq!(
        floor.order(ben, &second).await["status"],
        "filled",
        "it went behind the other"
    );

    for (body, status, code, field) in [
        (json!({}), 422, "payment.order.shape", Some("quantity")),
        (
            json!({ "price": "100.001" }),
            422,
            "payment.order.off_tick",
            Some("price"),
        ),
        (
            json!({ "quantity": "3.0005" }),
            422,
            "payment.order.off_lot",
            Some("quantity"),
        ),
        (
            json!({ "quantity": "0" }),
            422,
            "payment.amount.invalid",
            Some("quantity"),
        ),
        (
            json!({ "quantity": "1001" }),
            422,
            "payment.order.too_large",
            Some("quantity"),
        ),
        (
            json!({ "quantity": "900" }),
            409,
            "payment.insufficient_available",
            Some("quantity"),
        ),
        (
            json!({ "price": "0.01" }),
            422,
            "payment.order.too_small",
            Some("quantity"),
        ),
    ] {
        let fresh = floor.place(anna, "sell", "500", "1").await;
        let path = format!("/v1/orders/{}", fresh["id"].as_str().unwrap());
        let (got, problem) = floor.call(anna, "PATCH", &path, body.clone()).await;
        assert_eq!(
            (
                got.as_u16(),
                problem["code"].as_str(),
                problem["errors"][0]["field"].as_str()
            ),
            (status, Some(code), field),
            "{body}: {problem}"
        );
        let (status, _) = floor.call(ben, "PATCH", &path, json!({ "quantity": "2" })).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "a026: nobody else amends it");
        floor.cancel(anna, &fresh).await;
        let (status, ended) = floor.call(anna, "PATCH", &path, json!({ "quantity": "2" })).await;
        assert_eq!(
            (status, &ended["code"]),
            (StatusCode::CONFLICT, &json!("payment.order.not_open"))
        );
    }
    // What is left would be dust; what has traded already ends the order.
    let whole = floor.place(ben, "sell", "10", "1").await;
    let path = format!("/v1/orders/{}", whole["id"].as_str().unwrap());
    let (status, dust) = floor
        .call(ben, "PATCH", &path, json!({ "quantity": "0.05" }))
        .await;
    assert_eq!(
        (status.as_u16(), &dust["code"]),
        (422, &json!("payment.order.too_small")),
        "half a dollar is less than the market takes: {dust}"
    );
    floor.world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_orders_are_cancelled_at_once_and_found_by_their_own_name() {
    let floor = Floor::with(|terms| {
        terms.open_orders_max = 20;
        terms.value_min = Amount::new(DOLLAR);
    })
    .await;
    let (anna, ben) = (floor.anna, floor.ben);
    let empty = floor.world.call(anna, "DELETE", "/v1/orders", None).await;
    assert_eq!(empty, (StatusCode::OK, json!({ "markets": [] })));
    let mut placed = Vec::new();
    for (price, name) in [("100", "one"), ("101", "two"), ("102", "three")] {
        let body = with(limit("sell", price, "1"), &json!({ "client_order_id": name }));
        placed.push(floor.post(anna, body, &floor.world.key()).await.1);
    }
    let theirs = floor.place(ben, "buy", "50", "1").await;
    let find = "/v1/orders?client_order_id=two";
    let found = floor.world.get(anna, find).await;
    assert_eq!(
        (found["items"].as_array().unwrap().len(), &found["items"][0]["id"]),
        (1, &placed[1]["id"])
    );
    assert_eq!(floor.world.get(ben, find).await["items"], json!([]));
    let (status, odd) = floor
        .world
        .call(anna, "GET", "/v1/orders?client_order_id=a%20b", None)
        .await;
    assert_eq!(
        (status, &odd["code"]),
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!("payment.order.client_id_invalid")
        )
    );
    let (status, taken) = floor
        .post(
            anna,
            with(limit("sell", "103", "1"), &json!({ "client_order_id": "two" })),
            &floor.world.key(),
        )
        .await;
    assert_eq!(
        (status, &taken["code"], &taken["errors"][0]["field"]),
        (
            StatusCode::CONFLICT,
            &json!("payment.order.client_id_taken"),
            &json!("client_order_id")
        )
    );
    let (status, unknown) = floor
        .world
        .call(anna, "DELETE", "/v1/orders?market=BTC-USDT", None)
        .await;
    assert_eq!(
        (status, &unknown["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("payment.market.unknown"))
    );
    floor.set_state(MarketState::Halted).await;
    let (status, halted) = floor.world.call(anna, "DELETE", "/v1/orders", None).await;
    assert_eq!(
        (status, &halted["code"]),
        (StatusCode::CONFLICT, &json!("payment.order.halted"))
    );
    floor.set_state(MarketState::CancelOnly).await;
    let commands = "SELECT count(DISTINCT command) FROM engine.journal";
    let before = floor.world.count(commands).await;
    let done = floor
        .world
        .call(anna, "DELETE", "/v1/orders?market=ETH-USDT", None)
        .await;
    assert_eq!(done, (StatusCode::OK, json!({ "markets": ["ETH-USDT"] })));
    assert_eq!(floor.world.count(commands).await, before + 1, "one command");
    assert_eq!(floor.balances(anna).await, ["10", "0", "0", "0"]);
    for order in &placed {
        assert_eq!(floor.order(anna, order).await["status"], "cancelled");
    }
    assert_eq!(floor.order(ben, &theirs).await["status"], "open");
    // The name is free again, and the look by name has both, the newest first.
    floor.set_state(MarketState::Open).await;
    let body = with(limit("sell", "104", "1"), &json!({ "client_order_id": "two" }));
    let again = floor.taken(anna, body).await;
    let found = floor.world.get(anna, find).await;
    assert_eq!(
        (&found["items"][0]["id"], &found["items"][1]["id"]),
        (&again["id"], &placed[1]["id"])
    );
    floor.world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auction_opens_at_one_price_and_statements_explain_its_trades() {
    let floor = Floor::open().await;
    let (anna, ben) = (floor.anna, floor.ben);
    floor.set_state(MarketState::Auction).await;
    let sell = floor.place(anna, "sell", "1900", "1").await;
    let buy = floor.place(ben, "buy", "2000", "1").await;
    assert_eq!([&sell["status"], &buy["status"]], ["open", "open"]);
    let body = with(limit("buy", "2000", "1"), &json!({ "type": "market" }));
    let (_, problem) = floor.post(ben, body, &floor.world.key()).await;
    assert_eq!(problem["code"], "payment.order.not_in_auction");
    floor.set_state(MarketState::Open).await;
    let (sell, buy) = (floor.order(anna, &sell).await, floor.order(ben, &buy).await);
    assert_eq!([&sell["status"], &buy["status"]], ["filled", "filled"]);
    let trades = floor.world.get(anna, "/v1/trades").await;
    let trade = &trades["items"][0];
    assert_eq!(
        (&trade["role"], &trade["fee"]),
        (&json!("auction"), &sell["fee"]),
        "{trade}"
    );
    // Staff's command moved the money, and yet each line says which order of the person traded and what it cost.
    for (person, asset, order) in [(anna, "USDT", &sell), (ben, "ETH", &buy)] {
        eventually(SOON, async || {
            let history = floor.world.get(person, "/v1/history").await;
            let lines = history["items"].as_array().unwrap();
            let found = lines.iter().any(|line| {
                line["kind"] == "trade"
                    && line["asset"] == asset
                    && line["fee"] == order["fee"]
                    && line["market"] == "ETH-USDT"
                    && line["order"] == order["id"]
            });
            if found { Ok(()) } else { Err(history) }
        })
        .await;
    }
    floor.world.finish().await;
}
