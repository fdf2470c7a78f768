//! `ferrex demo trade`: a trading day. Three people trade on the real interface, one of them by a script that quotes; the
//! engine is killed twice on the way and a standby takes over; in the end each person's money is explained to the last unit.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::accounts::{ETH, TST, explain};
use super::api::text_of;
use super::floor::{MARKET, Trader, limit, with};
use super::person::Person;
use super::quotes::Quotes;
use super::staff::{NETWORK, Staff};
use super::story::audit;
use super::world::World;

/// How many small orders each of the two people gives while the engine is killed.
const ROUNDS: u32 = 12;

/// Plays it.
pub async fn play(world: World) -> anyhow::Result<()> {
    World::chapter("1. Operator");
    let staff = Staff::arrive(&world).await?;
    staff.register_assets(&world).await?;
    market(&world, &staff).await?;

    World::chapter("2. People and their money");
    let mut people = Vec::new();
    for name in ["anna", "ben", "carl"] {
        people.push(Person::sign_up(&world, name).await?);
    }
    let [anna, ben, carl] = <[Person; 3]>::try_from(people).map_err(|_| anyhow::anyhow!("three people"))?;
    fund(&world, &anna, 10, 0).await?;
    fund(&world, &ben, 0, 40_000).await?;
    fund(&world, &carl, 10, 30_000).await?;
    let gift = json!({ "to": carl.name, "asset": "ETH", "amount": "2", "note": "to quote with" });
    anna.api.post_once("/v1/transfers", "to-carl", &gift).await?;
    let gift = json!({ "to": carl.name, "asset": "TST", "amount": "3000.000001" });
    ben.api.post_once("/v1/transfers", "to-carl", &gift).await?;
    world.saw("Anna gave Carl 2 ETH, Ben gave him 3000.000001 TST");
    let (mut anna, mut ben) = (Trader::new(anna), Trader::new(ben));

    World::chapter("3. An auction opens the market");
    auction(&world, &staff, &mut anna, &mut ben).await?;

    World::chapter("4. Trading");
    let mut quotes = Quotes::begin(Trader::new(carl));
    quotes.wait_for_first(&world).await?;
    world.saw("Carl's script quotes three prices on each side, by batches");
    orders(&world, &mut anna, &mut ben).await?;
    stops(&world, &mut anna, &mut ben).await?;

    World::chapter("5. The engine is killed, twice");
    for time in ["first", "second"] {
        kill(&world, time, &mut anna, &mut ben).await?;
        quotes.wait_for_more(&world).await?;
        world.saw("Carl's script quotes on");
    }
    let fees = ben.get("/v1/fees").await?;
    world.saw(format!(
        "Ben has traded {} of {} so far and is in tier {}",
        plain(&fees["volume"]["traded"]),
        plain(&fees["volume"]["asset"]),
        fees["tier"]
    ));

    World::chapter("6. The market closes");
    let mut carl = quotes.end().await?;
    for trader in [&mut anna, &mut ben, &mut carl] {
        trader.person.renew().await?;
        trader.cancel_all().await?;
    }
    staff.set_market(MARKET, "halted").await?;
    world.saw("all orders are cancelled and the market is halted");

    World::chapter("7. Accounts");
    explain(&world, &[&anna, &ben, &carl]).await?;
    audit(&world)?;
    world.saw("the trading day is told");
    Ok(())
}

async fn market(world: &World, staff: &Staff) -> anyhow::Result<()> {
    let terms = json!({
        "base": "ETH", "quote": "TST", "tick": "0.01", "lot": "0.001", "price_max": "100000", "quantity_min": "0.001",
        "quantity_max": "1000", "value_min": "1", "band_ppm": 300_000, "open_orders_max": 100, "reference_price": "2000",
        "maker_ppm": 1_000, "taker_ppm": 2_000, "reason": "the demo needs it",
    });
    let known = staff.api.get("/v1/markets").await?;
    let is_known = known["items"]
        .as_array()
        .is_some_and(|items| items.iter().any(|market| market["symbol"] == MARKET));
    if !is_known {
        staff.api.post("/v1/markets", &terms).await?;
    }
    let tiers = json!([{ "maker_ppm": 1_000, "taker_ppm": 2_000 }, { "maker_ppm": 500, "taker_ppm": 1_500 }]);
    let fees = json!({ "tiers": tiers, "reason": "the demo needs it" });
    staff
        .api
        .put(&format!("/v1/markets/{MARKET}/fees"), &fees)
        .await?;
    let schedule = json!({ "asset": "TST", "volumes": ["10000"], "reason": "the demo needs it" });
    staff.api.put("/v1/fee-schedule", &schedule).await?;
    world.saw(format!(
        "staff made {MARKET}: maker 0.1 %, taker 0.2 %, less for who has traded 10000 TST in 30 days"
    ));
    Ok(())
}

