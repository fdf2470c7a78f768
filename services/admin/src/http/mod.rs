//! The admin listener: one file an endpoint. Every handler but the set-up and the log-in takes an
//! [`crate::sessions::Actor`], which is what protects it.

mod begin_set_up;
mod close_deposit;
mod create_asset;
mod create_market;
mod create_session;
mod decide_approval;
mod decide_verification;
mod disable_staff;
mod fee_schedule;
mod get_approval;
mod get_fee_schedule;
mod get_me;
mod get_user;
mod get_verification;
mod give_up_withdrawal;
mod input;
mod invite_staff;
mod list_approvals;
mod list_assets;
mod list_audit_entries;
mod list_concerns;
mod list_markets;
mod list_sessions;
mod list_staff;
mod list_users;
mod list_verifications;
mod market_view;
mod put_network;
mod resume_wallet;
mod revoke_session;
mod set_fee_schedule;
mod set_market_fees;
mod set_market_state;
mod set_up;
mod set_user_freeze;
mod setup_page;
mod update_asset;
mod verify_audit;
mod views;

use ferrex_web::{OpenApiRouter, routes};

use crate::Admin;

/// The routes of this service.
pub(crate) fn router(admin: Admin) -> OpenApiRouter {
    routes().with_state(admin)
}

/// The routes as they stand in the document, without a service behind them.
pub fn specification() -> OpenApiRouter {
    OpenApiRouter::with_openapi(routes().split_for_parts().1)
}

fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::new()
        .merge(setup_page::router())
        .routes(routes!(begin_set_up::handle))
        .routes(routes!(set_up::handle))
        .routes(routes!(create_session::handle, list_sessions::handle))
        .routes(routes!(revoke_session::handle))
        .routes(routes!(get_me::handle))
        .routes(routes!(list_staff::handle))
        .routes(routes!(invite_staff::handle))
        .routes(routes!(disable_staff::handle))
        .routes(routes!(list_users::handle))
        .routes(routes!(get_user::handle))
        .routes(routes!(set_user_freeze::handle))
        .routes(routes!(list_verifications::handle))
        .routes(routes!(get_verification::handle))
        .routes(routes!(decide_verification::handle))
        .routes(routes!(list_approvals::handle))
        .routes(routes!(get_approval::handle))
        .routes(routes!(decide_approval::handle))
        .routes(routes!(list_assets::handle, create_asset::handle))
        .routes(routes!(update_asset::handle))
        .routes(routes!(put_network::handle))
        .routes(routes!(create_market::handle, list_markets::handle))
        .routes(routes!(set_market_fees::handle))
        .routes(routes!(get_fee_schedule::handle, set_fee_schedule::handle))
        .routes(routes!(set_market_state::handle))
        .routes(routes!(list_audit_entries::handle))
        .routes(routes!(verify_audit::handle))
        .routes(routes!(list_concerns::handle))
        .routes(routes!(close_deposit::handle))
        .routes(routes!(give_up_withdrawal::handle))
        .routes(routes!(resume_wallet::handle))
}
