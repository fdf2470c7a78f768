//! The story: a person's money from sign-up to a confirmed withdrawal.

use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::api::{Api, text_of};
use super::person::Person;
use super::staff::{NETWORK, Staff};
use super::world::World;

const ETH: u128 = 1_000_000_000_000_000_000;
const TST: u128 = 1_000_000;

/// Plays it.
pub async fn play(world: World) -> anyhow::Result<()> {
    World::chapter("1. Operator");
    let staff = Staff::arrive(&world).await?;
    staff.register_assets(&world).await?;
    fund_hot_wallet(&world, &staff).await?;

    World::chapter("2. Sign-up with verification");
    let mut anna = Person::sign_up(&world, "anna").await?;
    let mut ben = Person::sign_up(&world, "ben").await?;
    accounts(&world, &mut anna, &mut ben).await?;
    identities(&world, &staff, &anna, &ben).await?;

    World::chapter("3. Hold");
    deposit(&world, &anna).await?;

    World::chapter("4. Transfer");
    transfer(&world, &anna, &ben).await?;

    World::chapter("5. Withdraw");
    anna.renew().await?;
    withdraw(&world, &mut anna).await?;
    approvals(&world, &staff, &mut anna).await?;

    World::chapter("6. Statement");
    statement(&world, &anna).await?;
    audit(&world)?;
    world.saw("the story is told");
    Ok(())
}

/// The operator's own money, from which withdrawals are paid; booked as such by the follower.
async fn fund_hot_wallet(world: &World, staff: &Staff) -> anyhow::Result<()> {
    let hot_wallet = staff.hot_wallet(world).await?;
    if world.coins_of(&hot_wallet).await? < 10 * ETH {
        world.pay(&hot_wallet, 20 * ETH).await?;
        world.pay_token(&hot_wallet, 10_000 * TST).await?;
        world.saw(format!(
            "the operator paid 20 ETH and 10000 TST to the hot wallet {hot_wallet}"
        ));
    } else {
        world.saw(format!("the hot wallet {hot_wallet} has enough"));
    }
    Ok(())
}

async fn accounts(world: &World, anna: &mut Person, ben: &mut Person) -> anyhow::Result<()> {
    let stranger = Api::new(&world.around.public)?;
    let body = json!({ "email": anna.email, "user_name": format!("{}.else", anna.name), "password": "a password nobody guesses" });
    let known = stranger.post("/v1/registrations", &body).await?;
    ensure!(
        known["id"].is_string(),
        "a known address should be answered like an unknown one, but was: {known}"
    );
    world.mail(&anna.email, "already have an account").await?;
    world.saw("registering Anna's address again is answered alike; she got a mail that says so");

    let recovery_codes = anna.enrol().await?;
    world.saw(format!(
        "Anna enrolled an authenticator and got {recovery_codes} recovery codes"
    ));
    ben.enrol().await?;
    let first = ben.api.token.clone();
    ben.log_in().await?;
    let sessions = ben.api.get("/v1/sessions").await?;
    let count = sessions["items"].as_array().map_or(0, Vec::len);
    ben.api.delete("/v1/sessions").await?;
    world.saw(format!("Ben saw {count} sessions and revoked all but his own"));
    let mut revoked = ben.api.clone();
    revoked.token = first;
    world
        .wait_for("the revoked session to be refused by payment", async || {
            let answer = revoked
                .call(reqwest::Method::GET, "/v1/balances", None, None)
                .await?;
            Ok((answer.status == 401).then_some(()))
        })
        .await?;
    world.saw("the revoked session's access token is refused everywhere");
    ben.reset_password(world).await?;
    ben.log_in().await?;
    world.saw("Ben reset his lost password and logged in with his second factor");
    Ok(())
}

async fn identities(world: &World, staff: &Staff, anna: &Person, ben: &Person) -> anyhow::Result<()> {
    let first = anna.submit_identity("Anna Smyth").await?;
    staff
        .decide_identity(&first, "reject", "the name differs from the document")
        .await?;
    let rejected = anna.identity_is(world, "rejected").await?;
    world.saw(format!("staff rejected Anna's identity: {}", rejected["reason"]));
    let second = anna.submit_identity("Anna Smith").await?;
    staff
        .decide_identity(&second, "approve", "document checked")
        .await?;
    anna.identity_is(world, "approved").await?;
    world.saw("Anna submitted again and staff approved: level 1");

    let submission = ben.submit_identity("Ben Jones").await?;
    let provider = world.identity()?;
    let applicant =
        json!({ "reference": submission, "name": "Ben Jones", "birth_date": "1990-05-17", "country": "DE" });
    let applicant = provider.post("/applicants", &applicant).await?;
    let path = format!("/applicants/{}/decision", text_of(&applicant, "id")?);
    provider.post(&path, &json!({ "decision": "approve" })).await?;
    ben.identity_is(world, "approved").await?;
    world.saw("the identity provider approved Ben by a signed webhook: level 1");
    Ok(())
}