/// Coins and tokens that a person pays in, in whole units.
async fn fund(world: &World, person: &Person, coins: u128, tokens: u128) -> anyhow::Result<()> {
    let address = person
        .api
        .post("/v1/deposit-addresses", &json!({ "network": NETWORK }))
        .await?;
    let address = text_of(&address, "address")?;
    if coins > 0 {
        world.pay(&address, coins * ETH.one()).await?;
    }
    if tokens > 0 {
        world.pay_token(&address, tokens * TST.one()).await?;
    }
    let wanted = |amount: u128| {
        if amount == 0 {
            Value::Null
        } else {
            json!(amount.to_string())
        }
    };
    world
        .wait_for(
            &format!("{}'s deposits to be credited", person.name),
            async || {
                let (eth, tst) = (person.balance("ETH").await?, person.balance("TST").await?);
                let credited = eth["available"] == wanted(coins) && tst["available"] == wanted(tokens);
                Ok(credited.then_some(()))
            },
        )
        .await?;
    world.saw(format!("{} deposited {coins} ETH and {tokens} TST", person.name));
    Ok(())
}

async fn auction(world: &World, staff: &Staff, anna: &mut Trader, ben: &mut Trader) -> anyhow::Result<()> {
    staff.set_market(MARKET, "auction").await?;
    let first = anna.place(&limit("sell", "1990", "1")).await?;
    anna.place(&limit("sell", "2005", "1")).await?;
    ben.place(&limit("buy", "2010", "1.5")).await?;
    let market_order = with(limit("buy", "2010", "1"), &json!({ "type": "market" }));
    let code = ben.refused(&market_order).await?;
    world.saw(format!(
        "limit orders gather and do not trade; a market order: {code}"
    ));
    staff.set_market(MARKET, "open").await?;
    let sold = world
        .wait_for("the auction's trades to be shown", async || {
            let order = anna.order(&first).await?;
            Ok((order["status"] == "filled").then_some(order))
        })
        .await?;
    world.saw(format!(
        "staff opened it: Anna's 1 ETH at 1990 or more went for {} TST",
        text_of(&sold, "filled_value")?
    ));
    anna.cancel_all().await?;
    Ok(())
}

