use super::*;
use crate::{BalanceFact, HoldFact, OrderFact, Units};

mod once;
mod orders;

const ADDRESSES: i64 = 1;
const ALICE: i64 = 2;
const BOB: i64 = 3;
const HOT: i64 = 4;
const CAPITAL: i64 = 5;

fn uuid(id: u128) -> Uuid {
    Uuid::from_u128(id)
}

fn units(count: u64) -> Units {
    Units::parse(&count.to_string()).unwrap()
}

/// An account of a person, or of the house.
fn account(id: i64, person: Option<u128>, purpose: i64, asset: i64) -> AccountFact {
    AccountFact {
        id,
        owner: person.map(uuid),
        purpose,
        asset,
    }
}

fn balance(account: i64, total: u64, held: u64) -> BalanceFact {
    BalanceFact {
        account,
        total: units(total),
        held: units(held),
    }
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

/// A command that was refused.
fn refusal(id: i64) -> RowFact {
    RowFact {
        asset: 0,
        refusal: 3,
        ..row(id, REFUSED, 3, 0, 0, 0)
    }
}

fn held(hold: u128, row: RowFact) -> RowFact {
    RowFact {
        hold: Some(uuid(hold)),
        ..row
    }
}

/// A deposit of 100, a transfer of 30, a withdrawal of 20 out of a hold of 25, a refusal.
fn story() -> Vec<RowFact> {
    vec![
        row(1, MOVE, 1, ADDRESSES, ALICE, 100),
        row(2, MOVE, 3, ALICE, BOB, 30),
        row(3, MOVE, 7, HOT, CAPITAL, 50),
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
        refusal(7),
    ]
}

fn accounts() -> Vec<AccountFact> {
    vec![
        account(ADDRESSES, None, 10, 1),
        account(ALICE, Some(0xa2), 1, 1),
        account(BOB, Some(0xa3), 1, 1),
        account(HOT, None, 11, 1),
        account(CAPITAL, None, 20, 1),
    ]
}

fn projection() -> Projection {
    Projection {
        journal_id: 6,
        balances: vec![
            balance(ADDRESSES, 100, 0),
            balance(ALICE, 50, 0),
            balance(BOB, 30, 0),
            balance(HOT, 30, 0),
            balance(CAPITAL, 50, 0),
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

fn rights() -> Rights {
    Rights {
        writers: vec![],
        owner: "ferrex_owner".to_owned(),
        guarded: true,
    }
}

/// Audits books whose head is at row `head`.
fn audit_books(accounts: &[AccountFact], rows: &[RowFact], projection: Projection, head: usize) -> Report {
    let mut auditor = Auditor::new();
    auditor.rights(&rights());
    for account in accounts {
        auditor.account(*account);
    }
    auditor.projection(projection);
    for row in rows {
        auditor.row(row);
    }
    auditor.finish(i64::try_from(head).unwrap())
}

fn audit(rows: &[RowFact], projection: Projection) -> Report {
    audit_books(&accounts(), rows, projection, story().len())
}

/// Audits rows alone, on the accounts of the story.
fn audit_rows(rows: &[RowFact]) -> Report {
    let mut auditor = Auditor::new();
    for account in accounts() {
        auditor.account(account);
    }
    for row in rows {
        auditor.row(row);
    }
    auditor.finish(i64::try_from(rows.len()).unwrap())
}

fn broken(report: &Report) -> Vec<Invariant> {
    let mut broken: Vec<Invariant> = report.findings.iter().map(|finding| finding.invariant).collect();
    broken.sort_unstable();
    broken.dedup();
    broken
}

fn details(report: &Report) -> Vec<&str> {
    report
        .findings
        .iter()
        .map(|finding| finding.detail.as_str())
        .collect()
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
    assert_eq!((report.rows, report.commands, report.refused), (7, 6, 1));
    assert_eq!((report.accounts, report.assets), (5, 1));
    assert_eq!((report.open_holds, report.projected), (0, 6));
}

#[test]
fn open_holds_are_counted() {
    let hold = held(9, row(2, RESERVE, 4, ALICE, 0, 25));
    let report = audit_rows(&[story()[0], hold]);
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.open_holds, 1);
}

#[test]
fn i01_an_account_of_another_asset_is_found() {
    let changes: [fn(&mut RowFact); 4] = [
        |row| row.asset = 2,
        |row| row.credit = row.debit,
        |row| row.credit = 99,
        |row| row.debit = 99,
    ];
    for (place, change) in changes.into_iter().enumerate() {
        let broken = audit_with(1, change);
        assert_eq!(broken, [Invariant::I01, Invariant::I02], "change {place}");
    }
    assert_eq!(audit_with(3, |row| row.credit = BOB), [Invariant::I01]);
}

#[test]
fn i01_a_row_that_moves_nothing_is_found() {
    assert_eq!(audit_with(1, |row| row.refusal = 3), [Invariant::I01]);
    assert_eq!(
        audit_with(1, |row| row.amount = units(0)),
        [Invariant::I01, Invariant::I02]
    );
}

#[test]
fn i02_a_balance_that_is_not_its_sum_is_found() {
    let changes: [fn(&mut Projection); 10] = [
        |stored| stored.balances[1].total = units(51),
        |stored| stored.balances[1].held = units(1),
        |stored| stored.balances[1].account = 99,
        |stored| stored.balances.truncate(4),
        |stored| stored.holds[0].closed = false,
        |stored| stored.holds[0].account = BOB,
        |stored| stored.holds[0].left = units(1),
        |stored| stored.holds.clear(),
        |stored| stored.journal_id = 5,
        |stored| stored.journal_id = 8,
    ];
    for (place, change) in changes.iter().enumerate() {
        let mut stored = projection();
        change(&mut stored);
        let broken = broken(&audit(&story(), stored));
        assert_eq!(broken, [Invariant::I02], "change {place}");
    }
}

#[test]
fn i02_a_projection_that_has_not_begun_is_compared_at_once() {
    let begun = |balances| {
        let projection = Projection {
            balances,
            ..Projection::default()
        };
        broken(&audit(&story(), projection))
    };
    assert_eq!(begun(vec![]), []);
    assert_eq!(begun(vec![balance(ALICE, 1, 0)]), [Invariant::I02]);
}

#[test]
fn i03_a_mint_is_found() {
    assert_eq!(audit_with(0, |row| row.reason = 3), [Invariant::I03]);
    assert_eq!(audit_with(0, |row| row.reason = 7), [Invariant::I03]);
    assert_eq!(audit_with(0, |row| row.reason = 99), [Invariant::I03]);
}

#[test]
fn i03_a_kind_that_its_reason_has_not_is_found() {
    assert_eq!(audit_with(3, |row| row.reason = 5), [Invariant::I03]);
}

#[test]
fn i03_a_debt_that_somebody_else_pays_is_found() {
    // Alice's deposit is undone when she has spent it: she owes, and what comes next repays it.
    const ALICES_DEBT: i64 = 6;
    let accounts = [accounts(), vec![account(ALICES_DEBT, Some(0xa2), 2, 1)]].concat();
    let report = |payer| {
        let undone = RowFact {
            reference: uuid(1),
            ..row(3, MOVE, 2, ALICES_DEBT, ADDRESSES, 100)
        };
        let rows = [
            row(1, MOVE, 1, ADDRESSES, ALICE, 100),
            row(2, MOVE, 3, ALICE, BOB, 100),
            undone,
            row(4, MOVE, 1, ADDRESSES, ALICE, 40),
            row(5, MOVE, 1, payer, ALICES_DEBT, 40),
        ];
        audit_books(&accounts, &rows, Projection::default(), rows.len())
    };
    assert!(report(ALICE).is_clean(), "{}", report(ALICE));
    assert_eq!(
        details(&report(BOB)),
        ["row 5 pays a debt with somebody else's money"]
    );
}

#[test]
fn i05_an_overdraft_is_found() {
    assert_eq!(
        audit_with(1, |row| row.amount = units(101)),
        [Invariant::I02, Invariant::I05]
    );
    assert_eq!(
        audit_with(3, |row| row.amount = units(71)),
        [Invariant::I02, Invariant::I05, Invariant::I06]
    );
}

#[test]
fn i05_a_hold_on_coins_is_found() {
    // Only what the house owes can be set aside.
    let report = audit_rows(&[story()[0], held(9, row(2, RESERVE, 4, ADDRESSES, 0, 25))]);
    assert_eq!(details(&report), ["row 2 holds account 1"]);
}

#[test]
fn i10_a_gap_and_a_right_are_found() {
    assert_eq!(audit_with(2, |row| row.id = 4), [Invariant::I10]);
    assert_eq!(broken(&audit(&story()[..6], projection())), [Invariant::I10]);
    let with = |change: fn(&mut Rights)| {
        let mut rights = rights();
        change(&mut rights);
        let mut auditor = Auditor::new();
        auditor.rights(&rights);
        broken(&auditor.finish(0))
    };
    assert_eq!(with(|_| {}), []);
    assert_eq!(
        with(|rights| rights.writers.push("ferrex_engine".to_owned())),
        [Invariant::I10]
    );
    assert_eq!(
        with(|rights| rights.owner = "ferrex_engine".to_owned()),
        [Invariant::I10]
    );
    assert_eq!(with(|rights| rights.guarded = false), [Invariant::I10]);
}

#[test]
fn i10_a_kind_that_nobody_knows_is_found() {
    // It is not booked, has no reason it could occur for, and no hold.
    for kind in [0, 16] {
        assert_eq!(
            audit_with(1, |row| row.kind = kind),
            [Invariant::I02, Invariant::I03, Invariant::I06, Invariant::I10]
        );
    }
}

#[test]
fn an_account_that_must_not_be_is_found() {
    let with = |fact| {
        let accounts = [account(1, None, 10, 1), fact];
        broken(&audit_books(&accounts, &[], Projection::default(), 0))
    };
    assert_eq!(with(account(2, Some(0xa2), 1, 1)), []);
    assert_eq!(with(account(2, None, 10, 2)), []);
    assert_eq!(with(account(2, None, 10, 1)), [Invariant::I02]);
    assert_eq!(with(account(2, None, 1, 1)), [Invariant::I03]);
    assert_eq!(with(account(2, Some(0xa2), 11, 1)), [Invariant::I03]);
    assert_eq!(with(account(2, None, 99, 1)), [Invariant::I03]);
    assert_eq!(with(account(3, None, 11, 1)), [Invariant::I10]);
}

#[test]
fn findings_beyond_those_kept_are_counted() {
    let mut auditor = Auditor::new();
    auditor.rights(&Rights {
        writers: vec!["somebody".to_owned(); KEPT_MAX],
        ..rights()
    });
    auditor.account(account(1, None, 99, 7));
    let report = auditor.finish(0);
    assert_eq!(report.found, 201);
    assert_eq!(report.findings.len(), 200);
    assert!(report.findings.iter().all(|finding| finding.asset.is_none()));
    assert!(report.assets_at_fault.contains(&7));
}

#[test]
fn a_finding_concerns_its_asset_or_all() {
    let with = |place: usize, change: fn(&mut RowFact)| {
        let mut rows = story();
        change(&mut rows[place]);
        let report = audit(&rows, projection());
        let assets: Vec<i64> = report.assets_at_fault.iter().copied().collect();
        (assets, report.concerns_all)
    };
    assert_eq!(with(0, |row| row.reason = 3), (vec![1], false));
    assert_eq!(with(2, |row| row.id = 4), (vec![], true));
}

#[test]
fn amounts_beyond_128_bits_are_summed() {
    let deposits = [2, 3, 4].map(|wallet| RowFact {
        amount: Units::parse(&u128::MAX.to_string()).unwrap(),
        ..row(wallet - 1, MOVE, 1, 1, wallet, 1)
    });
    let mut auditor = Auditor::new();
    auditor.account(account(1, None, 10, 1));
    for (wallet, person) in [(2, 0xa2), (3, 0xa3), (4, 0xa4)] {
        auditor.account(account(wallet, Some(person), 1, 1));
    }
    for deposit in &deposits {
        auditor.row(deposit);
    }
    assert!(auditor.finish(3).is_clean());
}