async fn deposit(world: &World, anna: &Person) -> anyhow::Result<()> {
    let address = anna
        .api
        .post("/v1/deposit-addresses", &json!({ "network": NETWORK }))
        .await?;
    let address = text_of(&address, "address")?;
    world.pay(&address, 5 * ETH).await?;
    world.pay_token(&address, 500 * TST).await?;
    world.saw(format!("5 ETH and 500 TST paid to Anna's address {address}"));
    let seen = world
        .wait_for("the deposit to be seen", async || {
            let deposits = anna.api.get("/v1/deposits").await?;
            let items = deposits["items"].as_array().cloned().unwrap_or_default();
            Ok(items.into_iter().find(|deposit| deposit["asset"] == "ETH"))
        })
        .await?;
    world.saw(format!(
        "the deposit of {} ETH is {}: {} of {} confirmations",
        seen["amount"].as_str().unwrap_or_default(),
        seen["status"].as_str().unwrap_or_default(),
        seen["confirmations"],
        seen["confirmations_needed"]
    ));
    world
        .wait_for("both deposits to be credited", async || {
            let (eth, tst) = (anna.balance("ETH").await?, anna.balance("TST").await?);
            Ok((eth["available"] == "5" && tst["available"] == "500").then_some(()))
        })
        .await?;
    let mail = world.mail(&anna.email, "Deposit of 5 ETH credited").await?;
    world.saw(format!("credited; mail: \"{}\"", text_of(&mail, "subject")?));
    Ok(())
}

async fn transfer(world: &World, anna: &Person, ben: &Person) -> anyhow::Result<()> {
    let body = json!({ "to": ben.name, "asset": "ETH", "amount": "0.25", "note": "for lunch" });
    let first = anna.api.post_once("/v1/transfers", "lunch", &body).await?;
    let again = anna.api.post_once("/v1/transfers", "lunch", &body).await?;
    ensure!(
        first["id"] == again["id"],
        "the same key should give the same transfer"
    );
    let other = json!({ "to": ben.email, "asset": "ETH", "amount": "4", "note": "for lunch" });
    let (code, _) = anna.api.refused("/v1/transfers", Some("lunch"), &other).await?;
    world.saw(format!(
        "0.25 ETH to Ben, sent twice under one key and paid once; another body under it: {code}"
    ));
    let by_mail = json!({ "to": ben.email, "asset": "TST", "amount": "20.5" });
    anna.api.post_once("/v1/transfers", "tokens", &by_mail).await?;
    let (code, why) = anna
        .api
        .refused(
            "/v1/transfers",
            Some("typo"),
            &json!({ "to": ben.name, "asset": "ETH", "amount": "1e3" }),
        )
        .await?;
    world.saw(format!("an amount of \"1e3\": {code}: {why}"));
    ben.has("ETH", "0.25", "0").await?;
    ben.has("TST", "20.5", "0").await?;
    let mail = world.mail(&ben.email, "You received 0.25 ETH").await?;
    world.saw(format!("Ben was told: \"{}\"", text_of(&mail, "subject")?));
    Ok(())
}

