//! Whether an address is known must not show in the time of an answer (A03).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::{World, config};

const ROUNDS: usize = 40;

/// The shortest of two kinds of calls, made in turns: what the work takes when nothing else disturbs it.
async fn shortest<A: AsyncFnMut(usize), B: AsyncFnMut(usize)>(
    mut known: A,
    mut unknown: B,
) -> (Duration, Duration) {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let start = Instant::now();
        known(round).await;
        left.push(start.elapsed());
        let start = Instant::now();
        unknown(round).await;
        right.push(start.elapsed());
    }
    let least = |times: Vec<Duration>| times.into_iter().min().unwrap_or_default();
    (least(left), least(right))
}

/// A missing hash is a factor of ten, a missing mail one of two; the noise of a shared machine is well below that.
#[track_caller]
fn assert_alike(what: &str, (known, unknown): (Duration, Duration)) {
    let (low, high) = (known.min(unknown).as_secs_f64(), known.max(unknown).as_secs_f64());
    assert!(
        high / low < 1.5,
        "{what}: {known:?} when known, {unknown:?} when unknown"
    );
}

#[tokio::test]
async fn a003_known_and_unknown_addresses_take_the_same_time() {
    let mut config = config();
    config.hashing.memory_kib = 19_456;
    config.hashing.passes = 2;
    config.limits.mails_per_address = config.limits.registrations_per_network;
    config.limits.free_logins = 10_000;
    config.limits.strangers_per_account = config.limits.registrations_per_network;
    let world = World::with(config).await;
    world.person("anna").await;
    let password = "a wrong but plausible one 5";

    let login = async |email: &str| drop(world.try_login(email, password, "203.0.113.5").await.expect(401));
    let times = shortest(
        async |_| login("anna@example.org").await,
        async |_| login("nobody@example.org").await,
    )
    .await;
    assert_alike("log-in", times);

    let register = async |email: &str, name: String| {
        let body = json!({ "email": email, "user_name": name, "password": password });
        world.post("/v1/registrations", body).await.expect(202);
    };
    let times = shortest(
        async |n| register("anna@example.org", format!("known{n}")).await,
        async |n| register("nobody@example.org", format!("unknown{n}")).await,
    )
    .await;
    assert_alike("registration", times);

    let reset = async |email: &str| {
        drop(
            world
                .post("/v1/password-resets", json!({ "email": email }))
                .await
                .expect(202),
        );
    };
    let times = shortest(
        async |_| reset("anna@example.org").await,
        async |_| reset("nobody@example.org").await,
    )
    .await;
    assert_alike("reset", times);
}
