use ferrex_ledger::{Account, Owner};
use xxhash_rust::xxh3::xxh3_64;

use crate::{Action, Command, Rest, Step};

/// What tells two bodies under one command id apart: xxh3 over a canonical encoding of everything but id and time.
///
/// The encoding is stored by its hash in every journal row: it never changes, new variants take new tags.
pub fn fingerprint(command: &Command) -> u64 {
    let mut bytes = Vec::with_capacity(192);
    bytes.extend_from_slice(&command.reason.code().to_le_bytes());
    bytes.extend_from_slice(command.reference.as_bytes());
    match &command.action {
        Action::Transfer(steps) => {
            bytes.push(1);
            for step in steps {
                encode_step(step, &mut bytes);
            }
        }
    }
    xxh3_64(&bytes)
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
    use crate::Reason;

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
