//! Surroundings that go away for a minute and come back: the rest goes on, readiness says which, nothing accepted is lost, and
//! nobody lends a hand.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use ferrex_dev::plan::{Carrier, Shape};
use ferrex_dev::system::System;
use ferrex_e2e::client::Api;
use ferrex_e2e::town::{Person, Town, fresh_payee, transfer, withdrawal_is};
use ferrex_e2e::{Outage, Story};
use ferrex_testkit::{Proxy, eventually};
use reqwest::Method;

/// How soon readiness tells of what is away, and of its return.
const NOTICED_WITHIN: Duration = Duration::from_mins(1);

/// Waits until readiness of a process says that these are missing; with none, until it is ready.
async fn missing(system: &System, process: &str, parts: &[&str]) -> anyhow::Result<()> {
    let operations = Api::new(&system.operations_of(process)?)?;
    eventually(NOTICED_WITHIN, async || {
        let (status, body) = operations
            .once(Method::GET, "/readyz", None, None)
            .await
            .map_err(|error| error.to_string())?;
        let text = body["missing"].to_string();
        let fits = status.is_success() == parts.is_empty() && parts.iter().all(|part| text.contains(part));
        if fits {
            Ok(())
        } else {
            Err(format!("{status}: {body}, waiting for {parts:?} missing"))
        }
    })
    .await;
    alive(&operations).await
}

/// A process without its surroundings is not to be restarted for it.
async fn alive(operations: &Api) -> anyhow::Result<()> {
    let (status, body) = operations.once(Method::GET, "/livez", None, None).await?;
    ensure!(status.is_success(), "/livez answered {status}: {body}");
    Ok(())
}

/// A town in a system, with somebody who has money and somebody who has none.
async fn town(story: &Story, rpc: &str) -> anyhow::Result<(Town, Person, Person)> {
    let town = Town::found(story.system.surroundings(), story.system.mails.clone(), rpc).await?;
    let (anna, ben) = tokio::try_join!(town.settle("anna", 1_000), town.welcome("ben"))?;
    Ok((town, anna, ben))
}

/// Each of these amounts is told by one mail, which comes once.
async fn each_mailed_once(town: &Town, to: &Person, amounts: &[&str]) -> anyhow::Result<()> {
    for amount in amounts {
        let subject = format!("You received {amount} ETH");
        town.mail_ids(to.email(), &subject).await?;
        let copies = town.mails_with(to.email(), &subject).len();
        ensure!(copies == 1, "{copies} mails about {amount}");
    }
    Ok(())
}

async fn smtp() -> anyhow::Result<()> {
    let story = Story::beside_others(Shape::One, Carrier::Embedded).await?;
    let (town, anna, mut ben) = town(&story, &story.system.chain.url()).await?;
    story.system.mails.stop();
    let outage = Outage::begins();
    transfer(&anna.api(), ben.name(), "away", 11).await?;
    ben.will_have(11).await?;
    missing(&story.system, "all", &["smtp"]).await?;
    outage.lasts_its_minute().await;
    ensure!(
        town.mails_with(ben.email(), "You received").is_empty(),
        "a mail came while SMTP was away"
    );
    missing(&story.system, "all", &["smtp"]).await?;
    story.system.mails.start_again().await;
    each_mailed_once(&town, &ben, &["0.011"]).await?;
    missing(&story.system, "all", &[]).await?;
    ben.renew().await?;
    ben.will_have(11).await?;
    story.end().await
}

async fn postgres() -> anyhow::Result<()> {
    let mut story = Story::beside_others(Shape::One, Carrier::Embedded).await?;
    let (town, mut anna, mut ben) = town(&story, &story.system.chain.url()).await?;
    transfer(&anna.api(), ben.name(), "before", 11).await?;
    story.system.postgres.stop().await?;
    let outage = Outage::begins();
    missing(&story.system, "all", &["bus", "engine", "postgres"]).await?;
    let (status, answer) = anna.api().once(Method::GET, "/v1/balances", None, None).await?;
    ensure!(status == 503, "without a database it answered {status}: {answer}");
    let (api, name) = (anna.api(), ben.name().to_owned());
    let during = tokio::spawn(async move { transfer(&api, &name, "during", 12).await });
    outage.lasts_its_minute().await;
    story.system.postgres.start_again().await?;
    during.await??;
    for person in [&mut anna, &mut ben] {
        person.renew().await?;
    }
    transfer(&anna.api(), ben.name(), "after", 13).await?;
    missing(&story.system, "all", &[]).await?;
    tokio::try_join!(anna.will_have(1_000 - 36), ben.will_have(36))?;
    each_mailed_once(&town, &ben, &["0.012", "0.013"]).await?;
    // This one was going out as the database went away, so it may come twice, under one id.
    let ids = town.mail_ids(ben.email(), "You received 0.011 ETH").await?;
    ensure!(ids.len() == 1, "mails {ids:?} about 0.011");
    story.end().await
}

