//! How a withdrawal's events are told.

use ferrex_contracts::payment::{
    DepositCredited, ShownAmount, WithdrawalApprovalClosed, WithdrawalAwaitsApproval, WithdrawalCancelled,
    WithdrawalFailed, WithdrawalRequested, WithdrawalSettled,
};
use ferrex_flows::Publication;

use super::model::{Event, State};

/// The messages of an event.
pub(super) fn publication(state: &State, event: &Event) -> Vec<Publication> {
    let facts = state.facts.clone();
    let (withdrawal, user, fee) = (facts.withdrawal, facts.user, facts.fee);
    let value = ShownAmount {
        asset: facts.asset,
        symbol: facts.symbol,
        amount: facts.amount,
        decimals: facts.decimals,
    };
    let (address, network) = (facts.payee, facts.network);
    match event {
        Event::Requested => vec![Publication::event(
            withdrawal,
            &WithdrawalRequested {
                withdrawal,
                user,
                value,
                fee,
                address,
                network,
            },
        )],
        Event::AwaitsApproval => vec![Publication::event(
            withdrawal,
            &WithdrawalAwaitsApproval {
                withdrawal,
                user,
                value,
                fee,
                address,
                network,
                requested_at: facts.requested_at,
                content_hash: facts.content_hash,
            },
        )],
        Event::ApprovalClosed(result) => {
            let result = (*result).to_owned();
            vec![Publication::event(
                withdrawal,
                &WithdrawalApprovalClosed { withdrawal, result },
            )]
        }
        Event::Settled => {
            let transaction = state.mined.as_ref().map(|mined| mined.hash.clone());
            let settled = WithdrawalSettled {
                withdrawal,
                user,
                value: value.clone(),
                fee,
                address,
                network,
                transaction,
            };
            let mut messages = vec![Publication::event(withdrawal, &settled)];
            // The receiver of a payment inside the house is told as of any deposit (H038).
            if let Some(user) = facts.internal {
                let deposit = withdrawal.cast();
                messages.push(Publication::event(
                    deposit,
                    &DepositCredited { deposit, user, value },
                ));
            }
            messages
        }
        Event::Failed { reason } => vec![Publication::event(
            withdrawal,
            &WithdrawalFailed {
                withdrawal,
                user,
                value,
                reason: reason.clone(),
            },
        )],
        Event::Cancelled => {
            vec![Publication::event(
                withdrawal,
                &WithdrawalCancelled {
                    withdrawal,
                    user,
                    value,
                },
            )]
        }
    }
}
