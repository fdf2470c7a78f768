use ferrex_contracts::signer::SignWithdrawal;
use ferrex_fault::{Classify as _, Kind};
use ferrex_money::Amount;
use ferrex_signer::{Config, Error, Signer};
use ferrex_time::Duration;

use crate::world::{
    ETHER, GWEI, TOKEN, clock, config, count, database, filler, intent, payment, replacement, signer,
    signer_with,
};

/// At most two coins a payment and five a day.
fn tight() -> Config {
    let mut config = config();
    config.chains[0].assets[0].per_transaction_max = Amount::new(2 * ETHER);
    config.chains[0].assets[0].per_day_max = Amount::new(5 * ETHER);
    config
}

async fn pay(signer: &Signer, amount: u128) -> Result<u64, Error> {
    let request = SignWithdrawal {
        amount: Amount::new(amount),
        ..payment(intent())
    };
    signer.sign_withdrawal(&request).await.map(|signed| signed.nonce)
}

#[tokio::test]
async fn a98_the_velocity_cap_bounds_what_forged_requests_can_take() {
    let db = database().await;
    let clock = clock();
    let signer = signer_with(&db, &tight(), clock.clone()).await;
    assert!(matches!(
        pay(&signer, 2 * ETHER + 1).await,
        Err(Error::AbovePaymentCap { .. })
    ));
    pay(&signer, 2 * ETHER).await.unwrap();
    clock.advance(Duration::hours(12));
    pay(&signer, 2 * ETHER).await.unwrap();
    let refused = pay(&signer, ETHER + 1).await.unwrap_err();
    assert!(matches!(refused, Error::AboveDailyCap { .. }) && refused.kind() == Kind::Exhausted);
    pay(&signer, ETHER).await.unwrap();
    // Other assets have their own caps.
    let token = SignWithdrawal {
        contract: Some(TOKEN.to_owned()),
        gas_limit: 60_000,
        ..payment(intent())
    };
    signer.sign_withdrawal(&token).await.unwrap();
    // The first two coins leave the window, the others not yet.
    clock.advance(Duration::hours(12));
    pay(&signer, 2 * ETHER).await.unwrap();
    assert!(matches!(pay(&signer, 1).await, Err(Error::AboveDailyCap { .. })));
    assert_eq!(
        count(&db, "SELECT next_nonce FROM signer.wallet").await,
        count(&db, "SELECT count(*) FROM signer.intent").await,
        "a refusal took a nonce"
    );
}

#[tokio::test]
async fn i32_the_velocity_cap_holds_under_concurrency() {
    let db = database().await;
    let one = signer_with(&db, &tight(), clock()).await;
    let other = signer_with(&db, &tight(), clock()).await;
    let all = (0..40).map(|place| {
        let signer = if place % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        tokio::spawn(async move { pay(&signer, ETHER).await })
    });
    let mut signed = 0;
    for outcome in futures::future::join_all(all).await {
        match outcome.unwrap() {
            Ok(_) => signed += 1,
            Err(error) => assert!(matches!(error, Error::AboveDailyCap { .. }), "{error}"),
        }
    }
    assert_eq!(signed, 5);
}

#[tokio::test]
async fn a98_what_the_signers_own_settings_do_not_name_is_refused() {
    let (db, signer) = signer().await;
    let refused = async |request: SignWithdrawal| signer.sign_withdrawal(&request).await.unwrap_err();
    let chain = refused(SignWithdrawal {
        chain_id: 1,
        ..payment(intent())
    })
    .await;
    assert!(matches!(chain, Error::ChainUnknown(1)));
    let other = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512".to_owned();
    let asset = refused(SignWithdrawal {
        contract: Some(other),
        ..payment(intent())
    })
    .await;
    assert!(matches!(asset, Error::AssetUnknown { .. }) && asset.kind() == Kind::Forbidden);
    assert_eq!(count(&db, "SELECT count(*) FROM signer.wallet").await, 0);
}

