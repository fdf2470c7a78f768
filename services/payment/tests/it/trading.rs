//! Markets and orders from the edge to the engine's books and back.

use axum::http::StatusCode;
use ferrex_contracts::engine::MarketState;
use ferrex_contracts::payment::ListMarkets;
use ferrex_testkit::eventually;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::floor::{ETHER, Floor, limit};
use crate::world::{SOON, let_go};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_trade_and_every_unit_is_explained() {
    let mut floor = Floor::open().await;
    let (anna, ben) = (floor.anna, floor.ben);
    let listed = floor.world.get(anna, "/v1/markets").await;
    let market = &listed["items"][0];
    assert_eq!(
        (
            &market["symbol"],
            &market["state"],
            &market["tick"],
            &market["lot"]
        ),
        (
            &json!("ETH-USDT"),
            &json!("open"),
            &json!("0.01"),
            &json!("0.001")
        )
    );

    let mut body = limit("sell", "2000", "3");
    body["client_order_id"] = json!("first");
    let (status, sell) = floor.post(anna, body.clone(), "one").await;
    assert_eq!(
        (status, &sell["status"]),
        (StatusCode::CREATED, &json!("open")),
        "{sell}"
    );
    assert_eq!(floor.balances(anna).await, ["7", "3", "0", "0"]);
    // The same key is the same order, and a name is one open order's.
    let (status, same) = floor.post(anna, body.clone(), "one").await;
    assert_eq!((status, &same["id"]), (StatusCode::CREATED, &sell["id"]));
    let (_, taken) = floor.post(anna, body, "two").await;
    assert_eq!(taken["code"], "payment.order.client_id_taken");
    let (status, reused) = floor.post(anna, limit("sell", "2001", "3"), "one").await;
    assert_eq!(
        (status, &reused["code"]),
        (StatusCode::CONFLICT, &json!("payment.idempotency_key.reused"))
    );

    // The answer shows the fill: 1 of 3 at the maker's price, the fee of 0.2 % out of the coin.
    let buy = floor.place(ben, "buy", "2100", "1").await;
    assert_eq!(
        [
            &buy["status"],
            &buy["filled"],
            &buy["filled_value"],
            &buy["fee"],
            &buy["fee_asset"]
        ],
        ["filled", "1", "2000", "0.002", "ETH"]
    );
    assert_eq!(floor.balances(ben).await, ["0.998", "0", "8000", "0"]);
    assert_eq!(floor.balances(anna).await, ["7", "2", "1998", "0"]);
    let path = format!("/v1/orders/{}", sell["id"].as_str().unwrap());
    let seen = floor.world.get(anna, &path).await;
    assert_eq!(
        [
            &seen["status"],
            &seen["filled"],
            &seen["fee"],
            &seen["client_order_id"]
        ],
        ["open", "1", "2", "first"]
    );
    let (status, _) = floor.world.call(ben, "GET", &path, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "a026: nobody else sees it");
    let (status, _) = floor.cancel(ben, &sell).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nor cancels it");
    for (person, role, fee, side) in [(anna, "maker", "2", "sell"), (ben, "taker", "0.002", "buy")] {
        let trades = floor.world.get(person, "/v1/trades").await;
        let trades = trades["items"].as_array().unwrap();
        assert_eq!(trades.len(), 1);
        let trade = &trades[0];
        assert_eq!(
            [
                &trade["role"],
                &trade["fee"],
                &trade["side"],
                &trade["price"],
                &trade["value"]
            ],
            [role, fee, side, "2000", "2000"]
        );
    }
    // Statements have both sides of it: net of the fee, with the fee and the person's own order.
    for (person, asset, change, fee, order) in [
        (anna, "USDT", "1998", json!("2"), &sell),
        (anna, "ETH", "-1", Value::Null, &sell),
        (ben, "ETH", "0.998", json!("0.002"), &buy),
        (ben, "USDT", "-2000", Value::Null, &buy),
    ] {
        eventually(SOON, async || {
            let history = floor.world.get(person, "/v1/history").await;
            let lines = history["items"].as_array().unwrap();
            let found = lines.iter().any(|line| {
                line["kind"] == "trade"
                    && line["asset"] == asset
                    && line["change"] == change
                    && line["fee"] == fee
                    && line["market"] == "ETH-USDT"
                    && line["order"] == order["id"]
            });
            if found { Ok(()) } else { Err(history) }
        })
        .await;
    }

    // The read model goes on after a restart, and what was held comes back with the cancel, once.
    floor.world.instance.take().unwrap().kill().await;
    let instance = floor.world.launch().await;
    floor.world.instance = Some(instance);
    let open = floor.world.get(anna, "/v1/orders?open=true").await;
    assert_eq!(open["items"][0]["id"], sell["id"]);
    let (status, cancelled) = floor.cancel(anna, &sell).await;
    assert_eq!(
        (status, &cancelled["status"]),
        (StatusCode::OK, &json!("cancelled")),
        "{cancelled}"
    );
    assert_eq!(floor.balances(anna).await, ["9", "0", "1998", "0"]);
    // The dead one's share of the bus goes over to the new one first.
    eventually(SOON, async || {
        let order = floor.world.get(anna, &path).await;
        if order["status"] == "cancelled" {
            Ok(())
        } else {
            Err(order)
        }
    })
    .await;
    let (status, again) = floor.cancel(anna, &sell).await;
    assert_eq!((status, &again["status"]), (StatusCode::OK, &json!("cancelled")));
    let (status, problem) = floor.cancel(ben, &buy).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::CONFLICT, &json!("payment.order.not_open"))
    );
    let open = floor.world.get(anna, "/v1/orders?open=true").await;
    assert_eq!(open["items"], json!([]));

    // A market order by value, against a fresh offer.
    floor.place(anna, "sell", "1000", "1").await;
    let body =
        json!({ "market": "ETH-USDT", "side": "buy", "type": "market", "price": "1500", "value": "500" });
    let bought = floor.taken(ben, body).await;
    assert_eq!(
        [&bought["status"], &bought["filled"], &bought["filled_value"]],
        ["filled", "0.5", "500"]
    );
    let first = floor.world.get(anna, "/v1/orders?limit=1").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = floor
        .world
        .get(anna, &format!("/v1/orders?limit=1&cursor={cursor}"))
        .await;
    assert_eq!(second["items"][0]["id"], sell["id"]);
    floor.world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_of_an_order_has_its_own_code_and_names_the_field() {
    let floor = Floor::open().await;
    let (anna, ben) = (floor.anna, floor.ben);
    for (change, status, code, field) in [
        (
            json!({ "market": "BTC-USDT" }),
            422,
            "payment.market.unknown",
            Some("market"),
        ),
        (
            json!({ "price": "1e3" }),
            422,
            "payment.amount.invalid",
            Some("price"),
        ),
        (
            json!({ "quantity": "0" }),
            422,
            "payment.amount.invalid",
            Some("quantity"),
        ),
        (json!({ "value": "5" }), 422, "payment.order.shape", Some("value")),
        (
            json!({ "quantity": null }),
            422,
            "payment.order.shape",
            Some("quantity"),
        ),
        (
            json!({ "client_order_id": "a b" }),
            422,
            "payment.order.client_id_invalid",
            Some("client_order_id"),
        ),
        (
            json!({ "price": "100.001" }),
            422,
            "payment.order.off_tick",
            Some("price"),
        ),
        (
            json!({ "quantity": "0.0015" }),
            422,
            "payment.order.off_lot",
            Some("quantity"),
        ),
        (
            json!({ "quantity": "0.001" }),
            422,
            "payment.order.too_small",
            Some("quantity"),
        ),
        (
            json!({ "quantity": "1001" }),
            422,
            "payment.order.too_large",
            Some("quantity"),
        ),
        (
            json!({ "quantity": "101" }),
            409,
            "payment.insufficient_available",
            Some("quantity"),
        ),
        (
            json!({ "time_in_force": "fok" }),
            409,
            "payment.order.not_fillable",
            None,
        ),
        (
            json!({ "type": "market" }),
            409,
            "payment.order.no_liquidity",
            None,
        ),
        (
            json!({ "expires_at": "2020-01-01T00:00:00Z" }),
            422,
            "payment.order.expiry_past",
            Some("expires_at"),
        ),
    ] {
        floor.refused(ben, change, status, code, field).await;
    }
    // A refusal is the same under its key, though there would be enough later.
    let body = limit("sell", "100", "1");
    for round in 0..2 {
        let (status, problem) = floor.post(ben, body.clone(), "poor").await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::CONFLICT, &json!("payment.insufficient_available")),
            "{round}"
        );
        let coin = floor.world.ask(&ListMarkets {}).await.unwrap().markets[0]
            .terms
            .base;
        floor.fund(ben, coin, 5 * ETHER).await;
    }
    floor.place(anna, "sell", "100", "1").await;
    let post_only = json!({ "time_in_force": "post_only" });
    floor
        .refused(ben, post_only, 409, "payment.order.would_take", Some("price"))
        .await;
    for price in ["1", "2", "3"] {
        floor.place(ben, "buy", price, "1").await;
    }
    let small = json!({ "price": "4" });
    floor
        .refused(ben, small, 429, "payment.order.too_many_open", None)
        .await;
    floor.set_state(MarketState::CancelOnly).await;
    floor
        .refused(anna, json!({}), 409, "payment.order.cancel_only", None)
        .await;
    floor.set_state(MarketState::Halted).await;
    floor
        .refused(anna, json!({}), 409, "payment.order.halted", None)
        .await;
    floor.world.freeze(anna, true).await;
    floor
        .refused(anna, json!({}), 403, "payment.account.frozen", None)
        .await;
    floor.world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h046_an_order_that_nobody_finished_is_given_up_and_one_whose_time_is_over_ends() {
    let floor = Floor::open().await;
    let (anna, ben) = (floor.anna, floor.ben);
    let until = (floor.world.clock.now() + ferrex_time::Duration::seconds(3)).to_rfc3339();
    let mut body = limit("sell", "2000", "1");
    body["expires_at"] = json!(until);
    let (status, expiring) = floor.post(anna, body, "expiring").await;
    assert_eq!(status, StatusCode::CREATED, "{expiring}");
    let placed = floor.place(ben, "buy", "1000", "1").await;
    // As if who placed them had died before the engine was asked; more than are decided together.
    let lost: Vec<Uuid> = (0..450)
        .map(|_| ferrex_ids::OrderId::new_at(floor.world.clock.unix_ms()).uuid())
        .collect();
    let asked = floor.world.clock.now() - ferrex_time::Duration::hours(1);
    floor.write_unasked(ben, &lost, "buy", 1_000, asked).await;
    let path = format!("/v1/orders/{}", expiring["id"].as_str().unwrap());
    eventually(SOON, async || {
        floor.tick("order_expiry").await;
        let order = floor.world.get(anna, &path).await;
        if order["status"] == "expired" {
            Ok(())
        } else {
            Err(order)
        }
    })
    .await;
    assert_eq!(floor.balances(anna).await, ["10", "0", "0", "0"]);
    let lapsed = "SELECT count(*) FROM payment.placed_order WHERE status = 'lapsed'";
    eventually(SOON, async || floor.world.count(lapsed).await == 450).await;
    assert_eq!(
        floor.balances(ben).await,
        ["0", "0", "9000", "1000"],
        "it was not placed late"
    );
    let open = floor.world.get(ben, "/v1/orders").await;
    assert_eq!(open["items"].as_array().unwrap().len(), 1);
    assert_eq!(open["items"][0]["id"], placed["id"]);
    floor.world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_of_an_order_that_is_filled_and_not_shown_yet_tells_its_end() {
    let floor = Floor::open().await;
    let (anna, ben) = (floor.anna, floor.ben);
    floor.place(anna, "sell", "2000", "1").await;
    // Nothing more is shown of the market.
    let market = floor.world.hold("SELECT FROM payment.market FOR UPDATE").await;
    let (status, buy) = floor.post(ben, limit("buy", "2000", "1"), "buy").await;
    assert_eq!(
        (status, &buy["status"]),
        (StatusCode::CREATED, &json!("filled")),
        "{buy}"
    );
    let refused = "SELECT count(*) FROM engine.journal WHERE kind = 6";
    let ((status, problem), ()) = tokio::join!(floor.cancel(ben, &buy), async {
        eventually(SOON, async || floor.world.count(refused).await == 1).await;
        let_go(market).await;
    });
    assert_eq!(
        (status, &problem["code"], &problem["detail"]),
        (
            StatusCode::CONFLICT,
            &json!("payment.order.not_open"),
            &json!("the order is not open any more, it is filled")
        )
    );
    floor.world.finish().await;
}
