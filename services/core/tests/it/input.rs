use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{HOME, PASSWORD, World};

/// Posts a body that must be refused and gives the fields at fault.
async fn fields(world: &World, path: &str, token: Option<&str>, body: &Value) -> Vec<String> {
    let answer = world
        .call(Method::POST, path, token, Some(&body.to_string()), HOME)
        .await;
    assert_eq!(answer.status, 422, "{path} {body}: {}", answer.body);
    let errors = answer.body["errors"]
        .as_array()
        .unwrap_or_else(|| panic!("no errors in {}", answer.body));
    assert!(
        errors
            .iter()
            .all(|error| error["message"].as_str().is_some_and(|text| text.len() > 5))
    );
    errors
        .iter()
        .map(|error| error["field"].as_str().expect("a name").to_owned())
        .collect()
}

/// Bodies that differ from a good one in one field, whose name the refusal must give.
async fn refuses_each(world: &World, path: &str, token: Option<&str>, good: &Value, bad: &[(&str, Value)]) {
    for (field, value) in bad {
        let mut body = good.clone();
        body[field] = value.clone();
        assert_eq!(fields(world, path, token, &body).await, [*field], "{body}");
    }
    for field in good.as_object().expect("an object").keys() {
        let mut body = good.clone();
        body.as_object_mut().expect("an object").remove(field);
        assert_eq!(
            fields(world, path, token, &body).await,
            [field.as_str()],
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_registration_names_each_field_at_fault() {
    let world = World::new().await;
    let good = json!({ "email": "anna@example.org", "user_name": "anna", "password": PASSWORD });
    let bad = [
        ("email", json!("anna")),
        ("email", json!("anna@localhost")),
        ("email", json!("")),
        ("email", json!(null)),
        ("email", json!(5)),
        ("email", json!(["anna@example.org"])),
        ("email", json!("anna\u{0}@example.org")),
        ("user_name", json!("a")),
        ("user_name", json!("anna smith")),
        ("user_name", json!("admin")),
        ("user_name", json!(true)),
        ("user_name", json!("аnna")),
        ("password", json!("short")),
        ("password", json!("password12")),
        ("password", json!("anna@example.org")),
        ("password", json!("x".repeat(129))),
        ("password", json!(1_234_567_890)),
    ];
    refuses_each(&world, "/v1/registrations", None, &good, &bad).await;
    let several = json!({ "email": "", "user_name": "", "password": "" });
    assert_eq!(
        fields(&world, "/v1/registrations", None, &several).await,
        ["email", "user_name", "password"]
    );
    assert!(world.mails("anna@example.org").await.is_empty());
}

#[tokio::test]
async fn a_submission_names_each_field_at_fault() {
    let world = World::new().await;
    let login = world.login(&world.person("anna").await).await;
    let good = json!({ "legal_name": "Anna Smith", "birth_date": "1990-05-17", "country": "DE" });
    let bad = [
        ("legal_name", json!("A")),
        ("legal_name", json!("<script>")),
        ("legal_name", json!("=cmd()")),
        ("legal_name", json!(null)),
        ("birth_date", json!("17.05.1990")),
        ("birth_date", json!("1990-02-30")),
        ("birth_date", json!("2020-01-01")),
        ("birth_date", json!("2999-01-01")),
        ("birth_date", json!("1800-01-01")),
        ("birth_date", json!(19_900_517)),
        ("country", json!("Germany")),
        ("country", json!("XX")),
        ("country", json!("")),
    ];
    let path = "/v1/me/verifications";
    refuses_each(&world, path, Some(&login.access_token), &good, &bad).await;
    // What was refused cost no attempt.
    world.post_as(&login, path, good).await.expect(201);
}

#[tokio::test]
async fn answers_to_codes_say_which_fields_belong_together() {
    let world = World::new().await;
    let id = ferrex_ids::ChallengeId::new_at(1).to_string();
    for (body, field) in [
        (json!({}), "id"),
        (json!({ "code": "12345678" }), "id"),
        (json!({ "id": id }), "code"),
        (json!({ "id": "usr_x", "code": "12345678" }), "id"),
        (json!({ "id": id, "code": "12345678", "token": "x" }), "token"),
        (json!({ "id": id, "token": "x" }), "token"),
        (json!({ "id": id, "code": 12_345_678 }), "code"),
    ] {
        assert_eq!(
            fields(&world, "/v1/registrations/confirm", None, &body).await,
            [field],
            "{body}"
        );
    }
}

#[tokio::test]
async fn a029_fields_that_nobody_asked_for_are_refused_on_every_endpoint() {
    let world = World::new().await;
    let login = world.login(&world.person("anna").await).await;
    let bodies = [
        (
            Method::POST,
            "/v1/registrations",
            json!({ "email": "a@example.org", "user_name": "abc", "password": PASSWORD }),
        ),
        (Method::POST, "/v1/registrations/confirm", json!({ "token": "x" })),
        (
            Method::POST,
            "/v1/sessions",
            json!({ "email": "a@example.org", "password": PASSWORD }),
        ),
        (
            Method::POST,
            "/v1/sessions/second-factor",
            json!({ "login_token": "x", "code": "123456" }),
        ),
        (
            Method::POST,
            "/v1/password-resets",
            json!({ "email": "a@example.org" }),
        ),
        (
            Method::POST,
            "/v1/password-resets/confirm",
            json!({ "token": "x", "password": PASSWORD }),
        ),
        (
            Method::PUT,
            "/v1/me/password",
            json!({ "password": PASSWORD, "new_password": PASSWORD }),
        ),
        (
            Method::POST,
            "/v1/me/second-factor/totp",
            json!({ "password": PASSWORD }),
        ),
        (
            Method::POST,
            "/v1/me/second-factor/totp/confirm",
            json!({ "code": "123456" }),
        ),
        (
            Method::POST,
            "/v1/me/second-factor/totp/disable",
            json!({ "password": PASSWORD, "code": "123456" }),
        ),
        (
            Method::POST,
            "/v1/me/second-factor/recovery-codes",
            json!({ "code": "123456" }),
        ),
        (
            Method::POST,
            "/v1/me/verifications",
            json!({ "legal_name": "Anna Smith", "birth_date": "1990-05-17", "country": "DE" }),
        ),
    ];
    for (method, path, good) in bodies {
        for field in [
            "is_admin",
            "level",
            "kyc_level",
            "balance",
            "user_id",
            "status",
            "created_at",
            "frozen",
        ] {
            let mut body = good.clone();
            body[field] = json!(1);
            let text = body.to_string();
            let answer = world
                .call(method.clone(), path, Some(&login.access_token), Some(&text), HOME)
                .await;
            let refused = answer.refused(422, "web.body.field");
            assert_eq!(refused["errors"][0]["field"], field, "{path}");
        }
    }
    let me = world.get_as(&login, "/v1/me").await.expect(200);
    assert_eq!((&me["level"], &me["frozen"]), (&json!(0), &json!(false)));
}

#[tokio::test]
async fn without_a_token_nothing_personal_is_answered() {
    let world = World::new().await;
    for (method, path) in [
        (Method::GET, "/v1/me"),
        (Method::PUT, "/v1/me/password"),
        (Method::GET, "/v1/me/second-factor"),
        (Method::POST, "/v1/me/second-factor/totp"),
        (Method::POST, "/v1/me/second-factor/totp/confirm"),
        (Method::POST, "/v1/me/second-factor/totp/disable"),
        (Method::POST, "/v1/me/second-factor/recovery-codes"),
        (Method::GET, "/v1/me/verifications"),
        (Method::POST, "/v1/me/verifications"),
        (Method::GET, "/v1/sessions"),
        (Method::DELETE, "/v1/sessions"),
        (Method::DELETE, "/v1/sessions/current"),
        (Method::DELETE, "/v1/sessions/ses_00000000000000000000000000"),
        (Method::POST, "/v1/sessions/current/token"),
    ] {
        for token in [None, Some("x"), Some("fxs_x"), Some("a.b.c")] {
            let answer = world.call(method.clone(), path, token, Some("{}"), HOME).await;
            assert_eq!(answer.status, 401, "{method} {path} {token:?}: {}", answer.body);
        }
    }
}
