//! Surroundings that go away and come back: the rest goes on, readiness says which, nothing accepted is lost.

use std::time::Duration;

use ferrex_dev::plan::{Carrier, Shape};
use ferrex_dev::system::System;
use ferrex_e2e::Story;
use ferrex_e2e::client::Api;
use ferrex_e2e::town::{Town, transfer};
use ferrex_testkit::{Proxy, eventually};
use reqwest::Method;

/// How soon readiness tells of what is away, and of its return.
const NOTICED_WITHIN: Duration = Duration::from_mins(1);

/// Waits until readiness says that these are missing; with none, until it is ready.
async fn missing(system: &System, parts: &[&str]) -> anyhow::Result<()> {
    let operations = Api::new(&system.operations_of("all")?)?;
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
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn smtp_away_then_back_delivers_without_a_hand() -> anyhow::Result<()> {
    let story = Story::begin(Shape::One, Carrier::Embedded).await?;
    let around = story.system.surroundings();
    let rpc = around.chain_rpc.clone();
    let town = Town::found(around, story.system.mails.clone(), &rpc).await?;
    let (anna, ben) = (town.settle("anna", 1_000).await?, town.welcome("ben").await?);
    story.system.mails.stop();
    transfer(&anna.api(), ben.name(), "away", 11).await?;
    ben.will_have(11).await?;
    missing(&story.system, &["smtp"]).await?;
    assert!(
        town.mails_with(ben.email(), "You received").is_empty(),
        "a mail came while SMTP was away"
    );
    story.system.mails.start_again().await;
    assert_eq!(town.copies(ben.email(), "You received 0.011 ETH").await?, 1);
    missing(&story.system, &[]).await?;
    story.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_away_and_back_loses_nothing() -> anyhow::Result<()> {
    let mut story = Story::begin(Shape::One, Carrier::Embedded).await?;
    let around = story.system.surroundings();
    let rpc = around.chain_rpc.clone();
    let town = Town::found(around, story.system.mails.clone(), &rpc).await?;
    let (anna, ben) = (town.settle("anna", 1_000).await?, town.welcome("ben").await?);
    transfer(&anna.api(), ben.name(), "before", 11).await?;
    story.system.postgres.stop().await?;
    missing(&story.system, &["bus", "engine"]).await?;
    let (api, name) = (anna.api(), ben.name().to_owned());
    let during = tokio::spawn(async move { transfer(&api, &name, "during", 12).await });
    story.system.postgres.start_again().await?;
    during.await??;
    transfer(&anna.api(), ben.name(), "after", 13).await?;
    missing(&story.system, &[]).await?;
    anna.will_have(1_000 - 36).await?;
    ben.will_have(36).await?;
    for mail in ["0.011", "0.012", "0.013"] {
        assert_eq!(
            town.copies(ben.email(), &format!("You received {mail} ETH"))
                .await?,
            1
        );
    }
    story.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn chain_node_away_and_back_credits_what_was_paid_meanwhile() -> anyhow::Result<()> {
    let story = Story::begin(Shape::One, Carrier::Embedded).await?;
    let road = Proxy::start(story.system.chain.port()).await;
    let rpc = format!("http://127.0.0.1:{}", road.port());
    let town = Town::found(story.system.surroundings(), story.system.mails.clone(), &rpc).await?;
    let (anna, ben) = (town.settle("anna", 1_000).await?, town.welcome("ben").await?);
    road.refuse();
    missing(&story.system, &["network devnet"]).await?;
    town.pay(anna.deposit_address(), 500).await?;
    transfer(&anna.api(), ben.name(), "away", 11).await?;
    ben.will_have(11).await?;
    road.accept();
    anna.will_have(1_500 - 11).await?;
    missing(&story.system, &[]).await?;
    story.end().await
}
