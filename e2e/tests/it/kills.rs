//! Processes that are killed and started again.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use ferrex_dev::plan::{Carrier, ROLES, Shape};
use ferrex_e2e::Story;
use ferrex_e2e::kills::Kills;
use ferrex_e2e::town::{APPROVED_ABOVE, FEE, Person, Town, coins, fresh_payee, transfer, withdrawal_is};
use ferrex_testkit::Proxy;
use serde_json::{Value, json};

/// Points beside those of the flows that must have killed the process; with `@` also what it was about.
const POINTS: &[&str] = &[
    "follower.block_read@devnet",
    "follower.deposits_written@devnet",
    "follower.before_commit@devnet",
    "follower.after_commit@devnet",
    "engine.before_append",
    "engine.after_append",
    "engine.before_publish",
    "engine.after_publish",
    "outbox.before_publish",
    "outbox.after_publish",
    "outbox.after_delete",
    "bus.before_effect_commit",
    "bus.after_effect_commit",
    "signer.after_sign",
    "signer.before_commit",
    "signer.after_commit",
];

/// States that these deeds do not bring about, with the reason or the tests that do.
const BEYOND: &[(&str, &str)] = &[
    ("mail.delivery.new", "is never entered: a delivery begins in it"),
    ("mail.delivery.stuck", "services/notifications/tests/it/staff.rs"),
    (
        "mail.delivery.failed",
        "services/notifications/tests/it/deliveries.rs",
    ),
    (
        "webhook.inbound.received",
        "is never entered: an event begins in it",
    ),
    (
        "withdrawal.refused",
        "a race of two: a052 in services/payment/tests/it/withdrawals.rs",
    ),
    ("withdrawal.failed", "services/payment/tests/it/payments.rs"),
];

/// Transfers, a mail to each receiver, and a webhook of the identity provider.
async fn transfers_mails_and_webhooks(
    town: &Town,
    anna: &Person,
    ben: &Person,
    applicant: (&Person, &str),
) -> anyhow::Result<()> {
    let (emil, submission) = applicant;
    let api = anna.api();
    tokio::try_join!(
        transfer(&api, ben.name(), "first", 11),
        transfer(&api, ben.name(), "second", 12),
        town.provider_approves(submission, emil.name()),
    )?;
    refused(transfer(&api, ben.name(), "too-much", 1_000_000).await)?;
    tokio::try_join!(
        emil.identity_is_approved(),
        anna.will_have(5_000 - 23),
        ben.will_have(23)
    )?;
    for amount in [11, 12] {
        let subject = format!("You received {} ETH", coins(amount));
        let ids = town.mail_ids(ben.email(), &subject).await?;
        ensure!(ids.len() == 1, "copies of one mail have the ids {ids:?}");
    }
    Ok(())
}

/// That somebody wanted more than there is, and not that something else was wrong.
fn refused(asked: anyhow::Result<()>) -> anyhow::Result<()> {
    let error = asked.err().context("more than there is was moved")?;
    ensure!(error.to_string().contains("insufficient"), "{error:#}");
    Ok(())
}

/// A deposit that is credited, one that is credited and then reorganised away, and one that goes before it is confirmed.
async fn deposits(town: &Town, anna: &Person, carl: &Person, dora: &Person) -> anyhow::Result<()> {
    town.pay(anna.deposit_address(), 500).await?;
    anna.will_have(5_000 - 23 + 500).await?;

    let before = height(town).await?;
    town.pay(carl.deposit_address(), 70).await?;
    carl.deposit_is(70, "credited").await?;
    reorganise_after(town, before).await?;
    carl.deposit_is(70, "reversed").await?;
    carl.will_have(5_000).await?;

    // Without further blocks it stays unconfirmed.
    town.rpc("evm_setIntervalMining", json!([0])).await?;
    let before = height(town).await?;
    town.pay(dora.deposit_address(), 30).await?;
    town.rpc("anvil_mine", json!([1])).await?;
    dora.deposit_is(30, "confirming").await?;
    reorganise_after(town, before).await?;
    dora.deposit_is(30, "dropped").await?;
    dora.will_have(5_000).await
}

