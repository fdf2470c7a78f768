use ferrex_ledger::{Account, Owner};
use xxhash_rust::xxh3::xxh3_64;

use crate::{Action, Command, Rest, Step};

/// What tells two bodies under one command id apart: xxh3 over a canonical encoding of everything but id and time.
///
/// The encoding is stored by its hash in every journal row: it never changes, new variants take new tags.
pub fn fingerprint(command: &Command) -> u64 {
    let mut bytes = Vec::new();
    encode(command, &mut bytes);
    of_encoding(&bytes)
}

/// The fingerprint of a command with this encoding.
pub(crate) fn of_encoding(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Appends the canonical encoding.
pub(crate) fn encode(command: &Command, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&command.reason.code().to_le_bytes());
    bytes.extend_from_slice(command.reference.as_bytes());
    match &command.action {
        Action::Transfer(steps) => {
            bytes.push(1);
            for step in steps {
                encode_step(step, bytes);
            }
        }
        other => crate::orders::encode(other, bytes),
    }
}

fn encode_step(step: &Step, bytes: &mut Vec<u8>) {
    match step {
        Step::Move {
            debit,
            credit,
            asset,
            amount,
        } => {
            bytes.push(1);
            encode_account(debit, bytes);
            encode_account(credit, bytes);
            bytes.extend_from_slice(&asset.0.to_le_bytes());
            bytes.extend_from_slice(&amount.units().to_le_bytes());
        }
        Step::Reserve {
            hold,
            debit,
            asset,
            amount,
            expires_at,
        } => {
            bytes.push(2);
            bytes.extend_from_slice(hold.uuid().as_bytes());
            encode_account(debit, bytes);
            bytes.extend_from_slice(&asset.0.to_le_bytes());
            bytes.extend_from_slice(&amount.units().to_le_bytes());
            match expires_at {
                None => bytes.push(0),
                Some(at) => {
                    bytes.push(1);
                    bytes.extend_from_slice(&at.timestamp_micros().to_le_bytes());
                }
            }
        }
        Step::Post {
            hold,
            credit,
            amount,
            rest,
        } => {
            bytes.push(3);
            bytes.extend_from_slice(hold.uuid().as_bytes());
            encode_account(credit, bytes);
            bytes.extend_from_slice(&amount.units().to_le_bytes());
            bytes.push(match rest {
                Rest::Keep => 0,
                Rest::Release => 1,
            });
        }
        Step::Void { hold } => {
            bytes.push(4);
            bytes.extend_from_slice(hold.uuid().as_bytes());
        }
        Step::Expire { hold } => {
            bytes.push(5);
            bytes.extend_from_slice(hold.uuid().as_bytes());
        }
    }
}

fn encode_account(account: &Account, bytes: &mut Vec<u8>) {
    match account.owner {
        Owner::House => bytes.push(0),
        Owner::User(user) => {
            bytes.push(1);
            bytes.extend_from_slice(user.as_bytes());
        }
    }
    bytes.push(account.purpose.code());
}

#[cfg(test)]
mod tests {
    use ferrex_ids::{CommandId, HoldId};
    use ferrex_ledger::Purpose;
    use ferrex_money::{Amount, AssetId};
    use ferrex_time::from_micros;
    use uuid::Uuid;

    use super::*;
    use crate::{
        AmendOrder, FeeRate, MarketId, MarketSpec, MarketState, OrderKind, OrderRef, PlaceOrder, Reason,
        SelfTrade, Side, Terms, Tif,
    };

    fn command(step: Step) -> Command {
        Command {
            id: CommandId::from_uuid(Uuid::from_u128(1)),
            at: from_micros(1),
            reason: Reason::Transfer,
            reference: Uuid::from_u128(7),
            action: Action::Transfer(vec![step]),
        }
    }

