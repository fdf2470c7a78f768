use axum::http::{Method, header};
use serde_json::json;

use crate::world::{PASSWORD, World, code, token_of};

#[tokio::test]
async fn the_first_account_is_made_with_a_link_a_password_and_an_authenticator() {
    let world = World::start().await;
    let link = world.service.first_link().await.unwrap().unwrap();
    assert!(link.starts_with("http://localhost:8081/setup#fxi_"), "{link}");
    let token = token_of(&link);
    let body = |name: &str, password: &str, code: &str| json!({ "token": token, "name": name, "password": password, "code": code });
    // Not begun yet.
    world
        .post("/v1/setup", None, body("olga", PASSWORD, "123456"))
        .await
        .refused(409, "admin.setup.not_begun");
    let secret = world.begin(token).await;
    let right = code(&secret, &world);
    let refusals = [
        (
            body("Olga!", PASSWORD, &right),
            "admin.staff.name_malformed",
            "name",
        ),
        (
            body("olga", "passwordpassword", &right),
            "admin.password.refused",
            "password",
        ),
        (
            body("olga", "short", &right),
            "admin.password.refused",
            "password",
        ),
        (body("olga", PASSWORD, "000000"), "admin.setup.code_wrong", "code"),
    ];
    for (body, code, field) in refusals {
        let problem = world.post("/v1/setup", None, body).await.refused(422, code);
        assert_eq!(problem["errors"][0]["field"], field);
    }
    let staff = world
        .post("/v1/setup", None, body("olga", PASSWORD, &right))
        .await
        .expect(201);
    assert_eq!(staff["name"], "olga");
    // Used up.
    world
        .post("/v1/setup", None, body("bert", PASSWORD, &right))
        .await
        .refused(403, "admin.setup.link_invalid");
    world
        .post("/v1/setup/begin", None, json!({ "token": token }))
        .await
        .refused(403, "admin.setup.link_invalid");
    assert!(world.service.first_link().await.unwrap().is_none());
}

#[tokio::test]
async fn a_first_account_voids_every_other_first_link() {
    let world = World::start().await;
    let links = [
        world.service.first_link().await.unwrap().unwrap(),
        world.service.first_link().await.unwrap().unwrap(),
    ];
    let bodies: Vec<_> = {
        let mut bodies = Vec::new();
        for (link, name) in links.iter().zip(["olga", "bert"]) {
            let secret = world.begin(token_of(link)).await;
            bodies.push(json!({ "token": token_of(link), "name": name, "password": PASSWORD, "code": code(&secret, &world) }));
        }
        bodies
    };
    // At the same moment, too.
    let (one, two) = tokio::join!(
        world.post("/v1/setup", None, bodies[0].clone()),
        world.post("/v1/setup", None, bodies[1].clone()),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
}

#[tokio::test]
async fn a_link_runs_out_and_guesses_are_refused() {
    let world = World::start().await;
    let link = world.service.first_link().await.unwrap().unwrap();
    for guess in [
        "",
        "fxi_",
        "fxi_AAAA",
        &token_of(&link).replace("fxi_", "fxa_"),
        &format!("{}A", token_of(&link)),
    ] {
        world
            .post("/v1/setup/begin", None, json!({ "token": guess }))
            .await
            .refused(403, "admin.setup.link_invalid");
    }
    world.advance(24 * 3600);
    let late = world
        .post("/v1/setup/begin", None, json!({ "token": token_of(&link) }))
        .await;
    late.refused(403, "admin.setup.link_invalid");
}

#[tokio::test]
async fn staff_invite_others_and_disable_them() {
    let world = World::start().await;
    let olga = world.operator().await;
    let link = world
        .post("/v1/staff/invitations", Some(&olga), json!({}))
        .await
        .expect(201)["setup_url"]
        .clone();
    let bert = world.set_up(token_of(link.as_str().unwrap()), "bert").await;
    world.advance(30);
    let session = world
        .log_in(&bert, PASSWORD, &bert.code(&world))
        .await
        .expect(201);
    let (id, token) = (
        session["staff"].as_str().unwrap(),
        session["token"].as_str().unwrap(),
    );
    let me = world.get("/v1/me", token).await.expect(200);
    assert_eq!(me["name"], "bert");
    let path = format!("/v1/staff/{id}/disable");
    let problem = world
        .post(&path, Some(&olga), json!({ "reason": "x" }))
        .await
        .refused(422, "admin.reason.malformed");
    assert_eq!(problem["errors"][0]["field"], "reason");
    world
        .post(&path, Some(token), json!({ "reason": "myself" }))
        .await
        .refused(409, "admin.staff.self");
    world
        .post(&path, Some(&olga), json!({ "reason": "has left" }))
        .await
        .expect(204);
    world
        .get("/v1/me", token)
        .await
        .refused(401, "admin.session.missing");
    world.advance(30);
    world
        .log_in(&bert, PASSWORD, &bert.code(&world))
        .await
        .refused(401, "admin.login.refused");
    let staff = world.get("/v1/staff", &olga).await.expect(200);
    assert!(staff["items"][1]["disabled_at"].is_string(), "{staff}");
}

#[tokio::test]
async fn the_page_is_self_contained_and_cannot_be_framed() {
    let world = World::start().await;
    for (path, kind) in [
        ("/setup", "text/html"),
        ("/setup/page.js", "text/javascript"),
        ("/setup/page.css", "text/css"),
    ] {
        let response = world.raw(Method::GET, path, None, None).await;
        assert_eq!(response.status(), 200);
        let text = |name| response.headers()[name].to_str().unwrap().to_owned();
        assert!(text(header::CONTENT_TYPE).starts_with(kind));
        let policy = text(header::CONTENT_SECURITY_POLICY);
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(text(header::CACHE_CONTROL), "no-store");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            !body.contains("http://") && !body.contains("https://"),
            "{path} names another host"
        );
        assert!(
            !body.contains("onclick") && !body.contains("style=") && !body.contains("innerHTML"),
            "{path}"
        );
    }
}
