//! Staff's side of a withdrawal.

use ferrex_contracts::Decision;
use ferrex_contracts::payment::{DecideWithdrawal, GetWithdrawal, GiveUpWithdrawal, WithdrawalView};
use ferrex_fault::Fault;
use ferrex_flows::Actor;
use ferrex_ids::{StaffId, WithdrawalId};

use super::flow::connection;
use super::model::Input;
use super::{Error, store};
use crate::concern::flow::check_reason;
use crate::{Payment, registry};

/// Decides a withdrawal that waits for staff. The decision names the content that was looked at; person, asset and hot
/// wallet are checked again before anything is signed (H035). The same decision given twice is answered alike.
pub async fn decide(payment: &Payment, request: DecideWithdrawal) -> Result<WithdrawalView, Fault> {
    check_reason(&request.by)?;
    let approved = request.decision == Decision::Approve;
    let input = Input::Decided {
        approved,
        content_hash: request.content_hash.clone(),
        staff: request.by.staff,
        reason: request.by.reason.trim().to_owned(),
    };
    send(payment, request.withdrawal, input, request.by.staff).await?;
    view(payment, request.withdrawal).await
}

/// Gives up a withdrawal that is not mined: what was signed has its nonce filled, so that nothing waits behind it (H026).
/// The same given twice is answered alike.
pub async fn give_up(payment: &Payment, request: GiveUpWithdrawal) -> Result<WithdrawalView, Fault> {
    check_reason(&request.by)?;
    let staff = request.by.staff;
    let input = Input::GiveUp {
        staff,
        reason: request.by.reason.trim().to_owned(),
    };
    send(payment, request.withdrawal, input, staff).await?;
    view(payment, request.withdrawal).await
}

/// Gives the flow what staff decided; the same decision given before is as good as this one.
async fn send(payment: &Payment, id: WithdrawalId, input: Input, staff: StaffId) -> Result<(), Fault> {
    let flow = id.cast();
    match payment
        .withdrawals
        .send(flow, input.clone(), &Actor::staff(staff))
        .await
    {
        Ok(_) => Ok(()),
        Err(ferrex_flows::Error::NotFound { .. }) => Err(Error::NotFound.into()),
        Err(error) => {
            let history = payment.withdrawals.history(flow).await?;
            if history.iter().any(|entry| entry.input.as_ref() == Some(&input)) {
                Ok(())
            } else {
                Err(error.into())
            }
        }
    }
}

/// A withdrawal as staff see it.
pub async fn get(payment: &Payment, request: GetWithdrawal) -> Result<WithdrawalView, Fault> {
    view(payment, request.withdrawal).await
}

async fn view(payment: &Payment, id: WithdrawalId) -> Result<WithdrawalView, Fault> {
    let context = &payment.context;
    let mut open = connection(context).await?;
    let row = store::find(&mut open, id).await?.ok_or(Error::NotFound)?;
    let asset = registry::store::get_asset(&mut open, row.asset).await?;
    let transactions = store::list_payments(&mut open, id).await?;
    drop(open);
    Ok(WithdrawalView {
        withdrawal: id,
        user: row.user,
        state: row.status.clone(),
        value: asset.show(row.amount),
        fee: row.fee,
        address: row.address.to_string(),
        network: row.network.clone(),
        waiting_for: waiting_for(payment, id, row.waiting_for).await?,
        transactions: transactions.iter().map(ToString::to_string).collect(),
        requested_at: row.requested_at,
    })
}

/// What a withdrawal waits for: as its state says, or why what it wants done was not done yet.
pub async fn waiting_for(
    payment: &Payment,
    id: WithdrawalId,
    stated: Option<String>,
) -> Result<Option<String>, Fault> {
    if stated.is_some() {
        return Ok(stated);
    }
    let view = payment.withdrawals.get(id.cast()).await?;
    Ok(view.and_then(|view| view.pending.into_iter().find_map(|effect| effect.reason)))
}
