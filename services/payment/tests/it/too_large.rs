//! A deposit that no account can hold.

use ferrex_contracts::StaffAction;
use ferrex_contracts::payment::{CloseDeposit, Concern, ConcernKind, ListConcerns};
use ferrex_testkit::{Anvil, eventually};
use serde_json::json;

use crate::token_calls;
use crate::world::{CONFIRMATIONS, SOON, World, by};

async fn too_large(world: &World) -> Vec<Concern> {
    let concerns = world.ask(&ListConcerns {}).await.unwrap().concerns;
    concerns
        .into_iter()
        .filter(|concern| concern.kind == ConcernKind::DepositTooLarge)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h014_a_deposit_above_128_bits_waits_for_staff_with_its_whole_amount_and_is_closed_by_them() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    let token = world.create_token("HUGE", 6).await;
    let payer = Anvil::ACCOUNTS[1].address;
    let code = token_calls::huge_log(payer, &address);
    world.anvil.rpc("anvil_setCode", json!([token, code])).await;
    let hash = world.anvil.send(json!({ "from": payer, "to": token })).await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    let concern = eventually(SOON, async || too_large(&world).await.into_iter().next()).await;
    let whole = "340282366920938463463374607431768211461";
    assert_eq!(
        (
            concern.amount.as_deref(),
            concern.transaction.as_deref(),
            concern.user,
            concern.asset.as_deref()
        ),
        (Some(whole), Some(&*hash), Some(anna.id), Some("HUGE"))
    );
    let list = world.get(anna, "/v1/deposits").await;
    let item = &list["items"][0];
    assert_eq!(
        (item["status"].as_str(), item["amount"].as_str()),
        (Some("too_large"), Some(whole))
    );
    assert_eq!(world.balance(anna, "HUGE").await, ["0", "0", "0", "0"]);

    let close = CloseDeposit {
        deposit: concern.subject.parse().unwrap(),
        by: by(),
    };
    let silent = CloseDeposit {
        by: StaffAction {
            reason: " ".into(),
            ..by()
        },
        ..close.clone()
    };
    assert_eq!(world.ask(&silent).await.unwrap_err().code, "payment.reason");
    for _ in 0..2 {
        world.ask(&close).await.unwrap();
    }
    assert!(too_large(&world).await.is_empty());
    assert_eq!(
        world.count("SELECT count(*) FROM payment.deposit_closing").await,
        1
    );
    world.give(anna, 1).await;
    let list = world.get(anna, "/v1/deposits").await;
    let in_books = CloseDeposit {
        deposit: list["items"][0]["id"].as_str().unwrap().parse().unwrap(),
        by: by(),
    };
    assert_eq!(
        world.ask(&in_books).await.unwrap_err().code,
        "payment.deposit.in_books"
    );
    world.finish().await;
}