/// An address that nobody has used, so that what it holds at the end is what was paid.
fn fresh_payee(number: u8) -> String {
    let mut bytes: [u8; 20] = rand::random();
    bytes[0] = number;
    bytes
        .iter()
        .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

async fn withdraw(world: &World, anna: &mut Person) -> anyhow::Result<()> {
    let payee = fresh_payee(0x51);
    let wrong = json!({ "asset": "ETH", "network": NETWORK, "address": "0x52908400098527886E0F7030069857D2E4169Ee7", "amount": "0.5" });
    let (code, why) = anna.api.refused("/v1/withdrawals/preview", None, &wrong).await?;
    world.saw(format!("an address with a wrong checksum: {code}: {why}"));
    let right = json!({ "asset": "ETH", "network": NETWORK, "address": payee, "amount": "0.5" });
    let preview = anna.api.post("/v1/withdrawals/preview", &right).await?;
    world.saw(format!(
        "shown before: {} ETH, fee {}, together {}",
        preview["amount"], preview["fee"], preview["total"]
    ));
    let withdrawal = anna.withdraw("rent", "ETH", NETWORK, &payee, "0.5").await?;
    let id = text_of(&withdrawal, "id")?;
    world.saw(format!(
        "asked for with a code; {}",
        text_of(&withdrawal, "status")?
    ));
    let settled = anna.withdrawal_is(world, &id, "settled").await?;
    let paid = world.coins_of(&payee).await?;
    ensure!(
        paid == ETH / 2,
        "the payee should have half an ETH, but has {paid} wei"
    );
    world.saw(format!(
        "settled; transaction {}; the payee has 0.5 ETH on the chain",
        text_of(&settled, "transaction")?
    ));
    let mail = world.mail(&anna.email, "Withdrawal of 0.5 ETH completed").await?;
    world.saw(format!("mail: \"{}\"", text_of(&mail, "subject")?));

    let tokens = anna
        .withdraw("tokens-out", "TST", NETWORK, &fresh_payee(0x52), "100")
        .await?;
    anna.withdrawal_is(world, &text_of(&tokens, "id")?, "settled")
        .await?;
    world.saw("100 TST withdrawn as well");
    Ok(())
}

async fn approvals(world: &World, staff: &Staff, anna: &mut Person) -> anyhow::Result<()> {
    let payee = fresh_payee(0x53);
    let large = anna.withdraw("car", "ETH", NETWORK, &payee, "1.5").await?;
    let id = text_of(&large, "id")?;
    let waiting = anna.withdrawal_is(world, &id, "awaiting_approval").await?;
    world.saw(format!(
        "1.5 ETH is above the threshold and waits: {}",
        waiting["waiting_for"]
    ));
    staff.decide_withdrawal(world, &id, "approve").await?;
    anna.withdrawal_is(world, &id, "settled").await?;
    ensure!(
        world.coins_of(&payee).await? == ETH + ETH / 2,
        "the payee should have 1.5 ETH"
    );
    world.saw("staff approved; settled");

    let second = anna.withdraw("boat", "ETH", NETWORK, &payee, "2").await?;
    let id = text_of(&second, "id")?;
    anna.withdrawal_is(world, &id, "awaiting_approval").await?;
    anna.api
        .post(&format!("/v1/withdrawals/{id}/cancel"), &json!({}))
        .await?;
    anna.withdrawal_is(world, &id, "cancelled").await?;
    world.saw("2 ETH asked for and cancelled before the signer had it");
    Ok(())
}

async fn statement(world: &World, anna: &Person) -> anyhow::Result<()> {
    // 5 in; 0.25 to Ben; 0.5 and 1.5 out at 0.001 each.
    world
        .wait_for("the balances to be settled", async || {
            let balance = anna.balance("ETH").await?;
            Ok((balance["available"] == "2.748" && balance["held"] == "0").then_some(()))
        })
        .await?;
    let balance = anna.balance("ETH").await?;
    world.saw(format!(
        "Anna has {} ETH available, {} held, {} pending",
        text_of(&balance, "available")?,
        text_of(&balance, "held")?,
        text_of(&balance, "pending")?
    ));
    let history = world
        .wait_for("the history to be complete", async || {
            let history = anna.api.get("/v1/history?limit=100").await?;
            let items = history["items"].as_array().cloned().unwrap_or_default();
            let sum = |name: &str| {
                items
                    .iter()
                    .filter(|item| item["asset"] == "ETH")
                    .filter_map(|item| thousandths(&item[name]))
                    .sum::<i64>()
            };
            Ok((sum("change") == 2_748 && sum("held_change") == 0).then_some(items))
        })
        .await?;
    for item in history.iter().rev() {
        let extra = [&item["counterparty"], &item["note"], &item["fee"]]
            .iter()
            .filter_map(|value| value.as_str().map(|text| format!(" · {text}")))
            .collect::<String>();
        world.saw(format!(
            "{:24} {:>9} {} (held {}){extra}",
            item["kind"].as_str().unwrap_or_default(),
            item["change"].as_str().unwrap_or_default(),
            item["asset"].as_str().unwrap_or_default(),
            item["held_change"].as_str().unwrap_or_default()
        ));
    }
    world.saw("the changes add up to the balance");
    Ok(())
}

/// A decimal text in thousandths; enough for the amounts of this story.
fn thousandths(text: &Value) -> Option<i64> {
    let text = text.as_str()?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(sign * (whole.parse::<i64>().ok()? * 1_000 + fraction))
}

/// Has the ledger audited; fails when the audit finds something.
pub(super) fn audit(world: &World) -> anyhow::Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .arg("--config")
        .arg(&world.around.config)
        .args(["ledger", "audit"])
        .output()
        .context("running the audit")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "the audit found something: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in text.lines() {
        world.saw(format!("audit: {line}"));
    }
    Ok(())
}
