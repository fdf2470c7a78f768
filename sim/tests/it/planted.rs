//! Bugs that are planted one at a time, each of which must be found; built by `make planted` alone. `FERREX_BUG` names one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ferrex_sim::run;

/// Steps with faults, as in the other tests.
const STEPS: u64 = 1_000;

/// A planted bug: its name, what it breaks, and within how many seeds it must be found.
struct Bug(&'static str, &'static str, u64);

const BUGS: &[Bug] = &[
    Bug(
        "ledger.transfer_ignores_holds",
        "a movement takes what is set aside",
        50,
    ),
    Bug(
        "ledger.reserve_takes_too_much",
        "a hold on money that is not there",
        50,
    ),
    Bug("ledger.release_lost", "a released hold stays counted as held", 50),
    Bug(
        "ledger.rollback_forgets_balances",
        "a refused command leaves half of it behind",
        6_000,
    ),
    Bug(
        "engine.answers_forgotten",
        "a command given twice is decided twice",
        50,
    ),
    Bug("engine.refusals_forgotten", "a refusal is not remembered", 100),
    Bug(
        "engine.bodies_not_compared",
        "an id is answered for another body",
        400,
    ),
    Bug(
        "engine.old_ids_not_looked_up",
        "an id older than the window is decided again",
        400,
    ),
    Bug(
        "replay.answers_forgotten",
        "a restart forgets what was decided",
        100,
    ),
    Bug("replay.releases_left_out", "a replay leaves releases out", 50),
    Bug(
        "orders.end_keeps_money_aside",
        "an order ends and its money stays set aside",
        50,
    ),
    Bug(
        "orders.filled_part_set_aside_again",
        "an order sets aside what it has traded",
        100,
    ),
    Bug("orders.fee_rounded_down", "a fee is rounded for the payer", 50),
    Bug(
        "snapshot.answers_left_out",
        "a snapshot without the idempotency window",
        400,
    ),
    Bug(
        "restart.snapshot_beyond_projection",
        "a snapshot hides changes from the projection",
        400,
    ),
    Bug(
        "standby.takes_over_behind",
        "an owner that has not read the last rows",
        100,
    ),
    Bug(
        "standby.forgets_unprojected",
        "an owner that forgets what the former has not projected",
        400,
    ),
    Bug("append.epoch_unchecked", "a former owner may write", 400),
    Bug(
        "append.predecessor_unchecked",
        "an owner goes on after an unknown commit, and nobody compares the journal's end",
        400,
    ),
    Bug(
        "lease.same_epoch",
        "a new owner does not shut the former out",
        400,
    ),
    Bug("engine.acks_before_commit", "an answer before its commit", 50),
    Bug(
        "pipeline.repeats_overtake",
        "a repeat is answered before the commit of what it repeats",
        50,
    ),
    Bug(
        "pipeline.answers_what_follows",
        "a commit answers those of the batch behind it too",
        50,
    ),
    Bug(
        "pipeline.taken_for_settled",
        "what is not stored is projected",
        50,
    ),
    Bug(
        "engine.unknown_commit_is_success",
        "a lost commit is answered as done",
        50,
    ),
    Bug(
        "engine.reads_rest_on_the_lease",
        "a former owner shows what is in its memory",
        800,
    ),
    Bug("relay.page_cuts_command", "a command is told in two halves", 100),
    Bug(
        "relay.marks_before_publish",
        "the cursor moves before the bus has it",
        100,
    ),
    Bug(
        "outbox.deleted_before_publish",
        "a message leaves the outbox before the bus has it",
        100,
    ),
    Bug("bus.no_inbox", "an effect without inbox", 50),
    Bug(
        "statement.line_written_twice",
        "a command that is told again is a second line",
        50,
    ),
    Bug(
        "bus.position_before_effect",
        "a position is committed before the effect",
        100,
    ),
    Bug(
        "flows.outcome_unfenced",
        "an outcome counts although its lease has run out",
        100,
    ),
    Bug(
        "flows.unknown_ends_the_effect",
        "an unknown outcome ends the effect",
        50,
    ),
    Bug("flows.timers_forgotten", "a flow is never woken", 50),
    Bug(
        "idempotency.key_not_compared",
        "a repeated request makes a second thing",
        50,
    ),
    Bug(
        "transfer.refusal_taken_for_success",
        "a refused transfer is told as done",
        100,
    ),
    Bug(
        "deposit.credited_when_seen",
        "a deposit is credited without confirmations",
        50,
    ),
    Bug(
        "deposit.reorganisation_ignored",
        "a credit stays that its chain took back",
        400,
    ),
    Bug(
        "deposit.second_credit_has_the_first_id",
        "a deposit that comes again is not credited again",
        400,
    ),
    Bug(
        "deposit.debt_not_booked",
        "what was spent of a reversed deposit is forgotten",
        1_500,
    ),
    Bug(
        "withdrawal.cancelled_while_signing",
        "a payment is taken back and signed",
        100,
    ),
    Bug(
        "withdrawal.settled_when_mined",
        "a payment is booked without confirmations",
        50,
    ),
    Bug(
        "withdrawal.reorganisation_ignored",
        "a payment that left its chain is not sent again",
        100,
    ),
    Bug(
        "withdrawal.refused_bytes_taken_for_failure",
        "money goes back although signed bytes exist",
        100,
    ),
    Bug(
        "withdrawal.given_up_without_the_signer",
        "money goes back without asking the signer",
        400,
    ),
    Bug(
        "withdrawal.filler_taken_for_the_payment",
        "a filler is booked as the payment",
        400,
    ),
    Bug(
        "withdrawal.gas_not_booked",
        "the chain's charge is not booked",
        50,
    ),
    Bug("withdrawal.fee_stays_held", "the fee is never taken", 50),
    Bug(
        "withdrawal.silence_not_told",
        "a lost answer of a node is told to nobody",
        100,
    ),
    Bug(
        "withdrawal.claims_ignored",
        "the hot wallet's money is promised twice",
        400,
    ),
    Bug(
        "signer.nonce_from_the_chain",
        "a nonce is given out before the last one is mined",
        50,
    ),
    Bug("signer.nonce_not_counted_up", "a nonce is taken twice", 50),
    Bug(
        "signer.replacement_takes_a_new_nonce",
        "a replacement is a second payment",
        100,
    ),
    Bug(
        "signer.cancelled_is_signed",
        "what was given up is signed all the same",
        400,
    ),
    Bug(
        "signer.answers_before_commit",
        "bytes leave before they are stored",
        100,
    ),
    Bug(
        "follower.parent_not_compared",
        "a block of another branch is taken",
        100,
    ),
    Bug(
        "follower.cursor_before_effects",
        "the cursor skips a block that was not recorded",
        100,
    ),
    Bug("follower.confirms_one_early", "one confirmation is missing", 50),
];

