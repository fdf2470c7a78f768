//! The rules as tables of numbers, compared with the functions over every number there is and some around.

use super::*;

/// Reason, debited purpose, credited purposes.
const MOVES: [(i64, i64, &[i64]); 26] = [
    // deposit
    (1, 1, &[2]),
    (1, 10, &[1, 2, 22]),
    (1, 22, &[1, 2, 22]),
    // deposit reversal
    (2, 1, &[10]),
    (2, 2, &[10]),
    (2, 20, &[10, 11]),
    (2, 22, &[10]),
    // transfer
    (3, 1, &[1, 21]),
    // withdrawal settlement
    (5, 1, &[11, 21]),
    (5, 13, &[11]),
    (5, 20, &[11]),
    (5, 21, &[11]),
    // withdrawal release
    (6, 13, &[11]),
    // house funding
    (7, 10, &[10, 11, 12, 20]),
    (7, 11, &[10, 11, 12, 20]),
    (7, 12, &[10, 11, 12, 20]),
    (7, 20, &[10, 11, 12]),
    // network fee
    (9, 13, &[10, 11, 12]),
    (9, 20, &[10, 11, 12]),
    (9, 21, &[10, 11, 12]),
    // unclaimed
    (10, 10, &[22]),
    (10, 11, &[22]),
    (10, 22, &[10, 11]),
    // internal withdrawal
    (11, 1, &[1, 21]),
    // trading
    (12, 1, &[1]),
    // market admin
    (13, 1, &[1]),
];

/// Reason, kinds of its rows.
const KINDS: [(i64, &[i64]); 13] = [
    (1, &[1]),
    (2, &[1]),
    (3, &[1, 2, 3, 4]),
    (4, &[2]),
    (5, &[1, 3, 4]),
    (6, &[1, 4]),
    (7, &[1]),
    (8, &[5]),
    (9, &[1]),
    (10, &[1]),
    (11, &[1, 3, 4]),
    (12, &[7, 8, 9, 10, 11]),
    (13, &[7, 9, 10, 11, 12, 13, 14, 15]),
];

fn reasons() -> impl Iterator<Item = i64> {
    -1..=15
}

fn purposes() -> impl Iterator<Item = i64> {
    -1..=24
}

fn kinds() -> impl Iterator<Item = i64> {
    -1..=17
}

#[test]
fn money_moves_only_as_listed() {
    let listed: Vec<_> = MOVES
        .iter()
        .flat_map(|(reason, debited, credited)| credited.iter().map(move |to| (*reason, *debited, *to)))
        .collect();
    let allowed: Vec<_> = reasons()
        .flat_map(|reason| purposes().map(move |debited| (reason, debited)))
        .flat_map(|(reason, debited)| purposes().map(move |credited| (reason, debited, credited)))
        .filter(|(reason, debited, credited)| may_move(*reason, *debited, *credited))
        .collect();
    assert_eq!(allowed, listed);
}

#[test]
fn a_reason_has_only_rows_of_its_kinds() {
    let listed: Vec<_> = KINDS
        .iter()
        .flat_map(|(reason, kinds)| kinds.iter().map(move |kind| (*reason, *kind)))
        .collect();
    let allowed: Vec<_> = reasons()
        .flat_map(|reason| kinds().map(move |kind| (reason, kind)))
        .filter(|(reason, kind)| may_occur(*reason, *kind))
        .collect();
    assert_eq!(allowed, listed);
}

#[test]
fn a_purpose_has_one_side_and_one_sort_of_owner() {
    let of_side = |wanted| {
        let sided = purposes().filter(move |purpose| side(*purpose) == wanted);
        sided.collect::<Vec<_>>()
    };
    assert_eq!(of_side(Some(Side::Credit)), [1, 20, 21, 22]);
    assert_eq!(of_side(Some(Side::Debit)), [2, 10, 11, 12, 13]);
    let personal: Vec<_> = purposes().filter(|purpose| is_personal(*purpose)).collect();
    assert_eq!(personal, [1, 2]);
}

#[test]
fn kinds_7_to_15_are_about_trading() {
    let trading: Vec<_> = kinds().filter(|kind| is_trading(*kind)).collect();
    assert_eq!(trading, [7, 8, 9, 10, 11, 12, 13, 14, 15]);
}

#[test]
fn what_may_happen_once_is_listed_by_reason() {
    let effects: Vec<_> = reasons()
        .filter_map(|reason| effect(reason).map(|effect| (reason, effect)))
        .collect();
    assert_eq!(effects, [(1, 1), (3, 3), (4, 4), (5, 5), (6, 6), (7, 1), (11, 5)]);
    let taken_back: Vec<_> = reasons()
        .filter_map(|reason| takes_back(reason).map(|effect| (reason, effect)))
        .collect();
    assert_eq!(taken_back, [(2, 1)]);
}
