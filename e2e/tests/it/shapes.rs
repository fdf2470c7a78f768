//! The story in both shapes, a trading day, and what the listeners keep apart.

use ferrex_dev::plan::{Carrier, Shape};
use ferrex_e2e::Story;
use ferrex_e2e::client::Api;
use reqwest::Method;

#[tokio::test(flavor = "multi_thread")]
async fn story_all_roles_in_one_process_on_the_embedded_bus() -> anyhow::Result<()> {
    let story = Story::begin(Shape::One, Carrier::Embedded).await?;
    let told = story.demo().await?;
    assert!(told.contains("the story is told"), "{told}");
    story.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn story_one_process_per_role_on_kafka() -> anyhow::Result<()> {
    let story = Story::begin(Shape::Split, Carrier::Kafka).await?;
    let told = story.demo().await?;
    assert!(told.contains("the story is told"), "{told}");
    story.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn f088_a_trading_day_with_the_engine_killed_twice_is_explained_to_the_last_unit() -> anyhow::Result<()>
{
    let mut story = Story::begin(Shape::Standby, Carrier::Embedded).await?;
    let told = story.demo_trade().await?;
    println!("{told}");
    assert_eq!(told.matches(" kill: ").count(), 2, "{told}");
    for said in ["explained to the last unit", "audit: ", "the trading day is told"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    story.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_and_operations_never_answer_on_the_public_listener() -> anyhow::Result<()> {
    let story = Story::begin(Shape::One, Carrier::Embedded).await?;
    let around = story.system.surroundings();
    let (public, admin) = (Api::new(&around.public)?, Api::new(&around.admin)?);
    let staff = admin.get("/openapi.json").await?;
    let people = public.get("/openapi.json").await?;
    assert_ne!(staff, people, "each listener has a document of its own");
    let of_people = people["paths"].as_object().expect("paths");
    let mut tried = 0;
    for path in staff["paths"]
        .as_object()
        .expect("paths")
        .keys()
        .filter(|path| !of_people.contains_key(*path))
    {
        let filled: Vec<&str> = path
            .split('/')
            .map(|part| if part.starts_with('{') { "x" } else { part })
            .collect();
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let (status, body) = public.once(method.clone(), &filled.join("/"), None, None).await?;
            assert!(
                [401, 404, 405].contains(&status.as_u16()),
                "{method} {path} answered {status}: {body}"
            );
            assert!(
                body["code"].is_string(),
                "{method} {path} should be a problem, but is {body}"
            );
        }
        tried += 1;
    }
    assert!(tried > 5, "only {tried} paths of staff were tried");
    for path in ["/metrics", "/readyz", "/livez"] {
        for listener in [&public, &admin] {
            let (status, body) = listener.once(Method::GET, path, None, None).await?;
            assert!(
                [401, 404].contains(&status.as_u16()),
                "{path} answered {status}: {body}"
            );
        }
    }
    story.end().await
}
