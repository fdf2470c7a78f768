use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::world::{HOME, World};

const PUBLIC: &str = "https://wallet.example";

async fn page(world: &World, path: &str) -> (String, String) {
    let answer = world.call(Method::GET, path, None, None, HOME).await;
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.headers[name], value, "{path}");
    }
    let policy = answer.headers["content-security-policy"]
        .to_str()
        .expect("ASCII")
        .to_owned();
    let html = answer.expect(200);
    (html.as_str().expect("HTML").to_owned(), policy)
}

/// The path of the page that a link of a mail leads to, and its token.
fn parts(link: &str) -> (&str, &str) {
    let (page, token) = link.split_once("#token=").expect("the token stands behind the #");
    (page.strip_prefix(PUBLIC).expect("a page of ours"), token)
}

#[tokio::test]
async fn a024_links_of_mails_lead_to_pages_and_their_tokens_are_good() {
    let world = World::new().await;
    let (_, email) = world.register("anna").await;
    let mail = world.last_mail(&email, "confirm_email").await;
    let (path, token) = parts(&mail.params["link"]);
    assert!(
        page(&world, path)
            .await
            .0
            .contains("\"/v1/registrations/confirm\"")
    );
    world
        .post("/v1/registrations/confirm", json!({ "token": token }))
        .await
        .expect(201);

    world
        .post("/v1/password-resets", json!({ "email": email }))
        .await
        .expect(202);
    let mail = world.last_mail(&email, "password_reset").await;
    let (path, token) = parts(&mail.params["link"]);
    assert!(
        page(&world, path)
            .await
            .0
            .contains("\"/v1/password-resets/confirm\"")
    );
    let body = json!({ "token": token, "password": "another umbrage lantern 9" });
    world.post("/v1/password-resets/confirm", body).await.expect(204);

    world.register("anna2").await;
    let body = json!({ "email": email, "user_name": "anna3", "password": "another umbrage lantern 9" });
    world.post("/v1/registrations", body).await.expect(202);
    let mail = world.last_mail(&email, "already_registered").await;
    for link in ["link", "reset_link"] {
        page(&world, mail.params[link].strip_prefix(PUBLIC).unwrap()).await;
    }
    // The foot of every mail names the address itself.
    page(&world, "/").await;
    world
        .post("/v1/password-resets", json!({ "email": "nobody@example.org" }))
        .await
        .expect(202);
    let mail = world.last_mail("nobody@example.org", "no_account").await;
    page(&world, mail.params["link"].strip_prefix(PUBLIC).unwrap()).await;
}

#[tokio::test]
async fn a_page_runs_its_own_script_and_nothing_else() {
    let world = World::new().await;
    for path in [
        "/register",
        "/register/confirm",
        "/password/reset",
        "/password/reset/confirm",
    ] {
        let (html, policy) = page(&world, path).await;
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(
            !policy.contains("unsafe") && policy.contains("connect-src 'self'"),
            "{policy}"
        );
        for element in ["script", "style"] {
            assert_eq!(
                html.matches(&format!("<{element}")).count(),
                1,
                "{path}: {element}"
            );
            let (_, rest) = html.split_once(&format!("<{element}>")).unwrap();
            let (text, _) = rest.split_once(&format!("</{element}>")).unwrap();
            assert!(text.len() > 500, "{path}: the shared part is in it");
            let allowed = format!("{element}-src 'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
            assert!(policy.contains(&allowed), "{path}: {policy}");
        }
        for foreign in [
            "http://",
            "https://",
            "//cdn",
            "onclick=",
            "style=",
            "innerHTML",
            "@import",
            "url(",
        ] {
            assert!(!html.contains(foreign), "{path} contains {foreign}");
        }
        // Whoever writes a field for a problem must have a place to show it.
        for (place, _) in html.match_indices("<input id=\"") {
            let id = html[place + 11..].split('"').next().unwrap();
            assert!(
                id == "show-password" || html.contains(&format!("id=\"{id}-error\"")),
                "{path}: {id} has no place for its error"
            );
            assert!(
                id == "show-password" || html.contains(&format!("for=\"{id}\"")),
                "{path}: {id} has no label"
            );
        }
    }
}
