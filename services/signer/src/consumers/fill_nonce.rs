use ferrex_bus::Router;
use ferrex_contracts::signer::FillNonce;

use crate::Signer;

/// Fills the nonce of a payment that was given up.
pub(super) fn register(router: Router, signer: Signer) -> Router {
    router.on_request::<FillNonce, _, _>(move |_, request| {
        let signer = signer.clone();
        async move { Ok(signer.fill_nonce(&request).await?) }
    })
}
