use ferrex_bus::Router;
use ferrex_contracts::signer::CancelIntent;

use crate::Signer;

/// Makes sure that an intent is never signed.
pub(super) fn register(router: Router, signer: Signer) -> Router {
    router.on_request::<CancelIntent, _, _>(move |_, request| {
        let signer = signer.clone();
        async move { Ok(signer.cancel_intent(&request).await?) }
    })
}
