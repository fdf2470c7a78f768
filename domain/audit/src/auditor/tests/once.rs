//! What a command does is done once and as a whole, and a hold pays what it has.

use super::*;

#[test]
fn i06_a_second_effect_is_found() {
    assert_eq!(audit_with(1, |row| row.command = uuid(1)), [Invariant::I06]);
    assert_eq!(audit_with(4, |row| row.last = true), [Invariant::I06]);
    assert_eq!(
        audit_with(5, |row| row.hold = Some(uuid(8))),
        [Invariant::I02, Invariant::I06]
    );
    let again = RowFact {
        reference: uuid(1),
        ..row(2, MOVE, 1, ADDRESSES, ALICE, 1)
    };
    let report = audit_rows(&[story()[0], again]);
    let reference = uuid(1);
    assert_eq!(
        details(&report),
        [format!("row 2: reason 1 again for {reference}")]
    );
}

#[test]
fn i06_a_command_that_is_cut_short_is_found() {
    assert_eq!(audit_with(4, |row| row.fingerprint = 6), [Invariant::I06]);
    assert_eq!(audit_with(5, |row| row.command = uuid(6)), [Invariant::I06]);
    assert_eq!(audit_with(6, |row| row.last = false), [Invariant::I06]);
    let refused = RowFact {
        command: uuid(1),
        fingerprint: 1,
        ..refusal(2)
    };
    let begun = RowFact {
        last: false,
        ..story()[0]
    };
    let report = audit_rows(&[begun, refused]);
    assert_eq!(
        details(&report),
        [
            "row 2 is about something else than its command",
            "row 2 belongs to a command that is refused and has other rows"
        ]
    );
}

#[test]
fn i06_money_that_hides_behind_the_first_row_of_its_command_is_found() {
    let follows = |first: &RowFact, row: RowFact| RowFact {
        command: first.command,
        fingerprint: first.fingerprint,
        ..row
    };
    let deposit = row(1, MOVE, 1, ADDRESSES, ALICE, 100);
    let transfer = RowFact {
        last: false,
        ..row(2, MOVE, 3, ALICE, BOB, 30)
    };
    let again = RowFact {
        reference: deposit.reference,
        ..follows(&transfer, row(3, MOVE, 1, ADDRESSES, ALICE, 100))
    };
    let report = audit_rows(&[deposit, transfer, again]);
    assert_eq!(
        details(&report),
        ["row 3 is about something else than its command"]
    );
    let other_reason = RowFact {
        reference: transfer.reference,
        ..again
    };
    assert_eq!(
        broken(&audit_rows(&[deposit, transfer, other_reason])),
        [Invariant::I06]
    );
    let refused = RowFact {
        last: false,
        reason: 1,
        ..refusal(1)
    };
    let moved = RowFact {
        reference: refused.reference,
        ..follows(&refused, row(2, MOVE, 1, ADDRESSES, ALICE, 100))
    };
    let report = audit_rows(&[refused, moved]);
    assert_eq!(
        details(&report),
        ["row 2 belongs to a command that is refused and has other rows"]
    );
}

#[test]
fn i06_a_refusal_that_moves_something_is_found() {
    assert_eq!(audit_with(6, |row| row.amount = units(1)), [Invariant::I06]);
    assert_eq!(audit_with(6, |row| row.debit = ALICE), [Invariant::I06]);
    assert_eq!(audit_with(6, |row| row.credit = BOB), [Invariant::I06]);
    assert_eq!(audit_with(6, |row| row.refusal = 0), [Invariant::I06]);
    assert_eq!(audit_with(6, |row| row.hold = Some(uuid(8))), [Invariant::I06]);
    let order = OrderFact {
        market: 1,
        order: 1,
        maker: false,
        fee: units(0),
    };
    assert_eq!(audit_with(6, |row| row.order = Some(order)), [Invariant::I06]);
    assert_eq!(audit_with(1, |row| row.order = Some(order)), [Invariant::I06]);
}

#[test]
fn i06_a_row_that_does_not_fit_its_hold_is_found() {
    assert_eq!(audit_with(1, |row| row.hold = Some(uuid(8))), [Invariant::I06]);
    assert_eq!(audit_with(5, |row| row.credit = BOB), [Invariant::I06]);
    assert_eq!(
        audit_with(5, |row| row.amount = units(4)),
        [Invariant::I02, Invariant::I06]
    );
    assert_eq!(
        audit_with(5, |row| row.amount = units(6)),
        [Invariant::I02, Invariant::I06]
    );
    assert_eq!(
        audit_with(5, |row| row.hold = None),
        [Invariant::I02, Invariant::I06]
    );
    let again = held(9, row(3, RESERVE, 4, ALICE, 0, 1));
    let report = audit_rows(&[story()[0], held(9, row(2, RESERVE, 4, ALICE, 0, 25)), again]);
    let hold = uuid(9);
    assert_eq!(details(&report), [format!("row 3 makes hold {hold} again")]);
}

#[test]
fn i06_a_hold_is_not_given_out_of_another_account() {
    let report = audit_rows(&[
        row(1, MOVE, 1, ADDRESSES, ALICE, 100),
        row(2, MOVE, 1, ADDRESSES, BOB, 100),
        held(8, row(3, RESERVE, 4, BOB, 0, 25)),
        held(9, row(4, RESERVE, 4, ALICE, 0, 25)),
        held(9, row(5, VOID, 6, BOB, 0, 25)),
    ]);
    let hold = uuid(9);
    assert_eq!(
        details(&report),
        [
            &format!("row 5 takes from hold {hold} what it has not"),
            "row 5 releases a part of a hold",
        ]
    );
}

#[test]
fn i06_a_deposit_may_come_again_after_its_reversal() {
    let deposit = |id, reference| RowFact {
        reference: uuid(reference),
        ..row(id, MOVE, 1, ADDRESSES, ALICE, 5)
    };
    let reversal = |id, reference| RowFact {
        reference: uuid(reference),
        ..row(id, MOVE, 2, ALICE, ADDRESSES, 5)
    };
    let reversed = [deposit(1, 70), reversal(2, 70), deposit(3, 70)];
    assert_eq!(broken(&audit_rows(&reversed)), []);
    let twice = [deposit(1, 70), deposit(2, 71), deposit(3, 70)];
    assert_eq!(broken(&audit_rows(&twice)), [Invariant::I06]);
    let report = audit_rows(&[deposit(1, 70), reversal(2, 71)]);
    let reference = uuid(71);
    assert_eq!(
        details(&report),
        [format!("row 2 takes back what {reference} has not had")]
    );
}
