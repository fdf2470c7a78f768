//! Orders that wait for a price.

use axum::http::StatusCode;
use ferrex_testkit::eventually;
use serde_json::{Value, json};

use crate::floor::{Floor, limit, with};
use crate::world::SOON;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stops_wait_beside_the_book_until_a_trade_reaches_their_price() {
    let floor = Floor::with(|terms| terms.open_orders_max = 20).await;
    let (anna, ben) = (floor.anna, floor.ben);
    let stop = |body, price| with(body, &json!({ "stop_price": price }));
    let market = |side, price, quantity| with(limit(side, price, quantity), &json!({ "type": "market" }));
    for (body, field) in [
        (
            stop(
                with(limit("buy", "100", "1"), &json!({ "time_in_force": "fok" })),
                "90",
            ),
            "time_in_force",
        ),
        (
            stop(
                with(limit("buy", "100", "1"), &json!({ "time_in_force": "post_only" })),
                "90",
            ),
            "time_in_force",
        ),
        (
            with(
                limit("buy", "100", "1"),
                &json!({ "time_in_force": "ioc", "display_quantity": "0.5" }),
            ),
            "display_quantity",
        ),
        (
            with(
                market("buy", "100", "1"),
                &json!({ "expires_at": "2099-01-01T00:00:00Z" }),
            ),
            "expires_at",
        ),
    ] {
        let (status, problem) = floor.post(ben, body.clone(), &floor.world.key()).await;
        assert_eq!(
            (
                status.as_u16(),
                problem["code"].as_str(),
                problem["errors"][0]["field"].as_str()
            ),
            (422, Some("payment.order.shape"), Some(field)),
            "{body}: {problem}"
        );
    }
    let (_, problem) = floor
        .post(ben, stop(limit("buy", "100", "1"), "90.001"), &floor.world.key())
        .await;
    assert_eq!(problem["code"], "payment.order.off_tick");

    // A sell stop below, and a buy stop-limit above; what they may spend is held.
    let (status, falling) = floor
        .post(anna, stop(market("sell", "50", "2"), "90"), &floor.world.key())
        .await;
    assert_eq!(
        (status, &falling["status"]),
        (StatusCode::CREATED, &json!("waiting"))
    );
    assert_eq!(
        (&falling["stop_price"], &falling["time_in_force"]),
        (&json!("90"), &json!("ioc"))
    );
    let (_, rising) = floor
        .post(ben, stop(limit("buy", "115", "3"), "110"), &floor.world.key())
        .await;
    assert_eq!(rising["status"], "waiting");
    assert_eq!(floor.balances(anna).await, ["8", "2", "0", "0"]);
    assert_eq!(floor.balances(ben).await, ["0", "0", "9655", "345"]);
    let open = floor.world.get(anna, "/v1/orders?open=true").await;
    assert_eq!(open["items"][0]["status"], "waiting");
    let path = format!("/v1/orders/{}", falling["id"].as_str().unwrap());
    let (status, waits) = floor.call(anna, "PATCH", &path, json!({ "quantity": "1" })).await;
    assert_eq!(
        (status, &waits["code"]),
        (StatusCode::CONFLICT, &json!("payment.order.waits"))
    );

    // A trade at 100 reaches neither; one at 90 the sell, which takes what bids there are.
    floor.place(anna, "sell", "100", "1").await;
    floor.place(ben, "buy", "100", "1").await;
    assert_eq!(floor.order(anna, &falling).await["status"], "waiting");
    floor.place(ben, "buy", "90", "1").await;
    floor.place(ben, "buy", "80", "1.5").await;
    floor.place(anna, "sell", "90", "1").await;
    let sold = floor.order(anna, &falling).await;
    assert_eq!(
        [&sold["status"], &sold["filled"], &sold["filled_value"]],
        ["unfilled", "1.5", "120"],
        "{sold}"
    );
    // The buy stop becomes a limit order: it takes 1 and rests with 2.
    floor.place(anna, "sell", "110", "2").await;
    floor.place(ben, "buy", "110", "1").await;
    let bought = floor.order(ben, &rising).await;
    assert_eq!([&bought["status"], &bought["filled"]], ["open", "1"], "{bought}");
    let (status, cancelled) = floor.cancel(ben, &rising).await;
    assert_eq!(
        (status, &cancelled["status"]),
        (StatusCode::OK, &json!("cancelled"))
    );
    floor.world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cascade_of_stops_that_was_cut_goes_on_with_the_clock() {
    const STOPS: usize = 260;
    let floor = Floor::with(|terms| terms.open_orders_max = 1_000).await;
    let (anna, ben) = (floor.anna, floor.ben);
    let stop = json!({ "stop_price": "90", "type": "market" });
    for _ in 0..STOPS / 52 {
        for count in [50, 2] {
            let place = json!({ "place": with(limit("sell", "50", "0.02"), &stop) });
            let (status, done) = floor
                .call(
                    anna,
                    "POST",
                    "/v1/orders/batch",
                    json!({ "items": vec![place; count] }),
                )
                .await;
            assert_eq!(status, StatusCode::OK, "{done}");
            assert_eq!(done["items"][count - 1]["problem"], Value::Null, "{done}");
        }
    }
    // One command triggers 256 of them; what is left over is nobody's next order.
    floor.place(ben, "buy", "80", "10").await;
    floor.place(ben, "buy", "90", "0.1").await;
    floor.place(anna, "sell", "90", "0.1").await;
    let waiting = "SELECT count(*) FROM payment.placed_order WHERE waiting AND status = 'open'";
    eventually(SOON, async || floor.world.count(waiting).await == 4).await;
    eventually(SOON, async || {
        floor.tick("order_expiry").await;
        floor.world.count(waiting).await == 0
    })
    .await;
    let filled = "SELECT count(*) FROM payment.placed_order WHERE stop IS NOT NULL AND status = 'filled'";
    let all = i64::try_from(STOPS).unwrap();
    eventually(SOON, async || floor.world.count(filled).await == all).await;
    floor.world.finish().await;
}