async fn chain_node() -> anyhow::Result<()> {
    let story = Story::beside_others(Shape::One, Carrier::Embedded).await?;
    let road = Proxy::start(story.system.chain.port()).await;
    let (town, mut anna, ben) = town(&story, &format!("http://127.0.0.1:{}", road.port())).await?;
    let payee = fresh_payee();
    let asked = anna.ask_withdrawal("before", &payee, 20).await?;
    road.refuse();
    let outage = Outage::begins();
    missing(&story.system, "all", &["network devnet"]).await?;
    town.pay(anna.deposit_address(), 500).await?;
    transfer(&anna.api(), ben.name(), "away", 11).await?;
    ben.will_have(11).await?;
    each_mailed_once(&town, &ben, &["0.011"]).await?;
    outage.lasts_its_minute().await;
    road.accept();
    anna.renew().await?;
    withdrawal_is(&anna.api(), &asked, "settled").await?;
    anna.will_have(1_500 - 11 - 21).await?;
    ensure!(
        town.coins_of(&payee).await? == 20,
        "the withdrawal was not paid once"
    );
    missing(&story.system, "all", &[]).await?;
    story.end().await
}

async fn kafka() -> anyhow::Result<()> {
    let mut story = Story::beside_others(Shape::Split, Carrier::Kafka).await?;
    let (town, mut anna, mut ben) = town(&story, &story.system.chain.url()).await?;
    transfer(&anna.api(), ben.name(), "before", 11).await?;
    each_mailed_once(&town, &ben, &["0.011"]).await?;
    let broker = story.system.kafka.as_mut().context("this carrier is a broker")?;
    broker.stop().await?;
    let outage = Outage::begins();
    for role in ["payment", "core", "notifications"] {
        missing(&story.system, role, &["bus"]).await?;
    }
    // Services that ask each other over the bus say that they cannot; what reaches the engine goes on.
    let (api, name) = (anna.api(), ben.name().to_owned());
    let during = tokio::spawn(async move { transfer(&api, &name, "during", 12).await });
    town.pay(anna.deposit_address(), 500).await?;
    anna.will_have(1_500 - 11).await?;
    outage.lasts_its_minute().await;
    ensure!(
        town.mails_with(anna.email(), "0.5 ETH").is_empty(),
        "a mail came while Kafka was away"
    );
    let broker = story.system.kafka.as_mut().context("this carrier is a broker")?;
    broker.start_again().await?;
    during.await??;
    town.mail_ids(anna.email(), "0.5 ETH").await?;
    for person in [&mut anna, &mut ben] {
        person.renew().await?;
    }
    each_mailed_once(&town, &ben, &["0.011", "0.012"]).await?;
    anna.withdraw("after", &fresh_payee(), 20).await?;
    tokio::try_join!(anna.will_have(1_500 - 23 - 21), ben.will_have(23))?;
    for role in ["payment", "core", "notifications"] {
        missing(&story.system, role, &[]).await?;
    }
    story.end().await
}

/// Four systems at once, since a minute is long and an outage keeps nobody busy.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_kafka_chain_node_or_smtp_away_for_a_minute_and_back() -> anyhow::Result<()> {
    let together = Story::turn().await;
    let all = tokio::join!(
        tokio::spawn(postgres()),
        tokio::spawn(kafka()),
        tokio::spawn(chain_node()),
        tokio::spawn(smtp()),
    );
    drop(together);
    all.0?.context("PostgreSQL away")?;
    all.1?.context("Kafka away")?;
    all.2?.context("the chain node away")?;
    all.3?.context("SMTP away")
}
