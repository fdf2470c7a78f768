use ferrex_bus::Router;
use ferrex_contracts::signer::AdvanceNonce;

use crate::Signer;

/// Goes on behind transactions that were not signed here, after people have looked.
pub(super) fn register(router: Router, signer: Signer) -> Router {
    router.on_request::<AdvanceNonce, _, _>(move |_, request| {
        let signer = signer.clone();
        async move { Ok(signer.advance_nonce(&request).await?) }
    })
}