/// Puts empty blocks in the place of all that came after a height. No block comes meanwhile: one between the look at the chain's
/// end and the deed, and the oldest of those blocks would stay.
async fn reorganise_after(town: &Town, kept: u64) -> anyhow::Result<()> {
    town.rpc("evm_setIntervalMining", json!([0])).await?;
    let first = json!([format!("{:#x}", kept + 1), false]);
    let before = town.rpc("eth_getBlockByNumber", first.clone()).await?;
    town.rpc("anvil_reorg", json!([height(town).await? - kept, []]))
        .await?;
    let after = town.rpc("eth_getBlockByNumber", first).await?;
    ensure!(
        before["hash"] != after["hash"],
        "block {} is still there",
        kept + 1
    );
    town.rpc("evm_setIntervalMining", json!([1])).await?;
    Ok(())
}

async fn height(town: &Town) -> anyhow::Result<u64> {
    let head = town.rpc("eth_blockNumber", json!([])).await?;
    let digits = head
        .as_str()
        .and_then(|text| text.strip_prefix("0x"))
        .context("a height is hex")?;
    Ok(u64::from_str_radix(digits, 16)?)
}

/// Withdrawals: paid at once, paid after staff agreed, rejected by staff, cancelled by the person, refused for want of money.
async fn withdrawals(
    town: &Town,
    road: &Proxy,
    anna: &mut Person,
    carl: &mut Person,
    dora: &mut Person,
) -> anyhow::Result<()> {
    const LARGE: i64 = APPROVED_ABOVE + 500;
    let payees = [fresh_payee(), fresh_payee()];
    // The node takes it, and nobody is told.
    road.drop_reply_to("eth_sendRawTransaction", 1);
    tokio::try_join!(anna.withdraw("small", &payees[0], 40), async {
        let id = carl.ask_withdrawal("large", &payees[1], LARGE).await?;
        town.decide(&id, "approve").await?;
        withdrawal_is(&carl.api(), &id, "settled").await
    },)?;
    // Alone, since it comes to its end once: a kill of another's step between its commit and its own point would take that point.
    let id = dora.ask_withdrawal("doubtful", &fresh_payee(), LARGE).await?;
    town.decide(&id, "reject").await?;
    withdrawal_is(&dora.api(), &id, "rejected").await?;
    tokio::try_join!(
        async {
            let id = anna.ask_withdrawal("regretted", &fresh_payee(), LARGE).await?;
            let api = anna.api();
            withdrawal_is(&api, &id, "awaiting_approval").await?;
            api.post(&format!("/v1/withdrawals/{id}/cancel"), &Value::Null)
                .await?;
            withdrawal_is(&api, &id, "cancelled").await
        },
        async {
            let asked = dora.ask_withdrawal("beyond", &fresh_payee(), 9_000).await;
            refused(asked.map(drop))
        },
    )?;
    tokio::try_join!(
        anna.will_have(5_000 - 23 + 500 - 40 - FEE),
        carl.will_have(5_000 - LARGE - FEE),
        dora.will_have(5_000),
    )?;
    for (payee, amount) in payees.iter().zip([40, LARGE]) {
        let paid = i64::try_from(town.coins_of(payee).await?)?;
        ensure!(paid == amount, "{payee} should have {amount}, but has {paid}");
    }
    ensure!(road.dropped() == 1, "no answer of the node was lost");
    Ok(())
}