async fn orders(world: &World, anna: &mut Trader, ben: &mut Trader) -> anyhow::Result<()> {
    let market = |side, worst, quantity| with(limit(side, worst, quantity), &json!({ "type": "market" }));
    let bought = ben.place(&market("buy", "2300", "0.25")).await?;
    let bought = ben.settled(world, &bought).await?;
    world.saw(format!(
        "Ben bought {} ETH at the market for {} TST, fee {} ETH",
        plain(&bought["filled"]),
        plain(&bought["filled_value"]),
        plain(&bought["fee"])
    ));
    let by_value =
        json!({ "market": MARKET, "side": "buy", "type": "market", "price": "2300", "value": "400" });
    let bought = ben.place(&by_value).await?;
    let bought = ben.settled(world, &bought).await?;
    world.saw(format!(
        "for 400 TST he got {} ETH more, and spent {}",
        plain(&bought["filled"]),
        plain(&bought["filled_value"])
    ));
    let ioc = with(limit("sell", "1800", "0.2"), &json!({ "time_in_force": "ioc" }));
    anna.place(&ioc).await?;
    let fok = with(limit("sell", "1800", "5"), &json!({ "time_in_force": "fok" }));
    let post_only = with(
        limit("sell", "1700", "0.1"),
        &json!({ "time_in_force": "post_only" }),
    );
    world.saw(format!(
        "Anna sold at once what there was; all of 5 ETH or nothing: {}; post only below the bids: {}",
        anna.refused(&fok).await?,
        anna.refused(&post_only).await?
    ));
    let iceberg = with(
        limit("sell", "2400", "2"),
        &json!({ "display_quantity": "0.2", "client_order_id": "iceberg" }),
    );
    let iceberg = anna.place(&iceberg).await?;
    let smaller = anna.amend(&iceberg, &json!({ "quantity": "1.5" })).await?;
    let cheaper = anna.amend(&iceberg, &json!({ "price": "2390" })).await?;
    let found = anna.get("/v1/orders?open=true&client_order_id=iceberg").await?;
    ensure!(
        found["items"][0]["id"] == iceberg["id"] && cheaper["price"] == "2390",
        "the iceberg should be found by its name with its new price: {found} {cheaper}"
    );
    world.saw(format!(
        "an iceberg of 2 ETH, made {} in place and then cheaper, found by Anna's own name for it",
        plain(&smaller["quantity"])
    ));
    let cancelled = anna.cancel(&iceberg).await?;
    ensure!(cancelled["status"] == "cancelled", "it is cancelled: {cancelled}");
    let items = json!({ "items": [
        { "place": limit("buy", "1500", "0.1") }, { "place": limit("buy", "1501", "0.1") },
        { "place": limit("buy", "1502.001", "0.1") },
    ] });
    let done = anna.batch(&items).await?;
    world.saw(format!(
        "a batch: two orders rest, the third is refused alone: {}",
        plain(&done["items"][2]["problem"]["code"])
    ));
    anna.cancel_all().await?;
    anna.has_held("TST", "0").await?;
    world.saw("all of Anna's orders cancelled with one call; what they held is free");
    Ok(())
}

/// A stop of each kind, triggered by trades of the day.
async fn stops(world: &World, anna: &mut Trader, ben: &mut Trader) -> anyhow::Result<()> {
    let markets = ben.get("/v1/markets").await?;
    let items = markets["items"].as_array().cloned().unwrap_or_default();
    let last = items
        .iter()
        .find(|market| market["symbol"] == MARKET)
        .and_then(|market| market["last_price"].as_str())
        .context("a market that has traded has a last price")?
        .to_owned();
    // At the last price itself a stop is triggered as it comes.
    let at_once = with(
        limit("sell", "1500", "0.05"),
        &json!({ "stop_price": last, "type": "market" }),
    );
    let sold = anna.place(&at_once).await?;
    let sold = anna.settled(world, &sold).await?;
    let far = with(limit("buy", "2500", "0.1"), &json!({ "stop_price": "2450" }));
    let waits = ben.place(&far).await?;
    let waits = ben.shown(world, &waits).await?;
    ensure!(waits["status"] == "waiting", "a stop far away waits: {waits}");
    world.saw(format!(
        "a stop at the last price {last} sold {} ETH; a stop-limit far above waits",
        plain(&sold["filled"])
    ));
    ben.cancel(&waits).await?;
    Ok(())
}

/// The engine's owner dies while both people give orders; each order has its outcome all the same, and has it once.
async fn kill(world: &World, time: &str, anna: &mut Trader, ben: &mut Trader) -> anyhow::Result<()> {
    let buys = small_orders(ben, "buy", "2500");
    let sells = small_orders(anna, "sell", "1500");
    let (told, bought, sold) = tokio::join!(world.kill_engine(), buys, sells);
    let (bought, sold) = (bought?, sold?);
    match told? {
        Some(told) => world.saw(format!(
            "the {time} kill: {} is dead, {} decides after {} ms; {} orders meanwhile, {} repeats until they were answered",
            plain(&told["killed"]),
            plain(&told["took_over"]),
            told["takeover_ms"],
            2 * ROUNDS,
            bought + sold
        )),
        None => world.saw("nobody here kills engines (`make demo-trade` does); trading goes on"),
    }
    Ok(())
}

/// Gives small market orders; answers how many repeats it took.
async fn small_orders(trader: &mut Trader, side: &str, worst: &str) -> anyhow::Result<u32> {
    let before = trader.repeats;
    for round in 0..ROUNDS {
        let quantity = format!("0.0{}", 10 + round);
        let order = with(limit(side, worst, &quantity), &json!({ "time_in_force": "ioc" }));
        trader.place(&order).await?;
    }
    Ok(trader.repeats - before)
}

/// A text without its quotation marks.
fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
