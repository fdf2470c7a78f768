use ferrex_engine::Config;
use ferrex_engine_client::{EngineClient, RemoteConfig};
use ferrex_ledger::Owner;
use ferrex_settings::SecretFile;
use ferrex_testkit::eventually;
use futures::future::join_all;

use crate::support::*;

const TOKEN: &str = "a-service-token";

/// A listening engine; the token's file lives as long as the directory.
fn listening(dir: &tempfile::TempDir) -> Config {
    let file = dir.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    Config {
        listen: Some(([127, 0, 0, 1], 0).into()),
        token_file: Some(SecretFile::new(file)),
        lease_ms: 600_000,
        follow_ms: 20,
        ..Config::default()
    }
}

fn client(addresses: Vec<String>, token: &str) -> EngineClient {
    EngineClient::remote(RemoteConfig::new(addresses, token.to_owned().into())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_client_sees_what_a_local_one_sees() {
    let db = database().await;
    let dir = tempfile::tempdir().unwrap();
    let engine = start_with(&db, listening(&dir), None).await;
    let address = engine.address.clone().unwrap();
    let remote = client(vec![address.clone()], TOKEN);
    let users: Vec<_> = (0..4).map(|_| new_id()).collect();
    for user in &users {
        submit(&remote, &deposit(*user, 100)).await;
    }
    let commands: Vec<_> = (0..600)
        .map(|n| transfer(users[n % 4], users[(n + 1) % 4], 1 + n as u128 % 60))
        .collect();
    let outcomes = join_all(commands.iter().map(|command| submit(&remote, command))).await;
    assert!(
        outcomes.iter().any(|outcome| outcome.is_applied())
            && outcomes.iter().any(|outcome| !outcome.is_applied())
    );
    for (command, outcome) in commands.iter().zip(&outcomes) {
        assert_eq!(submit(&engine.client, command).await, *outcome);
    }
    for user in &users {
        let owner = Owner::User(*user);
        assert_eq!(remote.balances(owner).await, engine.client.balances(owner).await);
    }
    assert_eq!(
        remote.expired_holds(commands[0].at, 10).await,
        engine.client.expired_holds(commands[0].at, 10).await
    );
    let stranger = client(vec![address], "another token");
    assert!(stranger.submit(deposit(users[0], 1)).await.is_err());
    assert!(stranger.balances(Owner::House).await.is_err());
    finish(engine, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_client_follows_the_owner() {
    let db = database().await;
    let dir = tempfile::tempdir().unwrap();
    let first = start_with(&db, listening(&dir), None).await;
    let alice = new_id();
    let command = deposit(alice, 100);
    let outcome = submit(&first.client, &command).await;
    let second = start_with(&db, listening(&dir), None).await;
    eventually(SOON, || async { second.readiness.is_ready() }).await;
    // Only the standby's address is known; it names the owner.
    let remote = client(vec![second.address.clone().unwrap()], TOKEN);
    assert_eq!(remote.submit(command.clone()).await, Ok(outcome));
    first.stop().await;
    assert_eq!(submit(&remote, &command).await, outcome);
    assert!(submit(&remote, &deposit(alice, 1)).await.is_applied());
    assert_eq!(wallet(&remote, alice).await, (101, 0));
    finish(second, &db).await;
}
