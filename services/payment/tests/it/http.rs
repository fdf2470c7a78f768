use axum::http::StatusCode;
use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a026_what_is_another_persons_is_not_there() {
    let world = World::start().await;
    let (anna, ben) = (world.person("anna").await, world.person("ben").await);
    world.give(anna, 1).await;
    let list = world.get(anna, "/v1/deposits").await;
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    for path in [
        format!("/v1/deposits/{id}"),
        "/v1/withdrawals/wdr_00000000000000000000000000".to_owned(),
        "/v1/transfers/trf_00000000000000000000000000".to_owned(),
    ] {
        let (status, answer) = world.call(ben, "GET", &path, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {answer}");
    }
    let path = "/v1/withdrawals/wdr_00000000000000000000000000/cancel";
    let (status, _) = world.call(ben, "POST", path, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    for path in [
        "/v1/deposits",
        "/v1/withdrawals",
        "/v1/history",
        "/v1/deposit-addresses",
        "/v1/balances",
    ] {
        assert_eq!(world.get(ben, path).await["items"], json!([]), "{path}");
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_registry_is_public_and_ids_of_another_kind_are_refused() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let networks = world.get(anna, "/v1/networks").await;
    assert_eq!(
        (
            networks["items"][0]["key"].as_str(),
            networks["items"][0]["chain_id"].as_u64()
        ),
        (Some("anvil"), Some(31_337))
    );
    assert!(
        !networks.to_string().contains("127.0.0.1"),
        "addresses of nodes are not told"
    );
    let assets = world.get(anna, "/v1/assets").await;
    assert_eq!(assets["items"][0]["withdrawal_fee"], "0.001");
    let (status, answer) = world
        .call(anna, "GET", "/v1/deposits/wdr_00000000000000000000000000", None)
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let (status, answer) = world
        .call(
            anna,
            "POST",
            "/v1/deposit-addresses",
            Some(json!({ "network": "nope" })),
        )
        .await;
    assert_eq!(
        (status, &answer["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("network"))
    );
    let (status, _) = world.call(anna, "GET", "/v1/history?limit=0", None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    world.finish().await;
}
