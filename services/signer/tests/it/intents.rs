use ferrex_contracts::StaffAction;
use ferrex_contracts::signer::{AdvanceNonce, CancelIntent, GetIntent};
use ferrex_ids::StaffId;
use ferrex_money::Amount;
use ferrex_signer::Error;
use ferrex_testkit::Anvil;

use crate::world::{ETHER, GWEI, PAYEE, TOKEN, count, decode, filler, intent, payment, replacement, signer};

#[tokio::test]
async fn h023_a_redelivered_request_gets_the_same_bytes() {
    let (db, signer) = signer().await;
    let id = intent();
    let first = signer.sign_withdrawal(&payment(id)).await.unwrap();
    for fee in [20, 30, 99] {
        // After a restart payment may have computed another fee; the signature stands.
        let again = ferrex_contracts::signer::SignWithdrawal {
            max_fee_per_gas: Amount::new(fee * GWEI),
            ..payment(id)
        };
        assert_eq!(signer.sign_withdrawal(&again).await.unwrap(), first);
    }
    assert_eq!(count(&db, "SELECT count(*) FROM signer.signature").await, 1);
    let next = signer.sign_withdrawal(&payment(intent())).await.unwrap();
    assert_eq!((first.nonce, next.nonce), (0, 1));
}

#[tokio::test]
async fn i27_what_is_signed_pays_what_was_asked() {
    let (_db, signer) = signer().await;
    let coin = decode(&signer.sign_withdrawal(&payment(intent())).await.unwrap());
    let meaning = coin.tx().meaning().unwrap();
    assert_eq!(
        (meaning.contract, meaning.payee.to_string().as_str()),
        (None, PAYEE)
    );
    assert_eq!(meaning.amount.to_string(), ETHER.to_string());
    assert_eq!(coin.tx().fee_max(), Some(21_000 * 20 * GWEI));

    let mut request = payment(intent());
    request.contract = Some(TOKEN.to_owned());
    request.gas_limit = 60_000;
    let token = decode(&signer.sign_withdrawal(&request).await.unwrap());
    let meaning = token.tx().meaning().unwrap();
    assert_eq!(meaning.contract.unwrap().to_string(), TOKEN);
    assert!(token.tx().value.is_zero());
    assert_eq!(coin.from().to_string(), signer.describe().evm_hot_wallet);
}

#[tokio::test]
async fn h028_replacements_share_the_nonce_and_all_candidates_are_kept() {
    let (_db, signer) = signer().await;
    let id = intent();
    let mut signed = Vec::new();
    for attempt in 1..=4 {
        signed.push(signer.sign_withdrawal(&replacement(id, attempt)).await.unwrap());
        let between = signer.sign_withdrawal(&payment(intent())).await.unwrap();
        assert_eq!(between.nonce, u64::from(attempt));
    }
    assert!(signed.iter().all(|candidate| candidate.nonce == 0));
    let view = signer.get_intent(&GetIntent { intent: id }).await.unwrap();
    assert_eq!(view.candidates, signed);
    let hashes: std::collections::HashSet<_> = signed.iter().map(|candidate| &candidate.hash).collect();
    assert_eq!(hashes.len(), 4);
    let cheap = signer
        .sign_withdrawal(&ferrex_contracts::signer::SignWithdrawal {
            attempt: 5,
            ..payment(id)
        })
        .await;
    assert!(matches!(cheap, Err(Error::ReplacementTooCheap { .. })));
}

#[tokio::test]
async fn h026_the_nonce_of_a_payment_that_was_given_up_is_filled_and_never_paid_again() {
    let (db, signer) = signer().await;
    let id = intent();
    let paid = signer.sign_withdrawal(&payment(id)).await.unwrap();
    let filled = signer.fill_nonce(&filler(id, 2)).await.unwrap();
    assert_eq!(filled.nonce, paid.nonce);
    let meaning = decode(&filled).tx().meaning().unwrap();
    assert_eq!(meaning.payee.to_string(), signer.describe().evm_hot_wallet);
    assert!(meaning.amount.is_zero());
    assert_eq!(signer.fill_nonce(&filler(id, 2)).await.unwrap(), filled);
    let late = signer.sign_withdrawal(&replacement(id, 3)).await;
    assert!(matches!(late, Err(Error::IntentFilled(_))));
    let dearer = signer.fill_nonce(&filler(id, 3)).await.unwrap();
    assert_eq!(dearer.nonce, paid.nonce);
    assert!(matches!(
        signer.fill_nonce(&filler(intent(), 2)).await,
        Err(Error::IntentUnknown(_))
    ));
    assert_eq!(count(&db, "SELECT count(*) FROM signer.intent").await, 1);
}

