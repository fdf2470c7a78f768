//! The endpoints, one file each. What they take is read strictly; what is wrong with a field is said with its name.

mod change_password;
mod confirm_registration;
mod confirm_reset;
mod confirm_totp;
mod create_registration;
mod create_reset;
mod create_session;
mod disable_totp;
mod enrol_totp;
mod finish_login;
mod get_me;
mod get_second_factor;
mod list_sessions;
mod list_verifications;
mod log_out;
mod pages;
mod person;
mod presented;
mod renew_token;
mod replace_recovery_codes;
mod resend_registration;
mod revoke_others;
mod revoke_session;
mod submit_verification;
mod views;

use ferrex_web::{OpenApiRouter, routes};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, Info, OpenApiBuilder};

use crate::Core;

/// Name of the security scheme of session tokens.
const SESSION_TOKEN: &str = "session_token";

/// The routes of this service.
pub(crate) fn router(core: Core) -> OpenApiRouter {
    routes().with_state(core)
}

/// The routes as they stand in the document, without a service behind them.
pub fn specification() -> OpenApiRouter {
    OpenApiRouter::with_openapi(routes().split_for_parts().1)
}

fn routes() -> OpenApiRouter<Core> {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "The session token that logging in answers, to get access tokens with.",
        ))
        .build();
    let components = ComponentsBuilder::new()
        .security_scheme(SESSION_TOKEN, SecurityScheme::Http(scheme))
        .build();
    let document = OpenApiBuilder::new().info(Info::new("core", env!("CARGO_PKG_VERSION")));
    OpenApiRouter::with_openapi(document.components(Some(components)).build())
        .merge(pages::router())
        .routes(routes!(create_registration::handle))
        .routes(routes!(resend_registration::handle))
        .routes(routes!(confirm_registration::handle))
        .routes(routes!(
            create_session::handle,
            list_sessions::handle,
            revoke_others::handle
        ))
        .routes(routes!(finish_login::handle))
        .routes(routes!(log_out::handle))
        .routes(routes!(renew_token::handle))
        .routes(routes!(revoke_session::handle))
        .routes(routes!(create_reset::handle))
        .routes(routes!(confirm_reset::handle))
        .routes(routes!(get_me::handle))
        .routes(routes!(change_password::handle))
        .routes(routes!(get_second_factor::handle))
        .routes(routes!(enrol_totp::handle))
        .routes(routes!(confirm_totp::handle))
        .routes(routes!(disable_totp::handle))
        .routes(routes!(replace_recovery_codes::handle))
        .routes(routes!(submit_verification::handle, list_verifications::handle))
}
