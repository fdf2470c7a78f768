//! A broker whose certificate expires and is renewed.

use std::path::{Path, PathBuf};
use std::process::Command;

use ferrex_bus::{KafkaConfig, TransportConfig, outbox};
use ferrex_testkit::{Kafka, eventually};

use crate::world::{SOON, World, event, message, writing};

fn keytool(dir: &Path, arguments: &str) {
    // Java is here, since Kafka is.
    let output = Command::new("keytool")
        .args(arguments.split(' '))
        .args(["-storetype", "PKCS12", "-storepass", "changeit"])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A key with a certificate that is valid from so many days ago, for so many days; answers the file of both, and the
/// certificate for those who are to trust it.
fn certificate(dir: &Path, name: &str, since: u32, days: u32) -> (PathBuf, String) {
    keytool(
        dir,
        &format!(
            "-genkeypair -alias {name} -keyalg EC -groupname secp256r1 -dname CN={name} -ext san=dns:localhost \
             -startdate -{since}d -validity {days} -keystore {name}.p12"
        ),
    );
    keytool(
        dir,
        &format!("-exportcert -rfc -alias {name} -keystore {name}.p12 -file {name}.pem"),
    );
    let text = std::fs::read_to_string(dir.join(format!("{name}.pem"))).unwrap();
    (dir.join(format!("{name}.p12")), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f071_an_expired_certificate_is_told_and_all_goes_on_with_the_next() {
    message!(Happened, "f071_tls");
    let dir = tempfile::tempdir().unwrap();
    let (first, first_text) = certificate(dir.path(), "first", 1, 30);
    let (expired, expired_text) = certificate(dir.path(), "expired", 30, 2);
    let (renewed, renewed_text) = certificate(dir.path(), "renewed", 1, 30);
    let (trusted, used) = (dir.path().join("trusted.pem"), dir.path().join("used.p12"));
    std::fs::write(&trusted, first_text + &expired_text + &renewed_text).unwrap();
    std::fs::copy(first, &used).unwrap();
    let kafka = Kafka::start_with_tls(&used).await;
    let mut config = KafkaConfig::new(format!("localhost:{}", kafka.port()));
    let settings = [
        ("security.protocol", "ssl"),
        ("ssl.ca.location", trusted.to_str().unwrap()),
        ("broker.address.family", "v4"),
    ];
    config
        .properties
        .extend(settings.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let mut world = World::kafka_at(config.brokers.clone()).await;
    world.transport = TransportConfig::Kafka(config);
    let replica = world.replica(writing!("f071_tls", Happened, "a")).await;
    let relay = world.relay().await;
    let bus = world.bus().await;
    world.put(&event("k", &Happened { number: 1 })).await;
    world.effects_reach(1).await;
    bus.ping().await.unwrap();
    let waiting = async || outbox::backlog(&world.db).await.unwrap().messages;
    eventually(SOON, || async { waiting().await == 0 }).await;

    kafka.stop().await;
    std::fs::copy(expired, &used).unwrap();
    kafka.start_again().await;
    world.put(&event("k", &Happened { number: 2 })).await;
    // The broker takes connections, and none of ours holds.
    bus.ping().await.unwrap_err();
    assert_eq!(waiting().await, 1, "nothing counts as published");
    assert!(
        !replica.task.is_finished() && !relay.task.is_finished(),
        "they wait"
    );

    kafka.stop().await;
    std::fs::copy(renewed, &used).unwrap();
    kafka.start_again().await;
    let effects = world.effects_reach(2).await;
    let numbers: Vec<i64> = effects.into_iter().map(|effect| effect.number).collect();
    assert_eq!(numbers, [1, 2]);
    eventually(SOON, || bus.ping()).await;
    eventually(SOON, || async { waiting().await == 0 }).await;
    relay.leave().await;
    replica.leave().await;
}
