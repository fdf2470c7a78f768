//! `make kills`: the process is killed at every step of every flow, started again, and each deed must have taken effect once.
//!
//! Minutes a group, so it is a run of its own and no part of `make test`. `cargo run -p ferrex-e2e --bin kills -- withdrawal`
//! runs one group.

use std::time::Duration;

use anyhow::Context as _;
use ferrex_dev::plan::{Carrier, Shape};
use ferrex_e2e::Story;
use ferrex_e2e::town::{FEE, Town, coins, fresh_payee, transfer, withdraw};
use tokio::task::JoinHandle;

/// How long after the action the process may still live.
const REACHED_WITHIN: Duration = Duration::from_mins(1);

/// The smallest thing a client does that reaches a point.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Transfer,
    Deposit,
    Withdrawal,
    Webhook,
}

/// Each step of a withdrawal. Late steps come first, because a killed effect waits for its lease to run out and holds up the
/// nonces behind it.
const WITHDRAWAL: &[(&str, Deed)] = &[
    ("flow.before_persist@withdrawal.settled", Deed::Withdrawal),
    ("flow.after_effect@withdrawal.settling", Deed::Withdrawal),
    ("flow.before_effect@withdrawal.settling", Deed::Withdrawal),
    ("flow.after_effect@withdrawal.broadcasting", Deed::Withdrawal),
    ("signer.after_commit", Deed::Withdrawal),
    ("signer.after_sign", Deed::Withdrawal),
    ("flow.before_effect@withdrawal.preparing", Deed::Withdrawal),
    ("flow.after_persist@withdrawal.requested", Deed::Withdrawal),
];

/// Each step of a deposit.
const DEPOSIT: &[(&str, Deed)] = &[
    ("follower.before_commit@devnet", Deed::Deposit),
    ("follower.after_commit@devnet", Deed::Deposit),
    ("flow.before_effect@deposit.crediting", Deed::Deposit),
    ("flow.after_effect@deposit.crediting", Deed::Deposit),
    ("flow.before_outcome@deposit.crediting", Deed::Deposit),
    ("flow.before_persist@deposit.credited", Deed::Deposit),
];

/// Each step of a transfer, of what it makes the engine and the bus do, of its mail, and of a webhook.
const OTHERS: &[(&str, Deed)] = &[
    ("flow.before_persist@transfer.requested", Deed::Transfer),
    ("flow.after_persist@transfer.requested", Deed::Transfer),
    ("flow.before_persist@transfer.completed", Deed::Transfer),
    ("flow.after_persist@transfer.completed", Deed::Transfer),
    ("engine.before_append", Deed::Transfer),
    ("engine.after_append", Deed::Transfer),
    ("engine.before_publish", Deed::Transfer),
    ("engine.after_publish", Deed::Transfer),
    ("outbox.before_publish", Deed::Transfer),
    ("outbox.after_publish", Deed::Transfer),
    ("outbox.after_delete", Deed::Transfer),
    ("flow.before_effect@mail.delivery.queued", Deed::Transfer),
    ("flow.after_effect@mail.delivery.queued", Deed::Transfer),
    ("flow.before_outcome@mail.delivery.queued", Deed::Transfer),
    ("flow.before_persist@webhook.inbound.queued", Deed::Webhook),
    ("flow.after_persist@webhook.inbound.queued", Deed::Webhook),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let only = std::env::args().nth(1);
    let groups: [(&str, &'static [(&'static str, Deed)]); 3] = [
        ("withdrawal", WITHDRAWAL),
        ("deposit", DEPOSIT),
        ("others", OTHERS),
    ];
    for (name, points) in groups {
        if only.as_deref().is_none_or(|only| only == name) {
            println!("== {name}");
            killed_at(points)
                .await
                .with_context(|| format!("killing in the group {name}"))?;
            println!("== {name}: each deed took effect once, the audit is clean");
        }
    }
    Ok(())
}

/// Kills the process at each point in turn while a deed is under way, starts it again, and checks at the end that each deed
/// took effect once.
async fn killed_at(points: &'static [(&'static str, Deed)]) -> anyhow::Result<()> {
    let mut story = Story::begin(Shape::One, Carrier::Embedded).await?;
    let around = story.system.surroundings();
    let rpc = around.chain_rpc.clone();
    let town = Town::found(around, story.system.mails.clone(), &rpc).await?;
    let mut rich = [
        town.settle("anna", 5_000).await?,
        town.settle("carl", 5_000).await?,
        town.settle("dora", 5_000).await?,
    ];
    let mut have = [5_000_i64; 3];
    let mut ben = town.welcome("ben").await?;
    let mut to_verify = Vec::new();
    for name in ["emil", "fred"] {
        let person = town.welcome(name).await?;
        to_verify.push((person.submit_identity().await?, person));
    }
    let mut verified = Vec::new();
    let (mut payees, mut received) = (Vec::new(), Vec::new());

    for (number, (point, deed)) in points.iter().enumerate() {
        let key = format!("deed-{number}");
        let amount = 10 + i64::try_from(number)?;
        let who = number % rich.len();
        let mut asked: Option<JoinHandle<anyhow::Result<()>>> = None;
        story.system.stop_process("all").await?;
        story
            .system
            .start_process("all", &[("FERREX_KILL", &format!("{point}:1"))])
            .await?;
        match deed {
            Deed::Transfer => {
                let (api, to) = (rich[who].api(), ben.name().to_owned());
                asked = Some(tokio::spawn(
                    async move { transfer(&api, &to, &key, amount).await },
                ));
                have[who] -= amount;
                received.push(amount);
            }
            Deed::Deposit => {
                town.pay(rich[who].deposit_address(), u128::try_from(amount)?)
                    .await?;
                have[who] += amount;
            }
            Deed::Withdrawal => {
                let (code, payee) = (rich[who].code().await, fresh_payee());
                let (api, to) = (rich[who].api(), payee.clone());
                asked = Some(tokio::spawn(async move {
                    withdraw(&api, &key, &code, &to, amount).await
                }));
                have[who] -= amount + FEE;
                payees.push((*point, payee, amount));
            }
            Deed::Webhook => {
                let (submission, person) = to_verify.pop().context("a person for each webhook")?;
                town.provider_approves(&submission, person.name()).await?;
                verified.push((*point, person));
            }
        }
        story
            .system
            .wait_ended("all", REACHED_WITHIN)
            .await
            .with_context(|| format!("{point} was not reached"))?;
        println!("{point}: killed");
        story.system.start_process("all", &[]).await?;
        story.system.wait_ready("all").await?;
        if let Some(asked) = asked {
            asked
                .await?
                .with_context(|| format!("what was asked when {point} killed the process"))?;
        }
        for person in &mut rich {
            person.renew().await?;
        }
    }

    for (point, person) in &mut verified {
        person.renew().await?;
        person
            .identity_is_approved()
            .await
            .with_context(|| format!("the webhook at {point}"))?;
    }
    ben.renew().await?;
    for (person, have) in rich.iter_mut().zip(have) {
        person.renew().await?;
        person.will_have(have).await?;
    }
    // Who received nothing has no account yet.
    if !received.is_empty() {
        ben.will_have(received.iter().sum()).await?;
    }
    for (point, payee, amount) in payees {
        let paid = i64::try_from(town.coins_of(&payee).await?)?;
        assert_eq!(paid, amount, "the withdrawal at {point} should be paid once");
    }
    for amount in received {
        let copies = town
            .copies(ben.email(), &format!("You received {} ETH", coins(amount)))
            .await?;
        assert!(copies <= 2, "{copies} copies of the mail about {amount}");
    }
    story.end().await
}
