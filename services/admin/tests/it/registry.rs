use serde_json::{Value, json};

use crate::others::{self, Asked};
use crate::world::World;

fn terms(fee: &str) -> Value {
    json!({
        "deposit_minimum": "1", "withdrawal_minimum": "10", "withdrawal_fee": fee, "approval_threshold": "1000.5",
        "deposits_enabled": true, "withdrawals_enabled": false,
    })
}

#[tokio::test]
async fn amounts_are_read_and_shown_with_the_assets_decimals() {
    let world = World::start().await;
    let (asked, token) = (Asked::default(), world.operator().await);
    world.stand_in("payment", others::payment(&asked)).await;
    let registry = world.get("/v1/assets", &token).await.expect(200);
    assert_eq!(registry["assets"][0]["terms"]["deposit_minimum"], "1.5");
    let body = json!({ "terms": terms("0.25"), "reason": "cheaper" });
    let asset = world.put("/v1/assets/7/terms", &token, body).await.expect(200);
    assert_eq!(asset["terms"]["approval_threshold"], "1000.5");
    assert_eq!(asked.lock().unwrap()[0].1["terms"]["withdrawal_fee"], "250000");
    world
        .put(
            "/v1/assets/8/terms",
            &token,
            json!({ "terms": terms("1"), "reason": "none" }),
        )
        .await
        .refused(404, "admin.asset.not_found");
    for fee in ["0.0000001", "-1", "1e3", "", "1,5"] {
        let body = json!({ "terms": terms(fee), "reason": "cheaper" });
        let problem = world
            .put("/v1/assets/7/terms", &token, body)
            .await
            .refused(422, "admin.amount.malformed");
        assert_eq!(problem["errors"][0]["field"], "terms.withdrawal_fee", "{fee}");
    }
}

#[tokio::test]
async fn networks_and_assets_are_made_known_to_payment() {
    let world = World::start().await;
    let (asked, token) = (Asked::default(), world.operator().await);
    world.stand_in("payment", others::payment(&asked)).await;
    let network = json!({
        "name": "Development", "chain_id": 31337, "rpc_urls": ["http://127.0.0.1:8545"], "confirmations": 3,
        "enabled": true, "reason": "first network",
    });
    let view = world.put("/v1/networks/dev", &token, network).await.expect(200);
    assert_eq!((&view["key"], &view["chain_id"]), (&json!("dev"), &json!(31337)));
    let asset = |decimals: u8| {
        json!({
            "symbol": "ETH", "name": "Ether", "network": "dev", "decimals": decimals, "terms": terms("0.001"),
            "reason": "first asset",
        })
    };
    let view = world
        .post("/v1/assets", Some(&token), asset(18))
        .await
        .expect(201);
    assert_eq!(view["terms"]["withdrawal_fee"], "0.001");
    assert_eq!(
        asked.lock().unwrap()[1].1["terms"]["withdrawal_fee"],
        "1000000000000000"
    );
    world
        .post("/v1/assets", Some(&token), asset(31))
        .await
        .refused(422, "admin.asset.decimals");
    let audited = world.audited(&token).await;
    assert!(
        audited.contains(&("network.put".into(), "done".into())),
        "{audited:?}"
    );
    assert!(
        audited.contains(&("asset.create".into(), "done".into())),
        "{audited:?}"
    );
}

#[tokio::test]
async fn markets_are_made_and_halted_through_payment_and_written_down() {
    let world = World::start().await;
    let (asked, token) = (Asked::default(), world.operator().await);
    world.stand_in("payment", others::payment(&asked)).await;
    let body = json!({
        "base": "USDT", "quote": "USDT", "tick": "0.01", "lot": "0.5", "price_max": "1000", "quantity_min": "0.5",
        "quantity_max": "100", "value_min": "1", "band_ppm": 100_000, "open_orders_max": 10, "maker_ppm": 1000,
        "taker_ppm": 2000, "reason": "first market",
    });
    let market = world
        .post("/v1/markets", Some(&token), body.clone())
        .await
        .expect(201);
    assert_eq!(
        (&market["symbol"], &market["state"]),
        (&json!("ETH-USDT"), &json!("halted"))
    );
    let terms = asked.lock().unwrap()[0].1["terms"].clone();
    assert_eq!(
        (&terms["tick"], &terms["lot"], &terms["reference_price"]),
        (&json!("10000"), &json!("500000"), &Value::Null)
    );
    for (field, value, code) in [
        ("base", "BTC", "admin.asset.unknown"),
        ("tick", "1e3", "admin.amount.malformed"),
    ] {
        let mut wrong = body.clone();
        wrong[field] = json!(value);
        let problem = world
            .post("/v1/markets", Some(&token), wrong)
            .await
            .refused(422, code);
        assert_eq!(problem["errors"][0]["field"], field);
    }
    let open = json!({ "state": "open", "reason": "ready" });
    let market = world
        .post("/v1/markets/ETH-USDT/state", Some(&token), open.clone())
        .await
        .expect(200);
    assert_eq!(market["state"], "open");
    world
        .post("/v1/markets/BTC-USDT/state", Some(&token), open)
        .await
        .refused(404, "admin.market.not_found");
    let audited = world.audited(&token).await;
    for action in ["market.create", "market.set_state"] {
        assert!(audited.contains(&(action.into(), "done".into())), "{audited:?}");
    }
}

#[tokio::test]
async fn fees_and_the_schedule_of_their_tiers_are_changed_through_payment_and_written_down() {
    let world = World::start().await;
    let (asked, token) = (Asked::default(), world.operator().await);
    world.stand_in("payment", others::payment(&asked)).await;
    let markets = world.get("/v1/markets", &token).await.expect(200);
    assert_eq!(
        markets["items"][0]["fees"],
        json!([{ "maker_ppm": 10, "taker_ppm": 20 }])
    );
    let fees = json!({ "tiers": [{ "maker_ppm": 1000, "taker_ppm": 2000 }, { "maker_ppm": 0, "taker_ppm": 1000 }], "reason": "as agreed" });
    let market = world
        .put("/v1/markets/ETH-USDT/fees", &token, fees.clone())
        .await
        .expect(200);
    assert_eq!(market["fees"], fees["tiers"]);
    world
        .put("/v1/markets/BTC-USDT/fees", &token, fees)
        .await
        .refused(404, "admin.market.not_found");
    let none = world.get("/v1/fee-schedule", &token).await.expect(200);
    assert_eq!(none, json!({ "volumes": [] }));
    let schedule = json!({ "asset": "USDT", "volumes": ["100000", "1000000.5"], "reason": "as agreed" });
    let shown = world
        .put("/v1/fee-schedule", &token, schedule.clone())
        .await
        .expect(200);
    assert_eq!(
        shown,
        json!({ "asset": "USDT", "volumes": ["100000", "1000000.5"] })
    );
    assert_eq!(
        asked.lock().unwrap()[1].1["volumes"],
        json!(["100000000000", "1000000500000"])
    );
    for (field, value, code) in [
        ("asset", json!("BTC"), "admin.asset.unknown"),
        ("volumes", json!(["1e3"]), "admin.amount.malformed"),
        ("reason", json!(" "), "admin.reason.malformed"),
    ] {
        let mut wrong = schedule.clone();
        wrong[field] = value;
        let problem = world
            .put("/v1/fee-schedule", &token, wrong)
            .await
            .refused(422, code);
        assert_eq!(problem["errors"][0]["field"], field);
    }
    let audited = world.audited(&token).await;
    for action in ["market.set_fees", "fee_schedule.set"] {
        assert!(audited.contains(&(action.into(), "done".into())), "{audited:?}");
    }
}