/// Which invariant breaks first, and in which seed.
fn found(bug: &Bug) -> Option<(u64, String)> {
    let Bug(name, _, most) = *bug;
    ferrex_planted::with(name, || {
        (1..=most).find_map(|seed| {
            // A check of the product itself may be what notices.
            match catch_unwind(AssertUnwindSafe(|| run(seed, STEPS))) {
                Ok(Ok(_)) => None,
                Ok(Err(failure)) => Some((seed, failure.violation.invariant.to_owned())),
                Err(_) => Some((seed, "an assertion of the product".to_owned())),
            }
        })
    })
}

#[test]
fn every_planted_bug_is_found() {
    std::panic::set_hook(Box::new(|_| {}));
    println!("| planted bug | what it breaks | found by | seeds |\n|---|---|---|---|");
    let mut missed = Vec::new();
    let wanted = std::env::var("FERREX_BUG").ok();
    for bug in BUGS
        .iter()
        .filter(|bug| wanted.as_deref().is_none_or(|wanted| wanted == bug.0))
    {
        let Bug(name, breaks, most) = bug;
        if let Some((seeds, invariant)) = found(bug) {
            println!("| `{name}` | {breaks} | {invariant} | {seeds} |");
        } else {
            println!("| `{name}` | {breaks} | nothing | > {most} |");
            missed.push(*name);
        }
    }
    let _ = std::panic::take_hook();
    assert!(missed.is_empty(), "not found: {missed:?}");
}