    #[test]
    fn the_stored_fingerprints_stay_what_they_are() {
        let hold = HoldId::from_uuid(Uuid::from_u128(9));
        let (user, house) = (
            Account::wallet(Uuid::from_u128(3)),
            Account::house(Purpose::HotWallet),
        );
        let (asset, amount) = (AssetId(2), Amount::new(5));
        let expires_at = Some(from_micros(1_000_000));
        let golden = [
            Step::Move {
                debit: house,
                credit: user,
                asset,
                amount,
            },
            Step::Reserve {
                hold,
                debit: user,
                asset,
                amount,
                expires_at,
            },
            Step::Reserve {
                hold,
                debit: user,
                asset,
                amount,
                expires_at: None,
            },
            Step::Post {
                hold,
                credit: house,
                amount,
                rest: Rest::Keep,
            },
            Step::Post {
                hold,
                credit: house,
                amount,
                rest: Rest::Release,
            },
            Step::Void { hold },
            Step::Expire { hold },
        ]
        .map(|step| fingerprint(&command(step)));
        let stored = [
            3_858_255_700_531_228_928,
            16_640_471_546_843_797_323,
            17_389_021_888_090_292_671,
            3_910_202_550_607_049_841,
            3_675_370_329_520_286_343,
            4_107_261_798_265_939_250,
            9_070_283_013_144_078_155,
        ];
        assert_eq!(golden, stored);
    }

    #[test]
    fn the_stored_fingerprints_of_orders_stay_what_they_are() {
        let (market, owner, amount) = (MarketId(3), Uuid::from_u128(5), Amount::new(7));
        let spec = MarketSpec {
            base: AssetId(1),
            quote: AssetId(2),
            per: Amount::new(10),
            tick: amount,
            lot: Amount::new(20),
            price_max: Amount::new(700),
            quantity_min: Amount::new(20),
            quantity_max: Amount::new(2_000),
            value_min: amount,
            band_ppm: 9,
            open_orders_max: 8,
            reference_price: Some(amount),
        };
        let order = |kind| PlaceOrder {
            market,
            owner,
            side: Side::Sell,
            kind,
            terms: Terms::default(),
        };
        let limit = OrderKind::Limit {
            price: amount,
            quantity: Amount::new(20),
            tif: Tif::PostOnly,
        };
        let terms = Terms {
            stop: Some(amount),
            display: Some(Amount::new(20)),
            expires_at: Some(from_micros(9)),
            self_trade: SelfTrade::Decrement,
            client: Some(owner),
        };
        let (value, protection) = (amount, Amount::new(14));
        let (quantity, now) = (amount, from_micros(4));
        let rates = vec![FeeRate {
            maker_ppm: 1,
            taker_ppm: 2,
        }];
        let state = MarketState::Auction;
        let amend = AmendOrder {
            market,
            owner,
            order: OrderRef::Client(owner),
            price: None,
            quantity: Some(amount),
        };
        let golden = [
            Action::CreateMarket { market, spec },
            Action::SetMarketState { market, state },
            Action::SetFees { market, rates },
            Action::SetFeeTier { owner, tier: 3 },
            Action::PlaceOrder(order(limit)),
            Action::PlaceOrder(PlaceOrder {
                terms,
                ..order(limit)
            }),
            Action::PlaceOrder(order(OrderKind::Market { quantity, protection })),
            Action::PlaceOrder(order(OrderKind::MarketByValue { value, protection })),
            Action::AmendOrder(amend),
            Action::CancelOrder {
                market,
                owner,
                order: OrderRef::Number(6),
            },
            Action::CancelAll { market, owner },
            Action::ExpireOrders { market, now },
        ]
        .map(|action| {
            fingerprint(&Command {
                action,
                ..command(Step::Void {
                    hold: HoldId::from_uuid(Uuid::nil()),
                })
            })
        });
        let stored = [
            1_448_959_018_597_100_899,
            8_345_381_886_790_838_690,
            4_488_517_909_004_275_666,
            11_721_561_052_533_595_559,
            17_757_741_481_182_521_552,
            10_169_916_426_377_746_956,
            8_849_933_687_067_768_025,
            3_631_190_151_741_195_895,
            11_337_608_466_168_161_230,
            1_692_440_204_206_641_012,
            3_138_345_912_837_869_129,
            15_892_909_235_925_459_049,
        ];
        assert_eq!(golden, stored);
    }

    #[test]
    fn id_and_time_are_no_part_of_the_body() {
        let first = command(Step::Void {
            hold: HoldId::from_uuid(Uuid::from_u128(9)),
        });
        let mut again = first.clone();
        again.id = CommandId::from_uuid(Uuid::from_u128(2));
        again.at = from_micros(99);
        assert_eq!(fingerprint(&first), fingerprint(&again));
        again.reference = Uuid::from_u128(8);
        assert_ne!(fingerprint(&first), fingerprint(&again));
    }
}
