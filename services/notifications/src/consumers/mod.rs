//! What this service takes from the bus, one file a message type.

mod deposit_credited;
mod deposit_reversed;
mod list_deliveries;
mod send_mail;
mod transfer_completed;
mod user_confirmed;
mod user_freeze_changed;
mod user_level_changed;
mod withdrawal_awaits_approval;
mod withdrawal_cancelled;
mod withdrawal_failed;
mod withdrawal_requested;
mod withdrawal_settled;

use ferrex_bus::{Delivery as Meta, Router};
use ferrex_contracts::Done;
use ferrex_contracts::core::{UserConfirmed, UserFreezeChanged, UserLevelChanged};
use ferrex_contracts::cron::CronTick;
use ferrex_contracts::notifications::{ListDeliveries, ResumeDelivery, SendMail};
use ferrex_contracts::payment::{
    DepositCredited, DepositReversed, ShownAmount, TransferCompleted, WithdrawalAwaitsApproval,
    WithdrawalCancelled, WithdrawalFailed, WithdrawalRequested, WithdrawalSettled,
};
use ferrex_ids::UserId;
use ferrex_money::Amount;

use crate::SOURCE;
use crate::delivery::{Deliveries, NewDelivery};
use crate::jobs::delivery_retry;

/// An event for which the person gets a mail. Mails stand each for itself, so one that is parked holds up no other.
macro_rules! on_mail {
    ($router:ident, $deliveries:ident, $($message:ty => $module:ident),* $(,)?) => {
        $(let $router = {
            let deliveries = $deliveries.clone();
            $router.on_unordered_event::<$message, _>(move |meta, event, tx| {
                let deliveries = deliveries.clone();
                Box::pin(async move { $module::handle(&deliveries, meta, event, tx).await })
            })
        };)*
    };
}

/// The handlers of this service.
pub(crate) fn router(deliveries: &Deliveries) -> Router {
    let router = Router::new(SOURCE)
        .on_event::<UserConfirmed, _>(|_, event, tx| Box::pin(user_confirmed::handle(event, tx)));
    on_mail! { router, deliveries,
        UserLevelChanged => user_level_changed,
        UserFreezeChanged => user_freeze_changed,
        DepositCredited => deposit_credited,
        DepositReversed => deposit_reversed,
        TransferCompleted => transfer_completed,
        WithdrawalRequested => withdrawal_requested,
        WithdrawalAwaitsApproval => withdrawal_awaits_approval,
        WithdrawalSettled => withdrawal_settled,
        WithdrawalFailed => withdrawal_failed,
        WithdrawalCancelled => withdrawal_cancelled,
    }
    let (sending, ticking, listing, resuming) = (
        deliveries.clone(),
        deliveries.clone(),
        deliveries.clone(),
        deliveries.clone(),
    );
    router
        .on_unordered_event::<SendMail, _>(move |_, command, tx| {
            let deliveries = sending.clone();
            Box::pin(async move { send_mail::handle(&deliveries, command, tx).await })
        })
        .on_unordered_event::<CronTick, _>(move |meta, tick, _| {
            let deliveries = ticking.clone();
            Box::pin(async move { delivery_retry::on_tick(&deliveries, meta, tick).await })
        })
        .on_request::<ListDeliveries, _, _>(move |_, request| {
            let deliveries = listing.clone();
            async move { list_deliveries::handle(&deliveries, request).await }
        })
        .on_request::<ResumeDelivery, _, _>(move |_, request| {
            let deliveries = resuming.clone();
            async move {
                deliveries
                    .resume(request.delivery, request.by.staff)
                    .await
                    .map(|()| Done {})
            }
        })
}

/// The mail that follows from a message: its delivery has the message's id, so one message makes one mail.
fn mail<const N: usize>(
    meta: &Meta,
    user: UserId,
    template: &'static str,
    params: [(&'static str, String); N],
) -> NewDelivery {
    NewDelivery {
        id: meta.id.cast(),
        user: Some(user),
        email: None,
        template: template.to_owned(),
        params: params
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

/// An amount with its symbol.
fn shown(value: &ShownAmount) -> String {
    part(value, value.amount)
}

/// Another amount of the same asset.
fn part(value: &ShownAmount, amount: Amount) -> String {
    format!(
        "{} {}",
        ferrex_money::format(amount, value.decimals),
        value.symbol
    )
}

/// As [`part`], empty when there is nothing of it.
fn owed(value: &ShownAmount, amount: Amount) -> String {
    if amount.is_zero() {
        String::new()
    } else {
        part(value, amount)
    }
}
