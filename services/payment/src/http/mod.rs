//! The endpoints, one file each. What they take is read strictly; what is wrong with a field is said with its name.

mod amend_order;
mod cancel_order;
mod cancel_orders;
mod cancel_withdrawal;
mod create_deposit_address;
mod create_order;
mod create_order_batch;
mod create_transfer;
mod create_withdrawal;
mod get_balances;
mod get_deposit;
mod get_fees;
mod get_history;
mod get_order;
mod get_transfer;
mod get_withdrawal;
mod list_assets;
mod list_deposit_addresses;
mod list_deposits;
mod list_markets;
mod list_networks;
mod list_orders;
mod list_trades;
mod list_withdrawals;
mod order_views;
mod preview_withdrawal;
mod views;

use ferrex_web::{OpenApiRouter, routes};

use crate::Payment;

/// The routes of this service.
pub(crate) fn router(payment: Payment) -> OpenApiRouter {
    routes().with_state(payment)
}

/// The routes as they stand in the document, without a service behind them.
pub fn specification() -> OpenApiRouter {
    OpenApiRouter::with_openapi(routes().split_for_parts().1)
}

fn routes() -> OpenApiRouter<Payment> {
    OpenApiRouter::new()
        .routes(routes!(list_networks::handle))
        .routes(routes!(list_assets::handle))
        .routes(routes!(
            create_deposit_address::handle,
            list_deposit_addresses::handle
        ))
        .routes(routes!(list_deposits::handle))
        .routes(routes!(get_deposit::handle))
        .routes(routes!(create_transfer::handle))
        .routes(routes!(get_transfer::handle))
        .routes(routes!(preview_withdrawal::handle))
        .routes(routes!(create_withdrawal::handle, list_withdrawals::handle))
        .routes(routes!(get_withdrawal::handle))
        .routes(routes!(cancel_withdrawal::handle))
        .routes(routes!(list_markets::handle))
        .routes(routes!(
            create_order::handle,
            list_orders::handle,
            cancel_orders::handle
        ))
        .routes(routes!(create_order_batch::handle))
        .routes(routes!(
            get_order::handle,
            cancel_order::handle,
            amend_order::handle
        ))
        .routes(routes!(get_fees::handle))
        .routes(routes!(list_trades::handle))
        .routes(routes!(get_balances::handle))
        .routes(routes!(get_history::handle))
}
