use super::*;
use crate::{BalanceFact, HoldFact, Units};

const ADDRESSES: i64 = 1;
const ALICE: i64 = 2;
const BOB: i64 = 3;
const HOT: i64 = 4;

fn uuid(id: u128) -> Uuid {
    Uuid::from_u128(id)
}

fn units(count: u64) -> Units {
    Units::parse(&count.to_string()).unwrap()
}

fn row(id: i64, kind: i64, reason: i64, debit: i64, credit: i64, amount: u64) -> RowFact {
    let own = uuid(u128::try_from(id).unwrap());
    RowFact {
        id,
        command: own,
        fingerprint: id,
        reason,
        reference: own,
        kind,
        debit,
        credit,
        asset: 1,
        amount: units(amount),
        hold: None,
        refusal: 0,
        last: true,
        order: None,
    }
}

fn held(hold: u128, row: RowFact) -> RowFact {
    RowFact {
        hold: Some(uuid(hold)),
        ..row
    }
}

/// A deposit of 100, a transfer of 30, a withdrawal of 20 out of a hold of 25.
fn story() -> Vec<RowFact> {
    vec![
        row(1, MOVE, 1, ADDRESSES, ALICE, 100),
        row(2, MOVE, 3, ALICE, BOB, 30),
        row(3, MOVE, 7, HOT, 5, 50),
        held(9, row(4, RESERVE, 4, ALICE, 0, 25)),
        RowFact {
            last: false,
            ..held(9, row(5, POST, 5, ALICE, HOT, 20))
        },
        RowFact {
            command: uuid(5),
            fingerprint: 5,
            reference: uuid(5),
            ..held(9, row(6, VOID, 5, ALICE, 0, 5))
        },
    ]
}

fn projection() -> Projection {
    let balance = |account, total| BalanceFact {
        account,
        total: units(total),
        held: units(0),
    };
    Projection {
        journal_id: 6,
        balances: vec![
            balance(ADDRESSES, 100),
            balance(ALICE, 50),
            balance(BOB, 30),
            balance(HOT, 30),
            balance(5, 50),
        ],
        holds: vec![HoldFact {
            id: uuid(9),
            account: ALICE,
            left: units(0),
            closed: true,
        }],
        orders: vec![],
    }
}

fn audit(rows: &[RowFact], projection: Projection) -> Report {
    let mut auditor = Auditor::new();
    auditor.rights(&Rights {
        writers: vec![],
        owner: "ferrex_owner".to_owned(),
        guarded: true,
    });
    let house = [(ADDRESSES, 10), (HOT, 11), (5, 20)];
    for id in 1..=5 {
        let purpose = house
            .iter()
            .find(|(account, _)| *account == id)
            .map(|(_, purpose)| *purpose);
        let owner = purpose
            .is_none()
            .then(|| uuid(0xa0 + u128::try_from(id).unwrap()));
        auditor.account(AccountFact {
            id,
            owner,
            purpose: purpose.unwrap_or(1),
            asset: 1,
        });
    }
    auditor.projection(projection);
    for row in rows {
        auditor.row(row);
    }
    auditor.finish(i64::try_from(story().len()).unwrap())
}

fn broken(report: &Report) -> Vec<Invariant> {
    let mut broken: Vec<Invariant> = report.findings.iter().map(|finding| finding.invariant).collect();
    broken.sort_unstable();
    broken.dedup();
    broken
}

/// Audits the story with one row changed.
fn audit_with(place: usize, change: impl FnOnce(&mut RowFact)) -> Vec<Invariant> {
    let mut rows = story();
    change(&mut rows[place]);
    broken(&audit(&rows, projection()))
}

#[test]
fn clean_books_are_clean() {
    let report = audit(&story(), projection());
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        (report.rows, report.commands, report.accounts, report.open_holds),
        (6, 5, 5, 0)
    );
}

#[test]
fn i01_an_account_of_another_asset_is_found() {
    assert!(audit_with(1, |row| row.asset = 2).contains(&Invariant::I01));
    assert!(audit_with(1, |row| row.credit = row.debit).contains(&Invariant::I01));
    assert!(audit_with(1, |row| row.credit = 99).contains(&Invariant::I01));
}

