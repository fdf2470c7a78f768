//! One file a request.

mod advance_nonce;
mod cancel_intent;
mod describe_wallet;
mod fill_nonce;
mod get_intent;
mod sign_withdrawal;

use ferrex_bus::Router;

use crate::Signer;

/// Who answers which request.
pub(crate) fn router(signer: &Signer) -> Router {
    let router = Router::new("signer");
    let router = describe_wallet::register(router, signer.clone());
    let router = sign_withdrawal::register(router, signer.clone());
    let router = fill_nonce::register(router, signer.clone());
    let router = get_intent::register(router, signer.clone());
    let router = cancel_intent::register(router, signer.clone());
    advance_nonce::register(router, signer.clone())
}
