use axum::http::Method;
use ferrex_web::document;
use serde_json::{Value, json};

use crate::world::{SURFACE, World};

/// What anybody may call; everything else needs a session of staff.
const OPEN: [&str; 3] = ["begin_set_up", "set_up", "create_session"];

#[tokio::test]
async fn a028_every_other_operation_refuses_who_is_not_logged_in() {
    let world = World::start().await;
    let document = serde_json::to_value(document(&SURFACE, &[world.service.routes()])).unwrap();
    let mut protected = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let secured = operation["security"]
                .as_array()
                .is_some_and(|schemes| !schemes.is_empty());
            assert_eq!(secured, !OPEN.contains(&id), "{id}");
            if !secured {
                continue;
            }
            protected += 1;
            let path = path
                .replace("{key}", "dev")
                .replace("{symbol}", "ETH-USDT")
                .replace("{state}", "waiting")
                .replace("{id}", "7");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            for token in [None, Some("fxa_AAAA"), Some("eyJhbGciOiJFZERTQSJ9.e30.c2ln")] {
                let response = world.raw(method.clone(), &path, token, Some(json!({}))).await;
                assert_eq!(response.status(), 401, "{id}");
            }
        }
    }
    assert!(protected >= 18, "only {protected} operations were tried");
}

#[tokio::test]
async fn the_openapi_document_is_as_checked_in() {
    let world = World::start().await;
    let document = serde_json::to_value(document(&SURFACE, &[world.service.routes()])).unwrap();
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(
        kept == document,
        "openapi.json differs; look at it with UPDATE_SNAPSHOTS=1 and git diff"
    );
}