/// One process, killed at the first hit of every kill point it comes to.
///
/// F01, F02: block, deposit, ledger entry and outbox. F03, F04: before the bus has it and before the outbox forgets it. F05,
/// F06: an effect and its offset. F26 to F31: each step of a withdrawal, F27 with staff between, F31 by a lost answer. F102, on
/// mails instead of webhooks: what goes out twice goes out under one id.
#[tokio::test(flavor = "multi_thread")]
async fn f001_f002_f003_f004_f005_f006_f026_f027_f028_f029_f030_f031_f102_killed_at_every_point_each_deed_once()
-> anyhow::Result<()> {
    let mut story = Story::begin(Shape::One, Carrier::Embedded).await?;
    let road = Proxy::start(story.system.chain.port()).await;
    let rpc = format!("http://127.0.0.1:{}", road.port());
    let town = Town::found(story.system.surroundings(), story.system.mails.clone(), &rpc).await?;
    let mut anna = town.settle("anna", 5_000).await?;
    let mut carl = town.settle("carl", 5_000).await?;
    let mut dora = town.settle("dora", 5_000).await?;
    let (ben, emil) = (town.welcome("ben").await?, town.welcome("emil").await?);
    let submission = emil.submit_identity().await?;

    let system = &mut story.system;
    let kills = Kills::begin(system).await?;
    let deeds = transfers_mails_and_webhooks(&town, &anna, &ben, (&emil, &submission));
    kills
        .during(system, deeds)
        .await
        .context("transfers, mails and webhooks")?;
    let deeds = async {
        for person in [&mut anna, &mut carl, &mut dora] {
            person.renew().await?;
        }
        deposits(&town, &anna, &carl, &dora).await
    };
    kills.during(system, deeds).await.context("deposits")?;
    let deeds = async {
        for person in [&mut anna, &mut carl, &mut dora] {
            person.renew().await?;
        }
        withdrawals(&town, &road, &mut anna, &mut carl, &mut dora).await
    };
    kills.during(system, deeds).await.context("withdrawals")?;
    kills.end(system).await?;

    let reached = kills.reached()?;
    let missed: Vec<_> = POINTS
        .iter()
        .filter(|point| !reached.iter().any(|name| name.starts_with(**point)))
        .collect();
    ensure!(missed.is_empty(), "never killed at {missed:?}");
    every_state_is_killed_or_named(&kills.known()?, &reached)?;
    anna.will_have(5_000 - 23 + 500 - 40 - FEE).await?;
    story.end().await
}

/// A state that is added to a flow is either brought about by these deeds, and then killed at, or named in [`BEYOND`].
fn every_state_is_killed_or_named(
    known: &BTreeSet<String>,
    reached: &BTreeSet<String>,
) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for point in known {
        let (_, state) = point.split_once('@').context("a point of a flow names a state")?;
        let beyond = BEYOND.iter().any(|(name, _)| *name == state);
        let persisted = ["before", "after"].map(|side| format!("flow.{side}_persist@{state}"));
        let killed = persisted.iter().all(|name| reached.contains(name));
        if killed == beyond {
            let place = if beyond {
                "not beyond these deeds"
            } else {
                "not killed at"
            };
            wrong.push(format!("{state}: {place}"));
        }
    }
    ensure!(!known.is_empty(), "the process announced no state");
    ensure!(wrong.is_empty(), "{wrong:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f095_all_processes_killed_and_started_in_another_order() -> anyhow::Result<()> {
    let mut story = Story::begin(Shape::Split, Carrier::Embedded).await?;
    let around = story.system.surroundings();
    let rpc = around.chain_rpc.clone();
    let town = Town::found(around, story.system.mails.clone(), &rpc).await?;
    let mut anna = town.settle("anna", 1_000).await?;
    let mut ben = town.welcome("ben").await?;
    let mut received = 0;
    for round in 1..=5_usize {
        let mut order = ROLES;
        order.rotate_left(round * 3 % ROLES.len());
        if round.is_multiple_of(2) {
            order.reverse();
        }
        for role in ROLES {
            story.system.kill(role).await?;
        }
        for role in order {
            story.system.start_process(role, &[]).await?;
        }
        for role in order {
            story
                .system
                .wait_ready(role)
                .await
                .with_context(|| format!("started as {order:?}"))?;
        }
        let amount = 10 + i64::try_from(round)?;
        anna.renew().await?;
        ben.renew().await?;
        transfer(&anna.api(), ben.name(), &format!("round-{round}"), amount).await?;
        received += amount;
        ben.will_have(received)
            .await
            .with_context(|| format!("started as {order:?}"))?;
        println!("order {order:?}: {received} thousandths arrived");
    }
    anna.will_have(1_000 - received).await?;
    story.end().await
}
