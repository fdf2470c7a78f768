//! Trading fees by what a person has traded in 30 days.

use ferrex_contracts::engine::FeeRate;
use ferrex_contracts::payment::{GetFeeSchedule, SetFeeSchedule, SetMarketFees};
use ferrex_money::Amount;
use ferrex_testkit::eventually;
use serde_json::json;
use uuid::Uuid;

use crate::floor::{DOLLAR, Floor};
use crate::world::{SOON, by};

fn rate(maker_ppm: u32, taker_ppm: u32) -> FeeRate {
    FeeRate { maker_ppm, taker_ppm }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_traded_enough_in_30_days_pays_the_fees_of_the_next_tier() {
    let floor = Floor::open().await;
    let (anna, ben) = (floor.anna, floor.ben);
    let fees = floor.world.get(ben, "/v1/fees").await;
    assert_eq!(
        fees,
        json!({ "tier": 0, "markets": [{ "market": "ETH-USDT", "maker_ppm": 1000, "taker_ppm": 2000,
            "tiers": [{ "maker_ppm": 1000, "taker_ppm": 2000 }] }] })
    );
    let set_fees = SetMarketFees {
        symbol: "ETH-USDT".into(),
        fees: vec![rate(1_000, 2_000), rate(500, 1_000)],
        by: by(),
    };
    let market = floor.world.ask(&set_fees).await.unwrap();
    assert_eq!(market.fees, set_fees.fees);
    let none = SetMarketFees {
        fees: Vec::new(),
        ..set_fees
    };
    assert_eq!(
        floor.world.ask(&none).await.unwrap_err().code,
        "payment.market.field"
    );
    let schedule = |volumes: &[u128]| SetFeeSchedule {
        asset: floor.quote,
        volumes: volumes
            .iter()
            .map(|dollars| Amount::new(dollars * DOLLAR))
            .collect(),
        by: by(),
    };
    let falling = floor.world.ask(&schedule(&[10, 5])).await.unwrap_err();
    assert_eq!(falling.code, "payment.fee_schedule.volumes");
    floor.world.ask(&schedule(&[1_000])).await.unwrap();
    let kept = floor.world.ask(&GetFeeSchedule {}).await.unwrap();
    assert_eq!(
        (kept.asset, kept.volumes),
        (Some(floor.quote), vec![Amount::new(1_000 * DOLLAR)])
    );

    // 999 are not enough, 1,000 are; the tier follows with the clock.
    let trade = async |price: &str| {
        floor.place(anna, "sell", price, "1").await;
        floor.place(ben, "buy", price, "1").await
    };
    trade("999").await;
    floor.tick("fee_tiers").await;
    let before = trade("1").await;
    assert_eq!(before["fee"], "0.002");
    let fees = floor.world.get(ben, "/v1/fees").await;
    assert_eq!(
        fees["volume"],
        json!({ "asset": "USDT", "traded": "1000", "tiers": [{ "tier": 1, "from": "1000" }] })
    );
    assert_eq!(fees["tier"], 0);
    let tier_is = async |tier: u8| {
        eventually(SOON, async || {
            floor.tick("fee_tiers").await;
            let fees = floor.world.get(ben, "/v1/fees").await;
            if fees["tier"] == tier { Ok(fees) } else { Err(fees) }
        })
        .await
    };
    let fees = tier_is(1).await;
    assert_eq!(
        (&fees["markets"][0]["maker_ppm"], &fees["markets"][0]["taker_ppm"]),
        (&json!(500), &json!(1_000))
    );
    let cheaper = trade("100").await;
    assert_eq!(cheaper["fee"], "0.001", "half the fee of before");

    // What was traded more than 30 days ago does not count any more.
    let mut connection = floor.world.superuser().await;
    for (days, tier) in [(29, 1), (30, 0)] {
        sqlx::query("UPDATE payment.daily_volume SET day = (now() AT TIME ZONE 'UTC')::date - $1::integer")
            .bind(days)
            .execute(&mut connection)
            .await
            .unwrap();
        tier_is(tier).await;
    }
    let dearer = trade("100").await;
    assert_eq!(dearer["fee"], "0.002");
    floor.world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_looked_at_however_many_have_traded() {
    let floor = Floor::open().await;
    let set_fees = SetMarketFees {
        symbol: "ETH-USDT".into(),
        fees: vec![rate(1_000, 2_000), rate(500, 1_000)],
        by: by(),
    };
    floor.world.ask(&set_fees).await.unwrap();
    let schedule = SetFeeSchedule {
        asset: floor.quote,
        volumes: vec![Amount::new(1_000 * DOLLAR)],
        by: by(),
    };
    floor.world.ask(&schedule).await.unwrap();

    // More people than are looked at together: those at the ends of both pages have traded enough, one who has not is told
    // to be in a tier, and one has traded too long ago.
    let pool = sqlx::PgPool::connect(&floor.world.db.superuser_url)
        .await
        .unwrap();
    let person = |number: i32| Uuid::from_u128(u128::from(number.unsigned_abs()));
    let (rich, long_ago, told) = ([1, 500, 501, 1_000, 1_200], 700, 1_300);
    sqlx::query(
        "INSERT INTO payment.daily_volume (user_id, market, day, quantity, value)
         SELECT lpad(to_hex(n), 32, '0')::uuid, m.id,
                (now() AT TIME ZONE 'UTC')::date - CASE WHEN n = $2 THEN 40 ELSE 0 END, 1,
                CASE WHEN n = ANY($1) OR n = $2 THEN 1000 ELSE 1 END * $3::numeric
           FROM generate_series(1, 1200) AS n, payment.market m",
    )
    .bind(rich)
    .bind(long_ago)
    .bind(DOLLAR.to_string())
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query("INSERT INTO payment.fee_tier (user_id, tier, set_at) VALUES ($1, 1, now())")
        .bind(person(told))
        .execute(&pool)
        .await
        .unwrap();
    floor.tick("fee_tiers").await;
    eventually(SOON, async || {
        let tiers: Vec<(Uuid, i16)> =
            sqlx::query_as("SELECT user_id, tier FROM payment.fee_tier ORDER BY user_id")
                .fetch_all(&pool)
                .await
                .unwrap();
        let mut wanted: Vec<(Uuid, i16)> = rich.map(|number| (person(number), 1)).into();
        wanted.push((person(told), 0));
        if tiers == wanted { Ok(()) } else { Err(tiers) }
    })
    .await;
    floor.world.finish().await;
}
