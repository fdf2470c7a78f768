//! How a deposit's events are told.

use ferrex_contracts::payment::{DepositCredited, DepositReversed, DepositSeen, ShownAmount};
use ferrex_flows::Publication;

use super::model::{Event, State};

/// The messages of an event; none for the house's own money.
pub(super) fn publication(state: &State, event: &Event) -> Vec<Publication> {
    let facts = &state.facts;
    let Some(user) = facts.user else { return Vec::new() };
    let deposit = facts.deposit;
    let value = ShownAmount {
        asset: facts.asset,
        symbol: facts.symbol.clone(),
        amount: facts.amount,
        decimals: facts.decimals,
    };
    vec![match event {
        Event::Seen => {
            let confirmations_needed = facts.confirmations_needed;
            Publication::event(
                deposit,
                &DepositSeen {
                    deposit,
                    user,
                    value,
                    confirmations_needed,
                },
            )
        }
        Event::Credited => Publication::event(deposit, &DepositCredited { deposit, user, value }),
        Event::Reversed { owed } => Publication::event(
            deposit,
            &DepositReversed {
                deposit,
                user,
                value,
                owed: *owed,
            },
        ),
    }]
}
