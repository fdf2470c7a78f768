use ferrex_bus::Router;
use ferrex_contracts::signer::GetIntent;

use crate::Signer;

/// Tells what was signed for an intent.
pub(super) fn register(router: Router, signer: Signer) -> Router {
    router.on_request::<GetIntent, _, _>(move |_, request| {
        let signer = signer.clone();
        async move { Ok(signer.get_intent(&request).await?) }
    })
}
