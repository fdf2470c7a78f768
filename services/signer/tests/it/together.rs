use std::collections::{BTreeSet, HashSet};

use ferrex_bus::{Bus, BusConfig, EmbeddedConfig, RequestError, TransportConfig};
use ferrex_contracts::signer::{CancelIntent, DescribeWallet, GetIntent};
use ferrex_postgres::DbConfig;
use ferrex_runtime::{CancellationToken, Readiness};
use ferrex_signer::{Dependencies, Error, build};
use ferrex_time::SystemClock;

use crate::keystore::with_keystore;
use crate::world::{clock, config, connect, count, database, intent, password, payment, signer_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f034_two_signers_at_once_take_distinct_nonces_and_sign_each_intent_once() {
    let db = database().await;
    let signers = [
        signer_with(&db, &config(), clock()).await,
        signer_with(&db, &config(), clock()).await,
    ];
    let intents: Vec<_> = (0..40).map(|_| intent()).collect();
    let tasks = signers.iter().flat_map(|signer| {
        intents.iter().map(|id| {
            let (signer, request) = (signer.clone(), payment(*id));
            tokio::spawn(async move { (request.intent, signer.sign_withdrawal(&request).await.unwrap()) })
        })
    });
    let mut answers = HashSet::new();
    for answer in futures::future::join_all(tasks).await {
        let (intent, signed) = answer.unwrap();
        answers.insert((intent, signed.raw, signed.nonce));
    }
    assert_eq!(answers.len(), intents.len(), "an intent got two signatures");
    let nonces: BTreeSet<u64> = answers.iter().map(|(_, _, nonce)| *nonce).collect();
    assert_eq!(nonces, (0..40).collect(), "a nonce was skipped or used twice");
    assert_eq!(count(&db, "SELECT next_nonce FROM signer.wallet").await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f044_cancel_and_signature_at_once_exactly_one_wins() {
    let db = database().await;
    let signers = [
        signer_with(&db, &config(), clock()).await,
        signer_with(&db, &config(), clock()).await,
    ];
    let (mut signed, mut cancelled) = (0, 0);
    for round in 0..200 {
        let (id, one, other) = (
            intent(),
            signers[round % 2].clone(),
            signers[1 - round % 2].clone(),
        );
        let sign = tokio::spawn(async move { one.sign_withdrawal(&payment(id)).await });
        let cancel =
            tokio::spawn(async move { other.cancel_intent(&CancelIntent { intent: id }).await.unwrap() });
        let (sign, cancel) = (sign.await.unwrap(), cancel.await.unwrap());
        match sign {
            Ok(bytes) => {
                assert_eq!((cancel.cancelled, cancel.candidates), (false, vec![bytes]));
                signed += 1;
            }
            Err(error) => {
                assert!(
                    matches!(error, Error::IntentCancelled(_)) && cancel.cancelled,
                    "{error}"
                );
                cancelled += 1;
            }
        }
    }
    assert_eq!(signed + cancelled, 200);
    assert_eq!(count(&db, "SELECT count(*) FROM signer.signature").await, signed);
    assert_eq!(
        count(&db, "SELECT count(*) FROM signer.cancelled").await,
        cancelled
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_over_the_bus() {
    let db = database().await;
    let bus = |service: &str| {
        let database = DbConfig::new(db.url.clone(), "ferrex_bus", password(), "bus");
        BusConfig::new(service, TransportConfig::Embedded(EmbeddedConfig::new(database)))
    };
    let (served, asking) = (bus("signer"), bus("payment"));
    let served = Bus::connect(&served, SystemClock::shared()).await.unwrap();
    let asking = Bus::connect(&asking, SystemClock::shared()).await.unwrap();
    let (_directory, config) = with_keystore();
    let readiness = Readiness::new();
    let dependencies = Dependencies {
        db: connect(&db.url).await,
        bus: served,
        clock: SystemClock::shared(),
        readiness: readiness.clone(),
    };
    let service = build(config, dependencies).await.unwrap();
    let expected = service.signer().describe();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(service.run(shutdown.clone()));

    let within = std::time::Duration::from_secs(20);
    let wallet = asking
        .request("wallet", &DescribeWallet {}, within)
        .await
        .unwrap();
    assert_eq!(wallet, expected);
    assert!(readiness.is_ready());
    let request = payment(intent());
    let signed = asking.request(request.intent, &request, within).await.unwrap();
    assert_eq!(
        asking.request(request.intent, &request, within).await.unwrap(),
        signed
    );
    let view = asking
        .request(
            request.intent,
            &GetIntent {
                intent: request.intent,
            },
            within,
        )
        .await
        .unwrap();
    assert_eq!(view.candidates, [signed]);
    let mut other = request.clone();
    other.payee = wallet.evm_hot_wallet;
    match asking.request(other.intent, &other, within).await.unwrap_err() {
        RequestError::Fault(fault) => {
            assert_eq!(
                (&*fault.code, fault.fields[0].field.as_str()),
                ("signer.request.invalid", "payee")
            );
        }
        error => panic!("{error}"),
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
