//! Processes that are killed and started again.

use anyhow::Context as _;
use ferrex_dev::plan::{Carrier, ROLES, Shape};
use ferrex_e2e::Story;
use ferrex_e2e::town::{Town, transfer};

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
