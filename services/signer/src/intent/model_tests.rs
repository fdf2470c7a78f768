use k256::ecdsa::SigningKey;
use proptest::prelude::*;

use super::*;

fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

fn offer(fee: u128, tip: u128) -> Offer {
    let cap = Amount::MAX;
    Offer::try_new(GAS_OF_A_PAYMENT, Amount::new(fee), Amount::new(tip), cap).unwrap()
}

fn body() -> Body {
    Body {
        chain_id: 31_337,
        asset: AssetId(1),
        contract: None,
        payee: EvmAddress::from_bytes([0x35; 20]),
        amount: Amount::new(500),
    }
}

fn signed(body: &Body, offer: Offer, nonce: u64) -> SignedTx {
    build(body, offer, nonce).sign(&key()).unwrap()
}

fn id() -> IntentId {
    IntentId::new_at(1)
}

fn stored(candidates: &[(u32, Purpose, u128)]) -> Intent {
    let candidate = |(attempt, purpose, fee): &(u32, Purpose, u128)| Candidate {
        attempt: *attempt,
        purpose: *purpose,
        raw: attempt.to_be_bytes().to_vec(),
        fees: FeeQuote {
            max_fee_per_gas: *fee,
            max_priority_fee_per_gas: *fee,
        },
    };
    let candidates = candidates.iter().map(candidate).collect();
    Intent {
        id: id(),
        body: body(),
        nonce: 4,
        candidates,
    }
}

fn order(attempt: u32, fee: u128) -> Order {
    Order {
        intent: id(),
        attempt,
        body: body(),
        offer: offer(fee, fee),
        chain_nonce: 0,
    }
}

#[test]
fn h023_the_same_attempt_gives_the_same_bytes_whatever_it_offers_now() {
    let stored = stored(&[(1, Purpose::Payment, 100), (2, Purpose::Payment, 200)]);
    let first = decide_payment(Some(&stored), false, &order(1, 999)).unwrap();
    assert_eq!(first, Turn::Same(&1u32.to_be_bytes()));
}

#[test]
fn h028_a_replacement_keeps_the_nonce_and_must_offer_an_eighth_more() {
    let stored = stored(&[(1, Purpose::Payment, 800)]);
    assert_eq!(
        decide_payment(Some(&stored), false, &order(2, 900)).unwrap(),
        Turn::Replace { nonce: 4 }
    );
    let cheap = decide_payment(Some(&stored), false, &order(2, 899)).unwrap_err();
    assert!(matches!(cheap, Error::ReplacementTooCheap { least: 900, .. }));
    let jumped = decide_payment(Some(&stored), false, &order(3, 9_000)).unwrap_err();
    assert!(matches!(
        jumped,
        Error::AttemptOutOfOrder {
            wanted: 2,
            got: 3,
            ..
        }
    ));
}

#[test]
fn h026_after_a_filler_the_payment_is_not_signed_again() {
    let stored = stored(&[(1, Purpose::Payment, 800), (2, Purpose::Filler, 900)]);
    let late = decide_payment(Some(&stored), false, &order(3, 9_000)).unwrap_err();
    assert!(matches!(late, Error::IntentFilled(_)));
    assert!(matches!(
        decide_payment(Some(&stored), false, &order(2, 9_000)),
        Err(Error::IntentDiffers(_))
    ));
    let fill = FillOrder {
        intent: id(),
        attempt: 3,
        chain_id: 31_337,
        offer: offer(1_013, 1_013),
    };
    assert_eq!(
        decide_filler(Some(&stored), &fill).unwrap(),
        Turn::Replace { nonce: 4 }
    );
    assert!(matches!(decide_filler(None, &fill), Err(Error::IntentUnknown(_))));
}

#[test]
fn h033_a_cancelled_intent_is_never_signed() {
    assert!(matches!(
        decide_payment(None, true, &order(1, 100)),
        Err(Error::IntentCancelled(_))
    ));
    assert_eq!(decide_payment(None, false, &order(1, 100)).unwrap(), Turn::First);
}

#[test]
fn i27_another_payment_under_a_known_intent_is_refused() {
    let stored = stored(&[(1, Purpose::Payment, 100)]);
    let other = EvmAddress::from_bytes([0x36; 20]);
    let changes: [fn(&mut Body, EvmAddress); 5] = [
        |body, other| body.payee = other,
        |body, other| body.contract = Some(other),
        |body, _| body.amount = Amount::new(501),
        |body, _| body.asset = AssetId(2),
        |body, _| body.chain_id = 1,
    ];
    for change in changes {
        for attempt in [1, 2] {
            let mut order = order(attempt, 1_000);
            change(&mut order.body, other);
            let refused = decide_payment(Some(&stored), false, &order).unwrap_err();
            assert!(matches!(refused, Error::IntentDiffers(_)), "{refused}");
        }
    }
}

#[test]
fn i27_bytes_that_say_anything_else_are_refused() {
    let hot = signed(&body(), offer(100, 1), 3).from();
    let right = signed(&body(), offer(100, 1), 3);
    check_signed(id(), right.raw(), &body(), offer(100, 1), 3, hot).unwrap();
    let other = EvmAddress::from_bytes([0x36; 20]);
    let wrong = [
        signed(
            &Body {
                payee: other,
                ..body()
            },
            offer(100, 1),
            3,
        ),
        signed(
            &Body {
                contract: Some(other),
                ..body()
            },
            offer(100, 1),
            3,
        ),
        signed(
            &Body {
                amount: Amount::new(501),
                ..body()
            },
            offer(100, 1),
            3,
        ),
        signed(
            &Body {
                chain_id: 1,
                ..body()
            },
            offer(100, 1),
            3,
        ),
        signed(&body(), offer(101, 1), 3),
        signed(&body(), offer(100, 2), 3),
        signed(&body(), offer(100, 1), 4),
        build(&body(), offer(100, 1), 3)
            .sign(&SigningKey::from_slice(&[8; 32]).unwrap())
            .unwrap(),
    ];
    for wrong in wrong {
        let refused = check_signed(id(), wrong.raw(), &body(), offer(100, 1), 3, hot).unwrap_err();
        assert!(matches!(refused, Error::SignedDiffers { .. }), "{refused}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn i27_no_changed_byte_passes_the_check(at in any::<usize>(), flip in 1u8.., token in any::<bool>()) {
        let contract = token.then(|| EvmAddress::from_bytes([0x77; 20]));
        let body = Body { contract, ..body() };
        let right = signed(&body, offer(100, 1), 3);
        let mut raw = right.raw().to_vec();
        let at = at % raw.len();
        raw[at] ^= flip;
        prop_assert!(check_signed(id(), &raw, &body, offer(100, 1), 3, right.from()).is_err());
    }

    #[test]
    fn an_offer_never_costs_more_than_its_cap(gas in any::<u64>(), fee in any::<u128>(), tip in any::<u128>(), cap in any::<u128>()) {
        if let Ok(offer) = Offer::try_new(gas, Amount::new(fee), Amount::new(tip), Amount::new(cap)) {
            prop_assert!(offer.fee_max.units() <= cap && fee.checked_mul(u128::from(gas)) == Some(offer.fee_max.units()));
        }
    }
}
