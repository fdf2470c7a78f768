use ferrex_core::SCHEMA;
use ferrex_postgres::assert_schema_matches;

use crate::world::{HOME, World};

#[tokio::test]
async fn the_checked_in_schema_is_what_the_migrations_make() {
    let world = World::new().await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
    assert_schema_matches(&world.database.admin_url, SCHEMA.schema, file).await;
}

#[tokio::test]
async fn people_and_submissions_cannot_be_deleted_by_the_service() {
    let world = World::new().await;
    for statement in ["DELETE FROM users", "DELETE FROM verifications"] {
        let error = sqlx::query(statement).execute(world.db.pool()).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
}

#[tokio::test]
async fn the_document_lists_every_operation_with_its_refusals() {
    let world = World::new().await;
    let document = world
        .call(axum::http::Method::GET, "/openapi.json", None, None, HOME)
        .await
        .expect(200);
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<&str> = operation["responses"]
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            for common in ["422", "429", "500", "503"] {
                assert!(
                    statuses.contains(&common),
                    "{method} {path} does not say {common}"
                );
            }
            assert!(
                statuses.iter().any(|status| status.starts_with('2')),
                "{method} {path}"
            );
            let secured = operation.get("security").is_some();
            assert_eq!(
                secured,
                path.starts_with("/v1/me")
                    || statuses.contains(&"401")
                        && !path.ends_with("second-factor")
                        && !(method == "post" && path == "/v1/sessions"),
                "{method} {path}"
            );
            operations.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    operations.sort();
    let expected = [
        "change_password",
        "confirm_password_reset",
        "confirm_registration",
        "confirm_totp",
        "create_password_reset",
        "create_registration",
        "create_session",
        "disable_totp",
        "enrol_totp",
        "finish_login",
        "get_me",
        "get_second_factor",
        "list_sessions",
        "list_verifications",
        "log_out",
        "renew_access_token",
        "replace_recovery_codes",
        "resend_registration",
        "revoke_other_sessions",
        "revoke_session",
        "submit_verification",
    ];
    assert_eq!(operations, expected);
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert!(schemes.contains_key("bearer") && schemes.contains_key("session_token"));
}