#[tokio::test]
async fn i27_another_payment_under_a_signed_intent_is_refused() {
    let (db, signer) = signer().await;
    let id = intent();
    signer.sign_withdrawal(&payment(id)).await.unwrap();
    for attempt in [1, 2] {
        let mut payee = replacement(id, attempt);
        payee.payee = TOKEN.to_owned();
        let mut amount = replacement(id, attempt);
        amount.amount = Amount::new(ETHER + 1);
        let mut asset = replacement(id, attempt);
        asset.contract = Some(TOKEN.to_owned());
        for request in [payee, amount, asset] {
            assert!(matches!(
                signer.sign_withdrawal(&request).await,
                Err(Error::IntentDiffers(_))
            ));
        }
    }
    assert_eq!(count(&db, "SELECT count(*) FROM signer.signature").await, 1);
}

#[tokio::test]
async fn h027_a_chain_that_knows_more_of_the_wallet_stops_new_payments_and_gives_back_old_ones() {
    let (_db, signer) = signer().await;
    let id = intent();
    let mut first = payment(id);
    first.chain_nonce = 7;
    let signed = signer.sign_withdrawal(&first).await.unwrap();
    assert_eq!(
        signed.nonce, 7,
        "a wallet that was used before goes on where the chain is"
    );
    let mut foreign = payment(intent());
    foreign.chain_nonce = 9;
    let refused = signer.sign_withdrawal(&foreign).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::BehindChain {
                chain_nonce: 9,
                next_nonce: 8,
                ..
            }
        ),
        "{refused}"
    );
    first.chain_nonce = 9;
    assert_eq!(signer.sign_withdrawal(&first).await.unwrap(), signed);
    foreign.chain_nonce = 8;
    assert_eq!(signer.sign_withdrawal(&foreign).await.unwrap().nonce, 8);
    let mut behind = payment(intent());
    behind.chain_nonce = 2;
    assert_eq!(
        signer.sign_withdrawal(&behind).await.unwrap().nonce,
        9,
        "the chain may lag, our nonces do not"
    );
}

#[tokio::test]
async fn h027_people_let_the_wallet_go_on_behind_foreign_transactions_and_never_back() {
    let (db, signer) = signer().await;
    let next = async |next_nonce| {
        signer
            .advance_nonce(&AdvanceNonce {
                chain_id: Anvil::CHAIN_ID,
                next_nonce,
                by: StaffAction {
                    staff: StaffId::new_at(1),
                    reason: "the key was used by hand".to_owned(),
                },
            })
            .await
            .map(|wallet| wallet.next_nonce)
    };
    signer.sign_withdrawal(&payment(intent())).await.unwrap();
    let mut foreign = payment(intent());
    foreign.chain_nonce = 4;
    assert!(matches!(
        signer.sign_withdrawal(&foreign).await,
        Err(Error::BehindChain { .. })
    ));
    for (asked, expected) in [(4, 4), (4, 4), (2, 4)] {
        assert_eq!(next(asked).await.unwrap(), expected);
    }
    assert!(matches!(
        next(2_000).await,
        Err(Error::Field {
            field: "next_nonce",
            ..
        })
    ));
    assert_eq!(signer.sign_withdrawal(&foreign).await.unwrap().nonce, 4);
    assert_eq!(
        count(
            &db,
            "SELECT count(*) FROM signer.nonce_advance WHERE next_nonce_before = 1 AND next_nonce = 4"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn h033_a_cancelled_intent_is_refused_and_a_signed_one_is_not_cancelled() {
    let (db, signer) = signer().await;
    let id = intent();
    for _ in 0..2 {
        let view = signer.cancel_intent(&CancelIntent { intent: id }).await.unwrap();
        assert!(view.cancelled && view.candidates.is_empty());
    }
    assert!(matches!(
        signer.sign_withdrawal(&payment(id)).await,
        Err(Error::IntentCancelled(_))
    ));
    assert!(
        signer
            .get_intent(&GetIntent { intent: id })
            .await
            .unwrap()
            .cancelled
    );
    let signed = intent();
    let bytes = signer.sign_withdrawal(&payment(signed)).await.unwrap();
    let view = signer
        .cancel_intent(&CancelIntent { intent: signed })
        .await
        .unwrap();
    assert_eq!((view.cancelled, view.candidates), (false, vec![bytes]));
    signer.sign_withdrawal(&replacement(signed, 2)).await.unwrap();
    assert_eq!(count(&db, "SELECT count(*) FROM signer.cancelled").await, 1);
}

#[tokio::test]
async fn i24_signatures_never_share_r_and_are_low() {
    let (_db, signer) = signer().await;
    let half = "57896044618658097711785492504343953926418782139537452191302581570759080747168";
    let half = half.parse::<ferrex_chains::evm::U256>().unwrap();
    let mut seen = std::collections::HashSet::new();
    for place in 0..300u64 {
        let mut request = payment(intent());
        request.amount = Amount::new(u128::from(place) + 1);
        let (r, s) = decode(&signer.sign_withdrawal(&request).await.unwrap()).signature();
        assert!(s <= half, "signature {place} is high");
        assert!(seen.insert(r), "signature {place} repeats an r");
    }
}