#[tokio::test]
async fn a78_fees_are_bounded_by_the_request_by_the_settings_and_by_the_day() {
    let db = database().await;
    let mut config = config();
    config.chains[0].fee_per_transaction_max = Amount::new(21_000 * 100 * GWEI);
    config.chains[0].fees_per_day_max = Amount::new(21_000 * 130 * GWEI);
    let signer = signer_with(&db, &config, clock()).await;
    let offering = |gwei: u128| SignWithdrawal {
        max_fee_per_gas: Amount::new(gwei * GWEI),
        fee_cap: Amount::new(21_000 * gwei * GWEI),
        ..payment(intent())
    };
    let dear = signer.sign_withdrawal(&offering(101)).await.unwrap_err();
    assert!(matches!(dear, Error::AboveFeeCap { .. }));
    let mut above = offering(50);
    above.fee_cap = Amount::new(21_000 * 50 * GWEI - 1);
    assert!(matches!(
        signer.sign_withdrawal(&above).await,
        Err(Error::Field { field: "fee_cap", .. })
    ));
    let id = intent();
    signer.sign_withdrawal(&payment(id)).await.unwrap();
    signer.sign_withdrawal(&replacement(id, 2)).await.unwrap();
    signer.sign_withdrawal(&replacement(id, 3)).await.unwrap();
    // One intent can be mined once: the dearest of its candidates (80) counts, not their sum.
    signer.sign_withdrawal(&offering(50)).await.unwrap();
    assert!(matches!(
        signer.sign_withdrawal(&offering(1)).await,
        Err(Error::AboveDailyFeeCap { .. })
    ));
    let fill = filler(id, 4);
    assert!(matches!(
        signer.fill_nonce(&fill).await,
        Err(Error::AboveFeeCap { .. } | Error::Field { .. })
    ));
}

#[tokio::test]
async fn a_request_that_cannot_be_meant_is_refused_with_its_field() {
    let (db, signer) = signer().await;
    let hot = signer.describe().evm_hot_wallet;
    let good = || payment(intent());
    let cases: [(&str, SignWithdrawal); 11] = [
        (
            "payee",
            SignWithdrawal {
                payee: "0x70997970c51812dc3A010C7d01b50e0d17dc79C8".to_owned(),
                ..good()
            },
        ),
        (
            "payee",
            SignWithdrawal {
                payee: String::new(),
                ..good()
            },
        ),
        (
            "payee",
            SignWithdrawal {
                payee: format!("0x{}", "0".repeat(40)),
                ..good()
            },
        ),
        ("payee", SignWithdrawal { payee: hot, ..good() }),
        (
            "payee",
            SignWithdrawal {
                payee: TOKEN.to_owned(),
                contract: Some(TOKEN.to_owned()),
                ..good()
            },
        ),
        (
            "contract",
            SignWithdrawal {
                contract: Some("usdx".to_owned()),
                ..good()
            },
        ),
        (
            "amount",
            SignWithdrawal {
                amount: Amount::ZERO,
                ..good()
            },
        ),
        ("attempt", SignWithdrawal { attempt: 0, ..good() }),
        (
            "gas_limit",
            SignWithdrawal {
                gas_limit: 20_999,
                ..good()
            },
        ),
        (
            "max_priority_fee_per_gas",
            SignWithdrawal {
                max_priority_fee_per_gas: Amount::new(21 * GWEI),
                ..good()
            },
        ),
        (
            "fee_cap",
            SignWithdrawal {
                max_fee_per_gas: Amount::MAX,
                ..good()
            },
        ),
    ];
    for (expected, request) in cases {
        match signer.sign_withdrawal(&request).await.unwrap_err() {
            Error::Field { field, .. } => assert_eq!(field, expected),
            other => panic!("{expected}: {other}"),
        }
    }
    let late = signer
        .sign_withdrawal(&SignWithdrawal { attempt: 2, ..good() })
        .await
        .unwrap_err();
    assert!(matches!(
        late,
        Error::AttemptOutOfOrder {
            wanted: 1,
            got: 2,
            ..
        }
    ));
    assert_eq!(count(&db, "SELECT count(*) FROM signer.wallet").await, 0);
}