#[test]
fn i02_a_balance_that_is_not_its_sum_is_found() {
    let mut stored = projection();
    stored.balances[1].total = units(51);
    assert_eq!(broken(&audit(&story(), stored)), [Invariant::I02]);
    let mut missing = projection();
    missing.balances.pop();
    assert_eq!(broken(&audit(&story(), missing)), [Invariant::I02]);
    let mut open = projection();
    open.holds[0].closed = false;
    assert_eq!(broken(&audit(&story(), open)), [Invariant::I02]);
    let mut early = projection();
    early.journal_id = 5;
    assert_eq!(broken(&audit(&story(), early)), [Invariant::I02]);
    let mut ahead = projection();
    ahead.journal_id = 7;
    assert_eq!(broken(&audit(&story(), ahead)), [Invariant::I02]);
}

#[test]
fn i03_a_mint_is_found() {
    assert_eq!(audit_with(0, |row| row.reason = 3), [Invariant::I03]);
    assert_eq!(audit_with(0, |row| row.reason = 7), [Invariant::I03]);
    assert_eq!(audit_with(0, |row| row.reason = 99), [Invariant::I03]);
}

#[test]
fn i05_an_overdraft_is_found() {
    assert!(audit_with(1, |row| row.amount = units(101)).contains(&Invariant::I05));
    assert!(audit_with(3, |row| row.amount = units(71)).contains(&Invariant::I05));
}

#[test]
fn i06_a_second_effect_is_found() {
    assert_eq!(audit_with(1, |row| row.command = uuid(1)), [Invariant::I06]);
    assert_eq!(audit_with(4, |row| row.last = true), [Invariant::I06]);
    assert_eq!(
        audit_with(5, |row| row.hold = Some(uuid(8))),
        [Invariant::I02, Invariant::I06]
    );
    let mut rows = story();
    rows[1].reason = 3;
    rows[2] = RowFact {
        reference: rows[1].reference,
        ..row(3, MOVE, 3, ALICE, BOB, 1)
    };
    assert!(broken(&audit(&rows, projection())).contains(&Invariant::I06));
}

#[test]
fn i06_a_deposit_may_come_again_after_its_reversal() {
    let again = |reversed: bool| {
        let mut auditor = Auditor::new();
        auditor.account(AccountFact {
            id: 1,
            owner: None,
            purpose: 10,
            asset: 1,
        });
        auditor.account(AccountFact {
            id: 2,
            owner: Some(uuid(1)),
            purpose: 1,
            asset: 1,
        });
        auditor.row(&RowFact {
            reference: uuid(70),
            ..row(1, MOVE, 1, 1, 2, 5)
        });
        let middle = if reversed {
            row(2, MOVE, 2, 2, 1, 5)
        } else {
            row(2, MOVE, 1, 1, 2, 5)
        };
        auditor.row(&RowFact {
            reference: if reversed { uuid(70) } else { uuid(71) },
            ..middle
        });
        auditor.row(&RowFact {
            reference: uuid(70),
            ..row(3, MOVE, 1, 1, 2, 5)
        });
        auditor.finish(3).is_clean()
    };
    assert!(again(true));
    assert!(!again(false));
}

#[test]
fn i10_a_gap_and_a_right_are_found() {
    assert_eq!(audit_with(2, |row| row.id = 4), [Invariant::I10]);
    let rows = story();
    assert!(broken(&audit(&rows[..5], projection())).contains(&Invariant::I10));
    let mut auditor = Auditor::new();
    auditor.rights(&Rights {
        writers: vec!["ferrex_engine".to_owned()],
        owner: "x".to_owned(),
        guarded: false,
    });
    assert_eq!(auditor.finish(0).found, 2);
}

#[test]
fn amounts_beyond_128_bits_are_summed() {
    let max = u128::MAX.to_string();
    let mut auditor = Auditor::new();
    auditor.account(AccountFact {
        id: 1,
        owner: None,
        purpose: 10,
        asset: 1,
    });
    for id in 2..=4 {
        let owner = Some(uuid(u128::try_from(id).unwrap()));
        auditor.account(AccountFact {
            id,
            owner,
            purpose: 1,
            asset: 1,
        });
        let deposit = row(id - 1, MOVE, 1, 1, id, 1);
        auditor.row(&RowFact {
            amount: Units::parse(&max).unwrap(),
            ..deposit
        });
    }
    assert!(auditor.finish(3).is_clean());
    for text in ["", "-1", "1.0", "1e3", "NaN", " 1"] {
        assert_eq!(Units::parse(text), None, "{text}");
    }
}
